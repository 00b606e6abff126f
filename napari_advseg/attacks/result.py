"""What an attack found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..logs import without_paths
from ..synthesis import Synthesis
from ..volume import Region, Volume

if TYPE_CHECKING:
    from .repeats import Repeats

CANCELLED = "cancelled"


@dataclass(frozen=True)
class Organ:
    """An organ that the attack is scored on; Dice as fractions of 1, voxels of the clean reference."""

    id: int
    name: str
    voxels: int
    clean: float
    attacked: float

    @property
    def drop(self) -> float:
        return self.clean - self.attacked


@dataclass(frozen=True)
class PathPoint:
    """A measurement on the strength path: drop measured on whole HU through the full pipeline."""

    strength: float
    drop: float


@dataclass(frozen=True)
class Cost:
    """Network passes over the case, seconds, and the process's peak memory in MB."""

    forward: int
    backward: int
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True, eq=False)
class AttackResult:
    """The change found, on the CT's grid inside ``region``; outside it nothing changed.

    Parameters
    ----------
    region
        The box that was synthesised.
    perturbed
        int16 (z, y, x) of the region, whole HU: the volume on which everything was measured.
    displacement
        float32 (3, z, y, x) of the region, in voxels along the array axes; pull-back.
    appearance
        float32 (z, y, x) of the region, HU added.
    clean_labels, attacked_labels
        The network's segmentations of the whole CT and of the whole perturbed CT, class ids.
    reference, moved_reference
        The reference on the whole CT, in the network's ids, and moved with the anatomy.
    path
        Measured points of the strength path of ``parameters``, by strength.
    strength
        Where on the path the result lies.
    stopped
        "" where the attack ran to its end, else why it did not: "cancelled", or the line of a fault.
    attacker
        What found the change: "search" or "generator".
    generated
        What was done with a learned attacker's change: "alone", "strength" or "start"; "" for the search.
    generator_sha256
        Of the learned attacker's weights.
    note
        What a reader of the result must know of the attacker; "" for nothing.
    repeats
        Drops with fresh random numbers, where the network is random at inference.
    device
        Where it was computed, where that is not the device of the case's network; "" where it is.
    half
        Whether gradients came in half precision; all that was measured did not.
    thorough
        Whether the search went on for a smaller change.
    """

    ct: Volume
    region: Region
    organs: tuple[Organ, ...]
    target_drop: float
    tolerance: float
    perturbed: NDArray[np.int16]
    displacement: NDArray[np.float32]
    appearance: NDArray[np.float32]
    clean_labels: NDArray[np.uint16]
    attacked_labels: NDArray[np.uint16]
    reference: NDArray[np.uint16]
    moved_reference: NDArray[np.uint16]
    path: tuple[PathPoint, ...]
    strength: float
    parameters: Tensor
    synthesis: Synthesis
    cost: Cost
    seed: int
    stopped: str = ""
    attacker: str = "search"
    generated: str = ""
    generator_sha256: str = ""
    note: str = ""
    repeats: Repeats | None = None
    device: str = ""
    half: bool = False
    thorough: bool = False

    @property
    def achieved_drop(self) -> float:
        """Mean Dice drop over the organs, measured on the volume as saved."""
        return float(np.mean([organ.drop for organ in self.organs]))

    @property
    def reached(self) -> bool:
        """Whether the drop lies within the tolerance of the target, for a random network in the mean too."""
        steady = self.repeats is None or self.repeats.steady(self.target_drop, self.tolerance)
        return steady and abs(self.achieved_drop - self.target_drop) <= self.tolerance

    @property
    def broken_off(self) -> bool:
        """Whether a fault ended the attack; what was measured until then is the result."""
        return self.stopped not in ("", CANCELLED)

    @property
    def clean_dice(self) -> float:
        return float(np.mean([organ.clean for organ in self.organs]))

    @property
    def attacked_dice(self) -> float:
        return float(np.mean([organ.attacked for organ in self.organs]))

    @property
    def whole_perturbed(self) -> NDArray[np.int16]:
        """The perturbed CT on the CT's whole grid, int16 HU."""
        whole = as_saved(self.ct.hu)
        whole[self.region.slices] = self.perturbed
        return whole

    @property
    def whole_displacement(self) -> NDArray[np.float32]:
        """(3, z, y, x) on the CT's whole grid, voxels along the array axes."""
        whole = np.zeros((3, *self.ct.grid.shape), np.float32)
        whole[(slice(None), *self.region.slices)] = self.displacement
        return whole

    @property
    def whole_appearance(self) -> NDArray[np.float32]:
        """(z, y, x) on the CT's whole grid, HU added."""
        whole = np.zeros(self.ct.grid.shape, np.float32)
        whole[self.region.slices] = self.appearance
        return whole

    @property
    def displacement_mm(self) -> NDArray[np.float32]:
        """Length of the displacement in the region, mm."""
        spacing = np.array(self.ct.grid.spacing, np.float32).reshape(3, 1, 1, 1)
        return np.asarray(np.sqrt(np.square(self.displacement * spacing).sum(0)), dtype=np.float32)

    @property
    def size(self) -> float:
        """Root mean square of the change in the region, in units of the budget, as the search measures it."""
        budget = self.synthesis.budget
        parts = ((self.displacement_mm, budget.max_displacement_mm), (self.appearance, budget.max_hu))
        return float(sum(float(np.square(change).mean()) / bound**2 for change, bound in parts if bound > 0) ** 0.5)


def broken_off_by(fault: BaseException) -> str:
    """What ``stopped`` says where a fault has ended an attack; it goes into files, which name no paths."""
    return f"broken off by a fault: {without_paths((str(fault).strip().splitlines() or [type(fault).__name__])[0])}"


def as_saved(hu: NDArray[np.floating]) -> NDArray[np.int16]:
    """HU as they are stored: rounded to whole HU, within what int16 holds."""
    return np.asarray(np.clip(np.rint(hu), -32768, 32767), dtype=np.int16)
