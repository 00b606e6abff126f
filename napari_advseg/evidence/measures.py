"""How large a change is and how well it hides, measured on the volume as saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..attacks import AttackResult
from ..synthesis import jacobian_range
from ..volume import SOFT_TISSUE

_FLAT = (0.0, 160.0)  # HU: parenchyma and muscle, where texture is noise


@dataclass(frozen=True)
class Evidence:
    """What an attack shows.

    Parameters
    ----------
    control_drop
        Mean Dice drop of the random controls; ``control_drops`` has each.
    control_organ_drops
        The same for each of the result's organs, in their order; empty where only the mean is known.
    noise_ratio
        Noise power in soft tissue, perturbed over clean; below 1 the change has blurred.
    ssim
        Structural similarity in the soft-tissue window, mean over the axial slices of the region.
    """

    control_drop: float
    control_drops: tuple[float, ...]
    noise_ratio: float
    ssim: float
    max_displacement_mm: float
    mean_displacement_mm: float
    max_hu: float
    rms_hu: float
    min_jacobian: float
    max_jacobian: float
    control_organ_drops: tuple[float, ...] = ()


def measure_evidence(
    result: AttackResult, control_drops: Sequence[float], control_organ_drops: Sequence[NDArray[np.float64]] = ()
) -> Evidence:
    """All measures of a result.

    Parameters
    ----------
    control_drops
        Mean drop of each random control, from :func:`measure_control`.
    control_organ_drops
        For each random control the drops of the organs, (organ,); none where they are not known.
    """
    clean = result.ct.hu[result.region.slices]
    perturbed = result.perturbed.astype(np.float32)
    length = result.displacement_mm
    low, high = jacobian_range(torch.from_numpy(result.displacement)[None])
    return Evidence(
        control_drop=float(np.mean(control_drops)),
        control_drops=tuple(control_drops),
        noise_ratio=noise_ratio(clean, perturbed),
        ssim=ssim(clean, perturbed),
        max_displacement_mm=float(length.max()),
        mean_displacement_mm=float(length.mean()),
        max_hu=float(np.abs(result.appearance).max()),
        rms_hu=float(np.sqrt(np.square(result.appearance).mean())),
        min_jacobian=low,
        max_jacobian=high,
        control_organ_drops=tuple(float(lost) for lost in np.mean(control_organ_drops, 0))
        if control_organ_drops
        else (),
    )


def newly_wrong(result: AttackResult) -> NDArray[np.bool_]:
    """Voxels of the scored organs, (z, y, x) of the whole CT, that the attack alone made wrong."""
    organs = [organ.id for organ in result.organs]
    wrong = (result.attacked_labels != result.moved_reference) & (result.attacked_labels != result.clean_labels)
    wrong &= np.isin(result.attacked_labels, organs) | np.isin(result.moved_reference, organs)
    return np.asarray(wrong, dtype=bool)


def noise_ratio(clean: NDArray[np.float32], perturbed: NDArray[np.float32]) -> float:
    """Noise power of ``perturbed`` over that of ``clean``, both (z, y, x) in HU.

    Noise is what an in-plane difference operator that cancels constants and slopes leaves (Immerkaer, 1996), in
    voxels whose neighbourhood is soft tissue in both; 1 where there is no such voxel.
    """
    kernel = np.outer([1, -2, 1], [1, -2, 1])[None].astype(np.float32)
    flat = np.ones(clean.shape, bool)
    for hu in (clean, perturbed):
        smooth = ndimage.uniform_filter(hu, (1, 5, 5))
        steep = ndimage.gaussian_gradient_magnitude(smooth, 1.0)
        flat &= (smooth > _FLAT[0]) & (smooth < _FLAT[1]) & (steep < 15)
    if not flat.any():
        return 1.0
    before, after = (float(np.square(ndimage.convolve(hu, kernel)[flat]).mean()) for hu in (clean, perturbed))
    return after / before if before > 0 else 1.0


def ssim(clean: NDArray[np.float32], perturbed: NDArray[np.float32]) -> float:
    """Structural similarity (Wang et al., 2004) of axial slices in the soft-tissue window, Gaussian of 1.5 voxels.

    Both (z, y, x) in HU; mean over all voxels of the region.
    """
    low, high = SOFT_TISSUE
    a, b = (np.clip((hu.astype(np.float64) - low) / (high - low), 0, 1) for hu in (clean, perturbed))

    def blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ndimage.gaussian_filter(image, (0, 1.5, 1.5), truncate=3.5))

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    shared = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    map_ = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return float(map_.mean())
