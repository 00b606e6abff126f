"""One real finding for all: the phantom, its network and the shipped attacker, on a CT that was read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, Finding, finish, run, save_finding
from napari_advseg.samples import write_sample

PATIENT = "Muster_Erika_19700101"


@dataclass(frozen=True)
class Phantom:
    """The case on disk under a patient's name, what was found on it, and its bundle."""

    ct: Path
    finding: Finding
    bundle: Path


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    folder = write_sample("phantom", tmp_path_factory.mktemp("p") / PATIENT, 0)
    ct = (folder / "ct.nii.gz").rename(folder / f"{PATIENT}.nii.gz")
    request = CaseRequest(
        ct=ct, network="phantom2d", reference=folder / "labels.nii.gz", label_names=folder / "labels.json"
    )
    wanted = AttackRequest(drop=0.3, attacker="phantom2d", generated="strength")
    finding = finish(run(request, wanted, CancelToken()))
    return Phantom(ct, finding, save_finding(finding, folder / "bundle"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, with all that it holds."""
    kept: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *given: object, **options: object) -> None:
        kept.append(figure)
        save(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept
