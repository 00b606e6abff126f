"""What is killed and starved: the package's own long work, on cases small enough to be done a hundred times."""

from __future__ import annotations

import importlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import torch
from toy_attackers import toy_card, toy_network
from toy_networks import graded_ct, threshold_network

import napari_advseg.evidence.bundle
from napari_advseg import cli
from napari_advseg.attacks import CancelToken, Organ, SearchSettings, Target, score_organs, set_strength
from napari_advseg.case import CaseRequest, Finding, complete_finding, finish, open_case, save_finding
from napari_advseg.case.run import make_target
from napari_advseg.cohort import CohortRequest, WorkFolder, attack_all, read_cases
from napari_advseg.generator import Crew, TrainingSettings, train
from napari_advseg.logs import stop_log
from napari_advseg.samples import load_sample
from napari_advseg.synthesis import Synthesis
from napari_advseg.volume import Region, volume_from_array, write_image

from .full_disk import NOT_SUPPORTED, moved_to_a_full_disk, said_of
from .tiny import DROPS, NOTE, QUICK, small_figure, write_case

CT = Path("ct.nii.gz")  # in the working folder


@cache
def found(ct: Path, drop: float) -> Finding:
    """A finding without a way back through the network: after one, a process cannot be copied."""
    request = CaseRequest(ct=ct, network=threshold_network(), reference=ct.with_name("labels.nii.gz"))
    case = finish(open_case(request, CancelToken()))
    wanted = QUICK.model_copy(update={"drop": drop})
    target = make_target(case, wanted)
    settings = SearchSettings(drop, 0.2)
    result = finish(
        set_strength(
            target, settings, lambda _: -torch.ones_like(target.synthesis.zeros()), case.clean_labels, _never()
        )
    )
    return finish(complete_finding(Finding(case, result, None), _never()))


def _never() -> CancelToken:
    return CancelToken()


def prepare_saving(folder: Path) -> int:
    os.chdir(write_case(folder))
    save_finding(found(CT, DROPS["earlier"]), folder / "bundle")
    return 0


def saving(folder: Path, out: str = "bundle") -> int:
    """A bundle is written where an earlier one stands."""
    save_finding(found(CT, DROPS["later"]), folder / out)
    return 0


def full_disk(folder: Path, room_kb: int) -> int:
    """The same on a file system that has no room for a second bundle."""
    finding = found(CT, DROPS["later"])
    bundle = moved_to_a_full_disk(folder / "bundle", folder / "disk", room_kb)
    if bundle is None:
        return NOT_SUPPORTED
    try:
        save_finding(finding, bundle)
    finally:
        print(said_of(bundle, folder / "bundle"))
    return 0


def prepare_shell(folder: Path) -> int:
    case = load_sample("phantom")
    middle = (slice(9, 11), slice(None), slice(None))
    grid = volume_from_array(case.ct.hu[middle], spacing=case.ct.grid.spacing).grid
    write_image(folder / "ct.nii.gz", case.ct.hu[middle].astype(np.int16), grid)
    write_image(folder / "labels.nii.gz", case.labels[middle].astype(np.uint8), grid)
    return shell(folder, DROPS["earlier"])


def shell(folder: Path, drop: float = DROPS["later"], network: str = "phantom2d", ct: str = "ct.nii.gz") -> int:
    """The command of a user, whole, with the shipped network and attacker."""
    return command(
        "attack", ct, "--network", network, "--reference", "labels.nii.gz", "--drop", drop, "--attacker", "phantom2d",
        "--generated", "alone", "--tolerance", 0.3, "--out", "bundle", "--device", "cpu",
    )  # fmt: skip


def command(*arguments: object) -> int:
    sys.argv = ["napari-advseg", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)


def prepare_queue(folder: Path) -> int:
    """One case of two is done; the user has put a note beside it."""
    for number, name in enumerate("ab"):
        write_case(folder / "cases" / name, patient=number)
    status = queue(folder, cases=1)
    (folder / "cases" / "notes.txt").write_text(NOTE)
    return status


def queue(folder: Path, cases: int = 2) -> int:
    """Attack all, in a work folder."""
    listed = read_cases(folder / "cases")[:cases]
    request = CohortRequest(cases=listed, network=threshold_network(), attacks=(QUICK,))
    summary = finish(attack_all(request, WorkFolder(folder / "work", folder / "cases"), CancelToken()))
    for row in summary.rows:
        print(row.case.name, row.state, row.reason)
    return 0 if all(row.finished for row in summary.rows) else 3


def second_queue(folder: Path) -> int:
    """A copy of this process tries the queue while this one holds the work folder."""
    with WorkFolder(folder / "work", folder / "cases").working():
        child = os.fork()
        if child == 0:
            try:
                queue(folder)
            except ValueError as fault:
                print(f"{type(fault).__name__}: {fault}", flush=True)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def two_savings(folder: Path) -> int:
    """This process and a copy of it save to the same place."""
    findings = [found(CT, drop) for drop in DROPS.values()]
    child = os.fork()
    mine, status = findings[child == 0], 0
    try:
        for _ in range(15):
            save_finding(mine, folder / "bundle")
    except BaseException as fault:
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr, flush=True)
        status = 1
    if child == 0:
        os._exit(status)
    return max(status, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def prepare_training(folder: Path) -> int:
    return training(folder, steps=1, of=3)


@cache
def _training_target() -> Target:
    ct, reference = graded_ct((8, 16, 16))
    network, card = toy_network(), toy_card()
    placed = network.on(ct.grid)
    organs: tuple[Organ, ...] = score_organs(network.card.labels, reference, reference)
    kind = card.kind(None)
    return Target(placed, Synthesis(ct, Region.whole(ct.grid), card.budget, kind, network.device), reference, organs)


def training(folder: Path, steps: int = 3, of: int = 3) -> int:
    """A learned attacker is trained, its state kept at every step; ends after ``steps``."""
    cancel = CancelToken()
    settings = TrainingSettings(steps=of, save_every=1)
    run = train([_training_target()], toy_card(), settings, folder / "attacker", cancel)

    def look(step: object) -> None:
        text = str(getattr(step, "text", ""))
        if steps < of and text.startswith(f"Step {steps} "):
            cancel.cancel()

    attacker = finish(run, look)
    print("steps", attacker.card.steps)
    return 0 if attacker.card.steps == steps else 3


def warm_up() -> None:
    """Load what the jobs load, before this process is copied; nothing here goes back through a network."""
    napari_advseg.evidence.bundle.draw_figure = small_figure
    importlib.import_module("torch._dynamo")  # by the optimisers
    importlib.import_module("torch.utils.tensorboard")
    Crew.alone(torch.device("cpu"))
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name, redirect_stdout(sys.stderr), redirect_stderr(io.StringIO()):
        os.environ["NAPARI_ADVSEG_LOGS"] = name
        try:
            os.chdir(name)
            prepare_shell(Path(name))
            prepare_saving(Path(name) / "saving")
            found(CT, DROPS["later"])
        finally:
            os.chdir(before)
            stop_log()


JOBS: dict[str, Callable[..., int]] = {
    "prepare_saving": prepare_saving, "saving": saving, "full_disk": full_disk,
    "prepare_shell": prepare_shell, "shell": shell,
    "prepare_queue": prepare_queue, "queue": queue, "second_queue": second_queue, "two_savings": two_savings,
    "prepare_training": prepare_training, "training": training,
}  # fmt: skip
