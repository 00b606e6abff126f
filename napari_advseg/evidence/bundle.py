"""The bundle on disk: everything another program needs to confirm an attack."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..attacks import AttackResult
from ..networks import SegmentationNetwork
from ..volume import folder_aside, write_displacement, write_image
from .exchange import exchanged
from .figure import draw_figure
from .measures import Evidence
from .stored_path import StoredPath

SCHEMA_VERSION = 1
_MARK = "result.json"


def result_record(result: AttackResult, evidence: Evidence, network: SegmentationNetwork) -> dict[str, Any]:
    """The content of result.json: plain data, without any patient identity."""
    budget = result.synthesis.budget
    source = result.ct.source
    return {
        "schema_version": SCHEMA_VERSION,
        "ct": {
            "path": None if source is None else str(source.path),
            "sha256": None if source is None else source.sha256,
        },
        "network": {
            "name": network.card.name,
            "source": network.source,
            "sha256": network.card.sha256,
            "format": network.format,
            "mirror_axes": list(network.card.mirror_axes),
            "fell_back": list(network.execution.notes),
        },
        "target_drop": result.target_drop,
        "tolerance": result.tolerance,
        "achieved_drop": result.achieved_drop,
        "reached": result.reached,
        "stopped": result.stopped,
        "dice": {"clean": result.clean_dice, "attacked": result.attacked_dice},
        "organs": [
            {"id": o.id, "name": o.name, "clean": o.clean, "attacked": o.attacked, "voxels": o.voxels}
            for o in result.organs
        ],
        "repeats": None
        if result.repeats is None
        else {
            "drops": list(result.repeats.drops),
            "mean": result.repeats.mean,
            "standard_error": result.repeats.standard_error,
        },
        "control": {"drop": evidence.control_drop, "drops": list(evidence.control_drops)},
        "budget": {
            "max_displacement_mm": budget.max_displacement_mm,
            "max_hu": budget.max_hu,
            "jacobian": list(budget.jacobian),
        },
        "change": {
            name: getattr(evidence, name)
            for name in (
                "max_displacement_mm",
                "mean_displacement_mm",
                "max_hu",
                "rms_hu",
                "min_jacobian",
                "max_jacobian",
                "noise_ratio",
                "ssim",
            )
        },
        "cost": {
            "forward": result.cost.forward,
            "backward": result.cost.backward,
            "seconds": result.cost.seconds,
            "peak_memory_mb": result.cost.peak_memory_mb,
        },
        "strength": result.strength,
        "strength_path": [[point.strength, point.drop] for point in result.path],
        "region": str(result.synthesis.region),
        "attacker": result.attacker,
        "generated": result.generated,
        "generator_sha256": result.generator_sha256,
        "attacker_note": result.note,
        "interpolation": result.synthesis.kind.interpolation,
        "seed": result.seed,
        "device": result.device or str(network.device),
        "half_precision": result.half,
        "thorough": result.thorough,
        "versions": _versions(),
    }


def save_bundle(
    result: AttackResult,
    evidence: Evidence,
    network: SegmentationNetwork,
    folder: str | Path,
) -> Path:
    """Write a bundle.

    It is written to a folder aside and renamed when whole. A bundle that stands there already is replaced only then;
    a folder that holds something else is refused.

    Returns
    -------
    The folder.

    Raises
    ------
    FileExistsError
        ``folder`` exists and is neither empty nor a bundle.
    OSError
        It cannot be written.
    """
    folder = Path(folder)
    check_replaceable(folder)
    with folder_aside(folder) as aside:
        _write_images(result, aside)
        StoredPath.of(result).write(aside)
        draw_figure(result, evidence, aside / "figure.png")
        record = result_record(result, evidence, network)
        (aside / _MARK).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        _put_in_place(aside, folder)
    return folder


def check_replaceable(folder: Path) -> None:
    """Raise FileExistsError where ``folder`` holds something other than a bundle."""
    if folder.exists() and not (folder.is_dir() and ((folder / _MARK).exists() or not any(folder.iterdir()))):
        raise FileExistsError(f"{folder} exists and is no attack bundle: choose another folder, or empty it")


def _write_images(result: AttackResult, folder: Path) -> None:
    grid = result.ct.grid
    small = max(int(result.reference.max()), int(result.clean_labels.max()), int(result.attacked_labels.max())) < 256
    write_image(folder / "perturbed.nii.gz", result.whole_perturbed, grid)
    write_displacement(folder / "displacement.nii.gz", result.whole_displacement, grid)
    write_image(folder / "appearance.nii.gz", result.whole_appearance, grid)
    for name, labels in (
        ("clean_segmentation", result.clean_labels),
        ("attacked_segmentation", result.attacked_labels),
        ("reference", result.reference),
        ("moved_reference", result.moved_reference),
    ):
        write_image(folder / f"{name}.nii.gz", labels.astype(np.uint8 if small else np.uint16), grid)


def _put_in_place(aside: Path, folder: Path) -> None:
    if not folder.exists():
        aside.rename(folder)
        return
    if exchanged(aside, folder):  # a process that is killed leaves the old bundle in its place, or the new one
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "bundle")
    try:
        aside.rename(folder)
    except OSError:
        (old / "bundle").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("napari-advseg", "torch", "numpy", "SimpleITK", "monai"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
