"""What is measured of an attacked CT, whoever attacked it: its size, how it hides, and whether its drop lasts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage

from napari_advseg.attacks import AttackResult, Cost, Measured, Target, as_saved, organ_dice
from napari_advseg.case import Case
from napari_advseg.evidence import ssim
from napari_advseg.networks import PlacedNetwork, SegmentationNetwork
from napari_advseg.volume import SOFT_TISSUE, Grid, match_labels, read_ct, write_image

HU = NDArray[np.float32]
FINE_MM = 1.0
BLUR_PX = 0.5
LEVELS = 256


@dataclass(frozen=True, eq=False)
class Found:
    """An attack's last change; arrays cover the region, as :class:`Measured` has them."""

    drop: float
    perturbed: NDArray[np.int16]
    displacement: NDArray[np.float32]
    appearance: NDArray[np.float32]
    moved_reference: NDArray[np.uint16]
    forward: int
    backward: int
    seconds: float


def found_by_search(result: AttackResult) -> Found:
    """What the search found."""
    return Found(
        result.achieved_drop,
        result.perturbed,
        result.displacement,
        result.appearance,
        result.moved_reference[result.region.slices],
        result.cost.forward,
        result.cost.backward,
        result.cost.seconds,
    )


def found_by_peer(last: Measured, cost: Cost) -> Found:
    """What a peer was stopped at."""
    return Found(
        last.drop,
        last.perturbed,
        last.displacement,
        last.appearance,
        last.moved_reference,
        cost.forward,
        cost.backward,
        cost.seconds,
    )


def size_of(found: Found, target: Target) -> dict[str, float]:
    """Largest and root mean square HU as saved and with the own deformation undone, mm, SSIM, and the bands' ratio.

    Where nothing moved, what is saved is the whole change; where it did, the added field is, before rounding: that a
    resampled value is rounded is no one's attack.
    """
    synthesis = target.synthesis
    clean = synthesis.ct.hu[synthesis.region.slices]
    saved = found.perturbed.astype(np.float32) - as_saved(clean)
    added = found.appearance if synthesis.kind.deformation else saved
    spacing = np.array(synthesis.ct.grid.spacing, np.float32).reshape(3, 1, 1, 1)
    return {
        "hu": float(np.abs(saved).max()),
        "rms": _rms(saved),
        "hu_undone": float(np.abs(added).max()),
        "rms_undone": _rms(added),
        "mm": float(np.sqrt(np.square(found.displacement * spacing).sum(0)).max()),
        "ssim": ssim(clean, found.perturbed.astype(np.float32)),
        "bands": band_ratio(found.appearance),
    }


def band_ratio(added: HU) -> float:
    """In-plane power density of added HU (z, y, x) above half the Nyquist frequency over that below it.

    1 for white noise, 0 where nothing was added; frequencies beyond Nyquist in the plane's corners are left out.
    """
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(added.shape[1]), np.fft.fftfreq(added.shape[2]), indexing="ij"))
    power = np.square(np.abs(np.fft.fft2(added))).mean(0)
    low, high = (power[(frequency > a) & (frequency <= b)].mean() for a, b in ((0, 0.25), (0.25, 0.5)))
    return float(high / low) if low > 0 else 0.0


def through_file(hu: HU, grid: Grid) -> HU:
    """Saved as NIfTI and read again."""
    with tempfile.TemporaryDirectory() as folder:
        return read_ct(write_image(Path(folder) / "ct.nii.gz", as_saved(hu), grid)).hu


def through_fine_grid(hu: HU, grid: Grid) -> HU:
    """Linearly resampled to pixels of 1 mm in the plane, and back; nothing is lost where pixels are whole mm."""
    shape = hu.shape[1:]
    fine = [max(2, round((n - 1) * mm / FINE_MM) + 1) for n, mm in zip(shape, grid.spacing[1:], strict=True)]
    there = F.interpolate(torch.from_numpy(hu)[:, None], fine, mode="bilinear", align_corners=True)
    return np.asarray(F.interpolate(there, list(shape), mode="bilinear", align_corners=True)[:, 0].numpy())


def through_blur(hu: HU, _grid: Grid) -> HU:
    """A mild Gaussian filter in the plane."""
    return np.asarray(ndimage.gaussian_filter(hu, (0, BLUR_PX, BLUR_PX)), dtype=np.float32)


def through_grey_levels(hu: HU, _grid: Grid) -> HU:
    """Rounded to the levels of the soft-tissue window; what lies outside of it stays."""
    low, high = SOFT_TISSUE
    step = (high - low) / (LEVELS - 1)
    rounded = low + step * np.rint((hu - low) / step)
    return np.asarray(np.where((hu >= low) & (hu <= high), rounded, hu), dtype=np.float32)


def untouched(hu: HU, _grid: Grid) -> HU:
    """As it is."""
    return hu


HANDLING: dict[str, Callable[[HU, Grid], HU]] = {
    "file": through_file,
    "resampled": through_fine_grid,
    "blurred": through_blur,
    "levels": through_grey_levels,
}


class Judge:
    """Drops on CTs that were handled after the attack, and on networks that were not attacked.

    A drop is taken against the clean CT on the same network after the same handling, so that what a filter costs by
    itself does not count.
    """

    def __init__(self, case: Case, target: Target, others: dict[str, SegmentationNetwork]) -> None:
        self._case, self._target = case, target
        self._clean: dict[str, float] = {}
        self._others = {name: (network.on(case.ct.grid, case.region), network) for name, network in others.items()}

    def lasting(self, found: Found) -> dict[str, float]:
        """The drop left after each handling."""
        return {name: self._drop(found, name, self._case.placed, None, handle) for name, handle in HANDLING.items()}

    def transferred(self, found: Found) -> dict[str, float]:
        """The drop on the other networks, by name, over the organs that they know too."""
        own = self._case.network.card.labels
        return {
            name: self._drop(found, name, placed, match_labels(network.card.labels, own), untouched)
            for name, (placed, network) in self._others.items()
        }

    def _drop(
        self,
        found: Found,
        name: str,
        placed: PlacedNetwork,
        ids: dict[int, int] | None,
        handle: Callable[[HU, Grid], HU],
    ) -> float:
        case, region = self._case, self._target.synthesis.region
        if name not in self._clean:
            self._clean[name] = self._dice(handle(case.ct.hu, case.ct.grid), case.reference, placed, ids)
        hu, moved = case.ct.hu.copy(), case.reference.copy()
        hu[region.slices], moved[region.slices] = found.perturbed, found.moved_reference
        return self._clean[name] - self._dice(handle(hu, case.ct.grid), moved, placed, ids)

    def _dice(self, hu: HU, reference: NDArray[np.uint16], placed: PlacedNetwork, ids: dict[int, int] | None) -> float:
        saved = as_saved(hu)[placed.view.slices].astype(np.float32)
        labels = placed.embed(placed.labels(torch.from_numpy(saved).to(placed.network.device)))
        scored = [organ.id for organ in self._target.organs]
        if ids is not None:  # the other network's ids -> the attacked one's
            own = np.zeros(max(placed.network.card.labels) + 1, np.uint16)
            for other, index in ids.items():
                own[other] = index
            labels = own[labels]
            scored = [index for index in scored if index in ids.values()]
        return float(organ_dice(labels, reference, scored).mean())


def _rms(field: HU) -> float:
    return float(np.sqrt(np.square(field, dtype=np.float64).mean()))
