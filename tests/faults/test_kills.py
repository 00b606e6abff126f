"""Killed at any moment: what stood there stands, nothing half-written passes as whole, the same command finishes."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from faults.forge import Forge
from faults.prepared import Prepare, Prepared
from faults.registry import injected
from faults.remains import (
    bundle_is_one_or_the_other,
    bytes_of,
    copied,
    one_line,
    queue_is_sound,
    rows_of,
    steps_logged,
    whole,
)

from napari_advseg.generator import Attacker
from napari_advseg.volume import read_ct

SECTION = "Killed"
HOW = "SIGKILL before the n-th time that it touches its files, n spread over all; several kills in a row"
SAVING, SHELL, QUEUE, TRAINING, MIDDLES = 54, 4, 16, 8, 18


def killed(forge: Forge, job: str, folder: Path, prepared: Prepared, row: Iterable[int], points: int) -> Iterator[int]:
    """Kill the job at one of ``points`` moments, what takes its place at the next of the row; yields after each kill."""
    copied(prepared.folder, folder)
    for number in row:
        end = forge.run(job, folder, kill_at=prepared.moment(number, points))
        assert end.status == -signal.SIGKILL, end.err
        yield number


@injected(
    SECTION,
    f"saving a bundle over an earlier one: {HOW}",
    "the earlier bundle or the new one stands there, whole; saving again does it",
    SAVING // 6,
    each=6,
)
def test_saving_leaves_one_bundle_or_the_other(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    prepared, folder = prepare("saving"), tmp_path / "case"
    for number in killed(forge, "saving", folder, prepared, range(point, SAVING, SAVING // 6), SAVING):
        which = bundle_is_one_or_the_other(folder, prepared.folder)
        assert which == "earlier" if number < SAVING // 2 else which in ("earlier", "later")
    again = forge.run("saving", folder)
    assert again.status == 0, again.err
    assert bundle_is_one_or_the_other(folder, prepared.folder) == "later"


@injected(
    SECTION,
    "saving a bundle over an earlier one: killed by the system, or refused, in the middle of a file, whoever writes it",
    "the earlier bundle stands there, whole; saving again does it",
    1,
    each=MIDDLES,
)
def test_a_file_that_was_being_written_is_not_there(forge: Forge, prepare: Prepare, tmp_path: Path) -> None:
    prepared = prepare("saving")
    largest = max(path.stat().st_size for path in (prepared.undisturbed / "bundle").iterdir())
    folder = copied(prepared.folder, tmp_path / "case")
    for number in range(MIDDLES):
        end = forge.run("saving", folder, file_size=max(1, largest * number // MIDDLES), deadly=True)
        # zlib takes a file that ends at the limit for an error instead of running into it.
        assert end.status == -signal.SIGXFSZ or one_line(end.err), end.err
        assert bundle_is_one_or_the_other(folder, prepared.folder) == "earlier"
    again = forge.run("saving", folder)
    assert again.status == 0, again.err
    assert bundle_is_one_or_the_other(folder, prepared.folder) == "later"


@injected(
    SECTION,
    f"an attack from the shell, onto an earlier bundle: {HOW}",
    "the earlier bundle or the new one stands there, whole; the same command does it",
    SHELL // 4,
    each=4,
)
def test_the_command_leaves_one_bundle_or_the_other(forge: Forge, prepare: Prepare, tmp_path: Path) -> None:
    prepared, folder = prepare("shell"), tmp_path / "case"
    for _ in killed(forge, "shell", folder, prepared, range(SHELL), SHELL):
        assert bundle_is_one_or_the_other(folder, prepared.folder) in ("earlier", "later")
    again = forge.run("shell", folder)
    assert again.status == 0, again.err
    assert bundle_is_one_or_the_other(folder, prepared.folder) == "later"


@injected(
    SECTION,
    f"attacking a list of cases, one of them done: {HOW}",
    "done cases are whole and stay as they are, the others are new; the queue goes on, and leaves nothing aside",
    QUEUE // 4,
    each=4,
)
def test_the_queue_goes_on_where_it_was(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    prepared, folder = prepare("queue"), tmp_path / "list"
    kept: dict[Path, dict[str, bytes]] = {}
    for _ in killed(forge, "queue", folder, prepared, range(point, QUEUE, QUEUE // 4), QUEUE + 1):
        assert queue_is_sound(folder, prepared.folder) in (1, 2)
        kept |= {row.bundle: bytes_of(row.bundle) for row in rows_of(folder) if row.bundle is not None}
    again = forge.run("queue", folder)
    assert again.status == 0, again.err
    assert queue_is_sound(folder, prepared.folder) == 2
    assert all(bytes_of(bundle) == files for bundle, files in kept.items())
    assert not list((folder / "work").glob("cases/*/.*"))


@injected(
    SECTION,
    f"training an attacker, its state kept at every step: {HOW}",
    "the attacker of an earlier step can be used; the same command goes on, to the same bits as without the kill",
    TRAINING // 2,
    each=2,
)
def test_a_training_comes_to_the_same_bits(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    prepared, folder = prepare("training"), tmp_path / "training"
    row = (TRAINING - 1 - point, point)  # the second finds less to do, and must not come to its end
    for _ in killed(forge, "training", folder, prepared, row, TRAINING):
        attacker = Attacker.load(folder / "attacker", torch.device("cpu"))
        assert 1 <= attacker.card.steps <= 3
        assert 1 <= len(steps_logged(folder)) <= 3
    again = forge.run("training", folder)
    assert again.status == 0, again.err
    trained = Attacker.load(folder / "attacker", torch.device("cpu"))
    same = Attacker.load(prepared.undisturbed / "attacker", torch.device("cpu"))
    assert trained.card == same.card
    weights = same.generator.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in trained.generator.state_dict().items())
    assert steps_logged(folder) == [1, 2, 3]


def test_the_undisturbed_runs_end_as_they_must(prepare: Prepare) -> None:
    """What the kills are held against."""
    for job in ("saving", "shell"):
        done = prepare(job)
        assert whole(done.folder / "bundle", read_ct(done.folder / "ct.nii.gz")) == "earlier"
        assert whole(done.undisturbed / "bundle", read_ct(done.undisturbed / "ct.nii.gz")) == "later"
    assert queue_is_sound(prepare("queue").undisturbed, prepare("queue").folder) == 2
    assert SAVING + SHELL + QUEUE + TRAINING + MIDDLES >= 100
