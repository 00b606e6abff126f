"""Recomputing a bundle's claims from its files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray

from ..attacks import Repeats, organ_dice
from ..networks import SegmentationNetwork
from ..synthesis import jacobian_range
from ..volume import Region, Volume, hidden_nan, read_ct
from ..volume.reading import grid_of, image_on
from .bundle_reading import RECORD, read_record, read_stored
from .record_schema import Claims, check_claims

_IMAGES = (
    "perturbed",
    "displacement",
    "appearance",
    "clean_segmentation",
    "attacked_segmentation",
    "reference",
    "moved_reference",
)
_OUTSIDE = -32768.0
_INTERPOLATORS = {"bspline": sitk.sitkBSpline, "linear": sitk.sitkLinear}


@dataclass(frozen=True)
class Check:
    """One claim: its name, whether it holds, and the figure found."""

    name: str
    ok: bool
    figure: str


def verify_bundle(
    bundle: str | Path, ct: Volume | None = None, network: SegmentationNetwork | None = None
) -> list[Check]:
    """Hold a bundle against its files, and against the network anew where one is given.

    Images are resampled by SimpleITK here, not by the code that made them.

    Parameters
    ----------
    ct
        The CT that was attacked; None to read it from where the bundle says.

    Raises
    ------
    FileNotFoundError, ValueError
        The folder is no bundle, or the CT is not where the bundle says.
    """
    bundle = Path(bundle)
    record = _record(bundle)
    images = {name: _image(bundle, name) for name in _IMAGES}
    if images["displacement"].GetNumberOfComponentsPerPixel() != 3:
        raise ValueError(f"{bundle / 'displacement.nii.gz'} must hold three components per voxel (mm, LPS)")
    if ct is None:
        if record["ct"]["path"] is None:
            raise ValueError("the bundle's CT was made in memory: name its file with --ct")
        ct = read_ct(record["ct"]["path"])
    checks = [_check_source(ct, record), _check_grids(ct, images)]
    if not checks[-1].ok:
        return checks
    arrays = {name: sitk.GetArrayFromImage(image) for name, image in images.items()}
    moved = _resample(images["reference"], images["displacement"], sitk.sitkNearestNeighbor, 0.0)
    checks += [
        _check_rounding(images["perturbed"]),
        _check_synthesis(ct, images, arrays, record),
        _check_moved(arrays, moved),
        _check_drop(arrays, moved, record),
        _check_organs(arrays, moved, record),
        *_check_budget(ct, arrays, record),
        _check_control(record),
    ]
    if network is not None:
        checks.append(_check_network(ct, arrays, record, network))
    return checks


def _record(bundle: Path) -> dict[str, Any]:
    record = read_record(bundle)
    try:
        _ = record["ct"]["path"], record["ct"]["sha256"]
    except KeyError as fault:
        raise ValueError(f"{bundle / RECORD} is not what an attack writes: its ct has no {fault}") from fault
    check_claims(record, bundle / RECORD, Claims)
    return record


def _image(bundle: Path, name: str) -> sitk.Image:
    image, path = read_stored(bundle, name), bundle / f"{name}.nii.gz"
    if bad := hidden_nan(path, image):
        raise ValueError(f"{path} holds {bad} NaN or infinite numbers: attack anew")
    return image


def _check_source(ct: Volume, record: dict[str, Any]) -> Check:
    same = ct.source is not None and ct.source.sha256 == record["ct"]["sha256"]
    known = record["ct"]["sha256"] is not None
    return Check(
        "the CT is the one that was attacked",
        same or not known,
        "same SHA-256" if same else "another SHA-256" if known else "made in memory",
    )


def _check_grids(ct: Volume, images: dict[str, sitk.Image]) -> Check:
    off = [name for name, image in images.items() if not grid_of(image).matches(ct.grid)]
    return Check("every image lies on the CT's grid", not off, ", ".join(off) or f"all {len(images)}")


def _resample(image: sitk.Image, field: sitk.Image, interpolator: int, outside: float) -> NDArray[Any]:
    transform = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    two = [int(size == 2) for size in image.GetSize()]
    if interpolator != sitk.sitkBSpline or not any(two):
        return np.asarray(sitk.GetArrayFromImage(sitk.Resample(image, image, transform, interpolator, outside)))
    # Along an axis of two voxels ITK's B-spline reads beyond the image. Mirrored, two voxels repeat: so does the padding.
    moved = sitk.Resample(sitk.WrapPad(image, two, two), image, transform, interpolator, outside)
    within = sitk.Resample(image * 0 + 1, image, transform, sitk.sitkNearestNeighbor, 0.0)
    return np.where(sitk.GetArrayFromImage(within) == 1, sitk.GetArrayFromImage(moved), outside)


def _check_rounding(perturbed: sitk.Image) -> Check:
    return Check(
        "the perturbed CT is whole HU",
        perturbed.GetPixelID() == sitk.sitkInt16,
        perturbed.GetPixelIDTypeAsString(),
    )


def _check_synthesis(
    ct: Volume, images: dict[str, sitk.Image], arrays: dict[str, NDArray[Any]], record: dict[str, Any]
) -> Check:
    interpolator = _INTERPOLATORS[record["interpolation"]]
    pulled = _resample(image_on(ct.hu, ct.grid), images["displacement"], interpolator, _OUTSIDE)
    expected = np.clip(pulled + arrays["appearance"], -32768, 32767)
    error = np.abs(expected - arrays["perturbed"])[pulled > _OUTSIDE]
    near = float(np.mean(error <= 2.0))
    return Check(
        "field and appearance make the perturbed CT",
        near >= 0.995,
        f"{100 * near:.2f} % within 2 HU, mean {error.mean():.3f} HU",
    )


def _check_moved(arrays: dict[str, NDArray[Any]], moved: NDArray[Any]) -> Check:
    same = moved == arrays["moved_reference"]
    labelled = same[(moved > 0) | (arrays["moved_reference"] > 0)]  # a large CT around small organs hides nothing
    near = float(labelled.mean()) if labelled.size else 1.0
    return Check(
        "the reference moved with the anatomy",
        bool(np.mean(same) > 0.9999) and near >= 0.998,
        f"{100 * np.mean(same):.3f} % of voxels agree, {100 * near:.3f} % of the labelled ones",
    )


def _check_drop(arrays: dict[str, NDArray[Any]], moved: NDArray[Any], record: dict[str, Any]) -> Check:
    ids = [int(organ["id"]) for organ in record["organs"]]
    clean = organ_dice(*_labels(arrays["clean_segmentation"], arrays["reference"]), ids)
    attacked = organ_dice(*_labels(arrays["attacked_segmentation"], moved), ids)
    drop = float(np.mean(clean - attacked))
    hit = abs(drop - record["target_drop"]) <= record["tolerance"] + 1e-9
    if record.get("repeats"):
        repeats = Repeats(tuple(record["repeats"]["drops"]))
        hit = hit and repeats.steady(record["target_drop"], record["tolerance"])
    ok = abs(drop - record["achieved_drop"]) <= 2e-3 and hit == record["reached"]
    return Check(
        "the drop is as reported",
        ok,
        f"{drop:.4f} recomputed, {record['achieved_drop']:.4f} reported, "
        f"target {record['target_drop']:g}, reached={record['reached']}",
    )


def _check_organs(arrays: dict[str, NDArray[Any]], moved: NDArray[Any], record: dict[str, Any]) -> Check:
    """The mean may hold where the single organs do not: ids that were exchanged, or that the reference lacks."""
    organs = record["organs"]
    ids = [int(organ["id"]) for organ in organs]
    clean = organ_dice(*_labels(arrays["clean_segmentation"], arrays["reference"]), ids)
    attacked = organ_dice(*_labels(arrays["attacked_segmentation"], moved), ids)
    wrong = []
    for organ, index, before, after in zip(organs, ids, clean, attacked, strict=True):
        voxels, said = int((arrays["reference"] == index).sum()), (float(organ["clean"]), float(organ["attacked"]))
        near = abs(before - said[0]) <= 2e-3 and abs(after - said[1]) <= 2e-2  # a voxel of the smallest organ
        if voxels != int(organ["voxels"]) or not near:
            wrong.append(
                f"{organ['name']} (id {index}): {voxels} voxels, {before:.3f} to {after:.3f} recomputed, "
                f"{organ['voxels']} voxels, {said[0]:.3f} to {said[1]:.3f} reported"
            )
    return Check("every organ's Dice is as reported", not wrong, "; ".join(wrong) or f"all {len(organs)}")


def _check_budget(ct: Volume, arrays: dict[str, NDArray[Any]], record: dict[str, Any]) -> list[Check]:
    mm, added, budget = arrays["displacement"], arrays["appearance"], record["budget"]
    longest, strongest = float(np.linalg.norm(mm, axis=-1).max()), float(np.abs(added).max())
    voxels = np.einsum("aw,zyxw->azyx", np.linalg.inv(ct.grid.array_to_lps), mm.astype(np.float64))
    low, high = jacobian_range(torch.from_numpy(voxels)[None])
    return [
        Check(
            "the displacement is within budget",
            longest <= budget["max_displacement_mm"] + 1e-2,
            f"{longest:.2f} mm of {budget['max_displacement_mm']:g}",
        ),
        Check(
            "the intensity change is within budget",
            strongest <= budget["max_hu"] + 1e-2,
            f"{strongest:.2f} HU of {budget['max_hu']:g}",
        ),
        Check(
            "nothing folds, and the Jacobians are within budget",
            low >= budget["jacobian"][0] - 1e-2 and high <= budget["jacobian"][1] + 1e-2 and low > 0,
            f"{low:.3f} to {high:.3f}",
        ),
    ]


def _check_control(record: dict[str, Any]) -> Check:
    """The random control is there, and the mean of its draws where they are listed; only the network can repeat it."""
    drop: Any = record["control"].get("drop")
    drops: Any = record["control"].get("drops", [drop])
    values = [drop, *drops] if isinstance(drops, list) and drops else []
    numbers = [float(value) for value in values if type(value) in (int, float) and math.isfinite(value)]
    ok = bool(values) and len(numbers) == len(values) and abs(float(np.mean(numbers[1:])) - numbers[0]) <= 1e-6
    return Check(
        "the random control was measured",
        ok,
        f"{drop:.4f}, mean of {len(drops)}" if ok else f"reported as {drop} with the draws {drops}: attack anew",
    )


def _check_network(
    ct: Volume, arrays: dict[str, NDArray[Any]], record: dict[str, Any], network: SegmentationNetwork
) -> Check:
    placed = network.on(ct.grid, Region.parse(record["region"], ct.grid))
    shown = np.ascontiguousarray(arrays["perturbed"][placed.view.slices], dtype=np.float32)
    labels = placed.embed(placed.labels(torch.from_numpy(shown).to(network.device)))
    same = float(np.mean(labels == arrays["attacked_segmentation"]))
    return Check(
        "the network, run on the saved CT, segments it as saved",
        same >= 0.9999,
        f"{100 * same:.4f} % of voxels agree",
    )


def _labels(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    return a.astype(np.uint16), b.astype(np.uint16)
