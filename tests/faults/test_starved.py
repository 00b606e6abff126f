"""No room on the disk, no permission, no memory: one line, what stood there stands, and with room again it works."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from faults.forge import End, Forge
from faults.prepared import Prepare
from faults.registry import injected
from faults.remains import bundle_is_one_or_the_other, copied, one_line, queue_is_sound, steps_logged

from napari_advseg.generator import Attacker

DISK, MEMORY = "No room", "No memory"
REFUSED = [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT]
NOT_SUPPORTED = 77
OR_DONE = (
    "one line, and the earlier bundle stands there, whole; where no more than the earlier one was left to be removed, the "
    "new one stands there, whole"
)


def limits(prepare: Prepare, job: str) -> tuple[Path, int, int]:
    """A job's prepared folder, how often it then writes, and its largest file."""
    made = prepare(job)
    return made.folder, made.end.written, max(p.stat().st_size for p in made.undisturbed.rglob("*") if p.is_file())


def share(point: int, points: int, of: int) -> int:
    return 1 + point * (of - 1) // max(1, points - 1)


def refused_or_done(end: End, folder: Path, before: Path) -> bool:
    which = bundle_is_one_or_the_other(folder, before)
    return which == "later" if end.status == 0 else end.status == 1 and one_line(end.err) and which == "earlier"


@injected(
    DISK,
    "saving a bundle over an earlier one: from the n-th time on nothing can be written (disk full, no permission, "
    "read-only, over quota in turn)",
    f"{OR_DONE}; later, saving does it",
    12,
)
def test_a_bundle_that_cannot_be_written(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before, written, _ = limits(prepare, "saving")
    folder = copied(before, tmp_path / "case")
    end = forge.run("saving", folder, fail_from=share(point, 12, written), number=REFUSED[point % 4])
    assert point > 6 or end.status == 1
    assert refused_or_done(end, folder, before)
    assert forge.run("saving", folder).status == 0
    assert bundle_is_one_or_the_other(folder, before) == "later"


@injected(
    DISK,
    "saving a bundle over an earlier one: every file is cut off after n bytes, also those that ITK writes",
    "one line; the earlier bundle stands there, whole, and nothing beside it",
    8,
)
def test_files_that_are_cut_off(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before, _, largest = limits(prepare, "saving")
    folder = copied(before, tmp_path / "case")
    end = forge.run("saving", folder, file_size=max(200, largest * point // 9))
    assert end.status == 1
    assert one_line(end.err), end.err
    assert bundle_is_one_or_the_other(folder, before) == "earlier"
    assert not list(folder.glob(".*"))


@injected(
    DISK,
    "saving a bundle over an earlier one on a file system of its own that is full (needs root; as the one above else)",
    "one line; the earlier bundle is still there, byte for byte",
    3,
)
def test_a_disk_that_is_full(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    folder = copied(prepare("saving").folder, tmp_path / "case")
    end = forge.run("full_disk", folder, room_kb=(4, 24, 40)[point])
    if end.status == NOT_SUPPORTED:
        pytest.skip("no file system can be mounted here")
    assert end.status == 1, end.out + end.err
    assert one_line(end.err), end.err
    assert end.out == "the earlier bundle is untouched\n"


@injected(
    DISK,
    "an attack from the shell onto an earlier bundle: from the n-th time on nothing can be written; files are cut off",
    f"{OR_DONE}; the exit status is 1 where it is refused",
    4,
)
def test_the_command_says_one_line(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before, written, largest = limits(prepare, "shell")
    folder = copied(before, tmp_path / "case")
    if point < 3:
        end = forge.run("shell", folder, fail_from=share(point, 3, written), number=REFUSED[point])
    else:
        end = forge.run("shell", folder, file_size=largest // 2)
    assert point == 2 or end.status == 1
    assert refused_or_done(end, folder, before)


@injected(
    DISK,
    "attacking a list of cases, one of them done: from the n-th time on nothing can be written",
    "one line; done cases stay as they are, none is said to be done that is not; later, the queue goes on",
    5,
)
def test_a_work_folder_that_cannot_be_written(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before, written, _ = limits(prepare, "queue")
    folder = copied(before, tmp_path / "list")
    end = forge.run("queue", folder, fail_from=share(point, 5, written), number=REFUSED[point % 4])
    assert end.status in (1, 3), end.err  # 3: the last record alone could not be written
    assert "Traceback" not in end.err
    assert queue_is_sound(folder, before) in (1, 2)
    assert forge.run("queue", folder).status == 0
    assert queue_is_sound(folder, before) == 2


@injected(
    DISK,
    "training an attacker: from the n-th time on nothing can be written; files are cut off",
    "one line; the attacker of an earlier step can be used; later, the same command goes on to the end",
    5,
)
def test_a_training_that_cannot_be_written(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before, written, largest = limits(prepare, "training")
    folder = copied(before, tmp_path / "training")
    if point < 3:
        end = forge.run("training", folder, fail_from=share(point, 3, written), number=REFUSED[point % 4])
    else:
        end = forge.run("training", folder, file_size=largest * (point - 2) // 3)
    assert end.status == 1, end.err
    assert one_line(end.err), end.err
    assert Attacker.load(folder / "attacker", torch.device("cpu")).card.steps >= 1
    again = forge.run("training", folder)
    assert again.status == 0, again.err
    assert steps_logged(folder) == [1, 2, 3]


@injected(
    MEMORY,
    "an attack from the shell in a process that may map only n MB more (RLIMIT_AS)",
    "one line and exit status 1, or the attack is done; the earlier bundle or the new one stands there, whole",
    3,
)
def test_a_process_without_memory(forge: Forge, prepare: Prepare, tmp_path: Path, point: int) -> None:
    before = prepare("shell").folder
    folder = copied(before, tmp_path / "case")
    end = forge.run("shell", folder, memory_mb=(4, 24, 96)[point])
    assert refused_or_done(end, folder, before), end.err
