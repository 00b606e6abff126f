"""Small cohorts on disk, and running them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toy_networks import graded_ct, threshold_network

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import CohortRequest, CohortSummary, ListedCase, WorkFolder, attack_all, read_cases
from napari_advseg.samples import write_sample
from napari_advseg.volume import read_ct, read_labels, volume_from_array, write_image

QUICK = AttackRequest(drop=0.2, attacker="phantom2d", generated="strength")
Row = tuple[str, str, str, float | None, float | None, bool | None]


def toy_cohort(folder: Path, names: tuple[str, ...] = ("a", "b", "c")) -> Path:
    """A folder per case, each with a CT and labels for the threshold network."""
    for number, name in enumerate(names):
        ct, labels = graded_ct()
        ct.hu[0, 0, 0] -= number  # another patient
        (folder / name).mkdir(parents=True)
        write_image(folder / name / "ct.nii.gz", ct.hu.astype(np.int16), ct.grid)
        write_image(folder / name / "labels.nii.gz", labels.astype(np.uint8), ct.grid)
    return folder


def phantom_cohort(folder: Path, count: int = 3) -> Path:
    """Phantoms of a few slices, so that an attack takes little."""
    middle = (slice(8, 12), slice(None), slice(None))
    for seed in range(count):
        case = write_sample("phantom", folder / f"p{seed}", seed)
        ct = read_ct(case / "ct.nii.gz")
        labels = read_labels(case / "labels.nii.gz", ct.grid)
        cut = volume_from_array(ct.hu[middle], spacing=ct.grid.spacing)
        write_image(case / "ct.nii.gz", cut.hu.astype(np.int16), cut.grid)
        write_image(case / "labels.nii.gz", labels[middle].astype(np.uint8), cut.grid)
    return folder


def toy_request(cases: tuple[ListedCase, ...], *attacks: AttackRequest) -> CohortRequest:
    return CohortRequest(cases=cases, network=threshold_network(), attacks=attacks or (AttackRequest(drop=0.2),))


def run_queue(request: CohortRequest, work: WorkFolder, cancel: CancelToken | None = None) -> CohortSummary:
    return finish(attack_all(request, work, cancel or CancelToken()))


def run_phantoms(source: Path, folder: Path, on_progress: object = None) -> CohortSummary:
    """The queue with the shipped attacker on the shipped network."""
    request = CohortRequest(cases=read_cases(source), network="phantom2d", attacks=(QUICK,), device="cpu")
    steps = attack_all(request, WorkFolder(folder, source), CancelToken())
    return finish(steps, on_progress)


def table(summary: CohortSummary) -> list[Row]:
    """What is shown of each row."""
    return [
        (
            row.case.name,
            row.state,
            row.reason,
            row.clean_dice,
            None if row.outcome is None else row.outcome.achieved_drop,
            None if row.outcome is None else row.outcome.reached,
        )
        for row in summary.rows
    ]


def say(step: Progress) -> None:
    print(step.text, flush=True)
