"""The pipeline broken on purpose: ``verify`` and the independent program must each notice, whatever else holds."""

from __future__ import annotations

import json
import math
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor, nn

import napari_advseg.attacks.result as results
import napari_advseg.attacks.target as targets
import napari_advseg.evidence.bundle as bundles
import napari_advseg.synthesis.synthesis as synthesising
from napari_advseg.attacks import AttackResult
from napari_advseg.attacks.ascent import Climb
from napari_advseg.case import Finding, save_finding
from napari_advseg.case.python import attack
from napari_advseg.evidence import Check, Evidence, measure_evidence, verify_bundle
from napari_advseg.networks import ModelCard, SegmentationNetwork, network_from_module
from napari_advseg.synthesis import Kind, Synthesis
from napari_advseg.synthesis.sampling import sample_linear
from napari_advseg.volume import Grid, read_ct, volume_from_array, write_displacement, write_image

running = import_module("napari_advseg.case.run")  # the room exports a function of that name
Asked = dict[str, Any]
Spoil = Callable[[pytest.MonkeyPatch, Path], None]
Program = Callable[[Path, Path], list[str]]

MOTION: Asked = {"drop": 0.35, "appearance": False}
TINY: Asked = {"drop": 0.3, "max_displacement_mm": 0.5, "max_hu": 0.5}


class Halves(nn.Module):
    """Liver where the CT is bright in the first half of the x axis, spleen where in the second: motion costs too."""

    def forward(self, hu: Tensor) -> Tensor:
        ramp = torch.linspace(20, -20, hu.shape[-1], device=hu.device).expand_as(hu)
        bright = (hu - 50) / 20
        return torch.cat([torch.zeros_like(hu), torch.minimum(bright, ramp), torch.minimum(bright, -ramp)], 1)


def _network() -> SegmentationNetwork:
    card = ModelCard(name="halves", dimensions=3, labels={0: "background", 1: "liver", 2: "spleen"})
    return network_from_module(Halves(), card, device="cpu")


def _labels() -> np.ndarray:
    labels = np.zeros((10, 20, 24), np.uint16)
    labels[3:7, 5:15, 5:12], labels[3:7, 5:15, 12:17] = 1, 2
    return labels


def _write_ct(folder: Path) -> Path:
    labels = _labels()
    hu = np.random.default_rng(0).normal(-100, 50, labels.shape).clip(-200, 0)  # texture, which a blur would change
    hu[labels == 1], hu[labels == 2] = 56, 62
    grid = volume_from_array(hu.astype(np.float32), spacing=(4.0, 3.0, 3.0)).grid
    return write_image(folder / "ct.nii.gz", np.rint(hu).astype(np.int16), grid)


def _find(ct: Path, asked: Asked) -> Finding:
    return attack(read_ct(ct), _network(), reference=_labels(), **asked)


def _labels_stay(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(Synthesis, "move_labels", lambda self, labels, displacement: labels)


def _measure_unrounded(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(Tensor, "round", lambda self: self)


def _round_nothing(patch: pytest.MonkeyPatch, ct: Path) -> None:
    _measure_unrounded(patch, ct)
    for module in (results, targets):
        patch.setattr(module, "as_saved", lambda hu: np.array(hu, np.float32))


def _pull_linearly(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(synthesising, "spline_coefficients", lambda image, axes: image)
    patch.setattr(synthesising, "sample_spline", sample_linear)


def _swap_axes(patch: pytest.MonkeyPatch, _: Path) -> None:
    def swapped(path: Path, displacement: np.ndarray, grid: Grid) -> Path:
        return write_displacement(path, displacement[[0, 2, 1]], grid)

    patch.setattr(bundles, "write_displacement", swapped)


def _edit_organs(patch: pytest.MonkeyPatch, edit: Callable[[list[Asked]], list[Asked]]) -> None:
    record = bundles.result_record

    def edited(result: AttackResult, evidence: Evidence, network: SegmentationNetwork) -> Asked:
        content = record(result, evidence, network)
        return content | {"organs": edit(content["organs"])}

    patch.setattr(bundles, "result_record", edited)


def _count_organs(patch: pytest.MonkeyPatch, _: Path) -> None:
    _edit_organs(patch, lambda organs: [organ | {"id": number} for number, organ in enumerate(organs, 1)])


def _exchange_organs(patch: pytest.MonkeyPatch, _: Path) -> None:
    _edit_organs(patch, lambda organs: [organ | {"id": 3 - organ["id"]} for organ in organs])


def _save_stale_labels(patch: pytest.MonkeyPatch, ct: Path) -> None:
    stale, write = _find(ct, {"drop": 0.1}).result.attacked_labels, bundles._write_images
    patch.setattr(
        bundles, "_write_images", lambda result, folder: write(replace(result, attacked_labels=stale), folder)
    )


def _always_reach(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(AttackResult, "reached", property(lambda self: True))


def _skip_control(patch: pytest.MonkeyPatch, _: Path, drop: float | None = None) -> None:
    def without(result: AttackResult, drops: list[float], _organ_drops: object) -> Evidence:
        assert drops == []
        return replace(measure_evidence(result, [0.0]), control_drop=drop, control_drops=())  # type: ignore[arg-type]

    patch.setattr(running, "CONTROL_DRAWS", 0)
    patch.setattr(running, "measure_evidence", without)


def _average_no_draws(patch: pytest.MonkeyPatch, ct: Path) -> None:
    _skip_control(patch, ct, math.nan)


def _exceed_budget(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(synthesising, "limit", lambda values, bound: values)


def _fold(patch: pytest.MonkeyPatch, _: Path) -> None:
    """Velocity taken for displacement, on a lattice as fine as the voxels, no look at the Jacobians, and steps of any length:
    short ones find changes that do not fold."""
    patch.setattr(Climb, "footing", lambda self, measured, gradient: (measured, gradient))
    patch.setattr(running, "Kind", lambda **given: Kind(**given, velocity_mm=3.0))
    patch.setattr(synthesising, "integrate", lambda velocity: velocity)
    patch.setattr(Synthesis, "project", lambda self, parameters: parameters)


@dataclass(frozen=True)
class Sabotage:
    """What is broken, and the check of either verifier that fails; ``unseen`` says why the program has none."""

    name: str
    spoil: Spoil
    verify: str
    program: str = ""
    unseen: str = ""
    asked: Asked = field(default_factory=lambda: {"drop": 0.2})


SYNTHESIS = "field and appearance make the perturbed CT"
RECREATED = "field and appearance re-create the perturbed CT"
DROP, THEIR_DROP = "the drop is as reported", "the reported drop is the drop"
CONTROL, ORGANS = "the random control was measured", "every organ's Dice is as reported"

SABOTAGES = [
    Sabotage(
        "labels-not-moved", _labels_stay,
        "the reference moved with the anatomy", "the reference was moved with the anatomy", asked=MOTION,
    ),
    Sabotage(
        "drop-measured-before-rounding", _measure_unrounded, "the network, run on the saved CT, segments it as saved",
        unseen="the labels agree with the drop, and it does not run the network on the saved CT",
    ),
    Sabotage("never-rounded", _round_nothing, "the perturbed CT is whole HU", "perturbed CT is whole HU"),
    Sabotage("linear-passed-off-as-cubic", _pull_linearly, SYNTHESIS, RECREATED, asked=MOTION),
    Sabotage("axes-swapped-in-the-displacement", _swap_axes, SYNTHESIS, RECREATED, asked=MOTION),
    Sabotage("organ-ids-counted", _count_organs, DROP, THEIR_DROP, asked={"drop": 0.2, "organs": ["spleen"]}),
    Sabotage(
        "organ-ids-exchanged", _exchange_organs, ORGANS,
        unseen="the mean over the organs is the same, and it does not compare single organs",
    ),
    Sabotage("stale-segmentation", _save_stale_labels, DROP, THEIR_DROP),
    Sabotage("tolerance-ignored", _always_reach, DROP, "'reached' says what is so", asked=TINY),
    Sabotage("control-skipped", _skip_control, CONTROL, "the random control is reported"),
    Sabotage(
        "control-of-no-draws", _average_no_draws, CONTROL,
        unseen="the mean of no draws is NaN, which it takes for a number",
    ),
    Sabotage(
        "intensity-over-budget", _exceed_budget,
        "the intensity change is within budget", "intensity change is within budget", asked=TINY,
    ),
    Sabotage(
        "displacement-over-budget", _exceed_budget,
        "the displacement is within budget", "displacement is within budget", asked=TINY,
    ),
    Sabotage(
        "folding", _fold, "nothing folds, and the Jacobians are within budget", "nothing folds",
        asked={"drop": 0.7, "appearance": False, "max_displacement_mm": 20.0},
    ),
]  # fmt: skip
every = pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)


class Bench:
    """Bundles of the small case, each made once: as asked, or with a sabotage at work while it is made and saved."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ct = folder, _write_ct(folder)

    def bundle(self, asked: Asked, sabotage: Sabotage | None = None) -> Path:
        name = "untouched" if sabotage is None else sabotage.spoil.__name__
        folder = self.folder / "".join(
            letter for letter in name + json.dumps(asked) if letter.isalnum() or letter in "._"
        )
        if folder.exists():
            return folder
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bundles, "draw_figure", lambda *_: None)  # seconds each, and no claim
            if sabotage is not None:
                sabotage.spoil(patch, self.ct)
            return save_finding(_find(self.ct, asked), folder)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("sabotage"))


@pytest.fixture
def program(real_data: Path) -> Program:
    reader = real_data.parent / "verify_bundle.py"
    if not reader.is_file():
        pytest.skip(f"the independent program is not at {reader}")
    verify = runpy.run_path(str(reader))["verify"]  # in this process: SimpleITK takes longer to load than to check

    def failed(folder: Path, ct: Path) -> list[str]:
        report = verify(folder, ct)
        names = [name for name, entry in report["checks"].items() if not entry["ok"]]
        assert report["ok"] is not bool(names)
        return names

    return failed


def _failed(folder: Path) -> list[Check]:
    return [check for check in verify_bundle(folder, network=_network()) if not check.ok]


@every
def test_verify_catches(bench: Bench, sabotage: Sabotage) -> None:
    assert _failed(bench.bundle(sabotage.asked)) == []  # the same request, untouched
    failed = _failed(bench.bundle(sabotage.asked, sabotage))
    assert sabotage.verify in [check.name for check in failed]
    assert all("\n" not in check.figure for check in failed)


@every
def test_the_independent_program_catches(bench: Bench, program: Program, sabotage: Sabotage) -> None:
    assert program(bench.bundle(sabotage.asked), bench.ct) == []  # the same request, untouched
    failed = program(bench.bundle(sabotage.asked, sabotage), bench.ct)
    if sabotage.unseen:
        assert _failed(bench.bundle(sabotage.asked, sabotage)) != []
        assert failed == [], f"it does see it, so say so in the table: {sabotage.unseen}"
    else:
        assert sabotage.program in failed


def test_labels_that_stay_are_noticed_in_a_large_ct(bench: Bench, tmp_path: Path) -> None:
    """Few voxels of the whole volume are wrong, but many of those that are labelled."""
    untouched, spoilt = bench.bundle(MOTION), bench.bundle(MOTION, SABOTAGES[0])
    ct = tmp_path / "ct.nii.gz"
    _pad(bench.ct, ct)
    for folder, holds in ((untouched, True), (spoilt, False)):
        large = shutil.copytree(folder, tmp_path / folder.name)
        for file in folder.glob("*.nii.gz"):
            _pad(file, large / file.name)
        checks = {check.name: check.ok for check in verify_bundle(large, read_ct(ct))}
        assert checks[SABOTAGES[0].verify] is holds
    arrays = [sitk.GetArrayFromImage(sitk.ReadImage(file)) for file in tmp_path.glob("*/moved_reference.nii.gz")]
    assert 0 < np.mean(arrays[0] != arrays[1]) < 1e-4


def _pad(file: Path, padded: Path) -> None:
    """Zeros around an image, of one component or three."""
    image = sitk.ReadImage(file)
    margin = (20, 20, 20)
    parts = [sitk.ConstantPad(part, margin, margin, 0) for part in _components(image)]
    sitk.WriteImage(parts[0] if len(parts) == 1 else sitk.Compose(parts), padded)


def _components(image: sitk.Image) -> list[sitk.Image]:
    count = image.GetNumberOfComponentsPerPixel()
    return [image] if count == 1 else [sitk.VectorIndexSelectionCast(image, index) for index in range(count)]
