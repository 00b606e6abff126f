"""From a few parameters to a changed CT: ``perturbed(p) = CT(p + u(p)) + a(p)``, differentiable throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..volume import Region, Volume, body_mask
from .budget import Budget
from .deformation import integrate, jacobian_excess, jacobian_range
from .lattice import Lattice, limit, make_lattice
from .sampling import (
    Interpolation,
    identity,
    nearest_index,
    sample_linear,
    sample_spline,
    spline_coefficients,
)

_SPLINE_MARGIN = 4  # voxels kept around the region, so that its spline can be read up to the edge
_FORGETS = 20  # voxels after which a cubic spline's coefficients have forgotten a cut: 0.27 to that power
_PARAMETER_BOUND = 2.5  # in budgets; control values may exceed what the field between them reaches
_LOCAL = 8  # times that a deformation is shrunk where it folds
_LOWEST, _HIGHEST = -32768.0, 32767.0  # what int16 stores


@dataclass(frozen=True)
class Kind:
    """What kind of change is synthesised.

    Parameters
    ----------
    still_axis
        The array axis along which nothing moves: the slice axis of a 2-D network. None moves anatomy in space.
    velocity_mm
        Distance of the velocity field's control points.
    appearance_mm
        Distance of the appearance field's control points, one entry per scale; a cubic B-spline on it holds
        no wavelength below about twice the distance.
    """

    deformation: bool = True
    appearance: bool = True
    still_axis: int | None = None
    interpolation: Interpolation = "bspline"
    velocity_mm: float = 12.0
    appearance_mm: tuple[float, ...] = (3.0,)

    def __post_init__(self) -> None:
        if not (self.deformation or self.appearance):
            raise ValueError("nothing may change: switch on the deformation, the appearance, or both")


@dataclass(frozen=True)
class Change:
    """A synthesised change in the region; all on the same voxels (z, y, x).

    Parameters
    ----------
    hu
        The changed CT, HU, before rounding.
    displacement
        (3, z, y, x) in voxels along the array axes.
    appearance
        HU added.
    """

    hu: Tensor
    displacement: Tensor
    appearance: Tensor


class Synthesis:
    """The changes that a CT may undergo in a region, as functions of a parameter vector and a strength.

    Parameters
    ----------
    ct
        The CT.
    region
        Where the CT may change: the box that is synthesised. At its sides inside the CT every field runs out smoothly.
    """

    def __init__(self, ct: Volume, region: Region, budget: Budget, kind: Kind, device: torch.device) -> None:
        self.ct, self.region, self.budget, self.kind, self.device = ct, region, budget, kind, device
        self.axes = tuple(axis for axis in range(3) if axis != kind.still_axis)
        if any(high > n for high, n in zip(region.stop, ct.grid.shape, strict=True)):
            raise ValueError(f"the region {region} must lie within the CT, whose shape is {ct.grid.shape}")
        self._check: Callable[[], None] | None = None
        self._lattices = self._make_lattices()
        self._still = torch.from_numpy(self.ct.hu[region.slices]).to(device)
        self._image, self._offset = self._prepare_image()
        self._body = torch.from_numpy(body_mask(ct.hu)[region.slices]).to(device)
        spacing = torch.tensor([ct.grid.spacing[axis] for axis in self.axes], device=device)
        self._spacing = spacing.view(-1, 1, 1, 1)

    @contextmanager
    def stopping_at(self, check: Callable[[], None]) -> Iterator[None]:
        """Call ``check`` before every field that is made while inside; what it raises ends the work."""
        before, self._check = self._check, check
        try:
            yield
        finally:
            self._check = before

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(components * int(np.prod(lattice.control_shape)) for components, lattice in self._lattices)

    def zeros(self) -> Tensor:
        """The parameters of no change. One unit of a parameter is one budget (mm or HU) at its control point."""
        return torch.zeros(self.size, device=self.device)

    @property
    def lattices(self) -> list[tuple[int, Lattice]]:
        """Components and control lattice of every part of the parameters, velocity first where there is one."""
        return list(self._lattices)

    def split(self, parameters: Tensor) -> list[Tensor]:
        """Control values per lattice, velocity first where there is one: (component, *control shape) each."""
        parts, start = [], 0
        for components, lattice in self._lattices:
            shape = (components, *lattice.control_shape)
            count = int(np.prod(shape))
            parts.append(parameters[start : start + count].view(shape))
            start += count
        return parts

    def change(self, parameters: Tensor, strength: float = 1.0) -> Change:
        """Synthesise. ``strength`` in [0, 1] scales velocity and appearance; 0 gives the CT itself."""
        displacement, appearance = self.fields(parameters, strength)
        moving = self.batched(displacement[list(self.axes)])
        hu = self.unbatched(self._pull(moving))[0] if self.kind.deformation else self._still
        appearance = appearance * self.move_mask(displacement.detach())
        return Change((hu + appearance).clamp(_LOWEST, _HIGHEST), displacement, appearance)

    def fields(self, parameters: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """Displacement (3, z, y, x) in voxels and appearance (z, y, x) in HU, not yet cut to the body."""
        if self._check is not None:
            self._check()
        parts = self.split(parameters)
        displacement = torch.zeros(3, *self.region.shape, device=self.device)
        if self.kind.deformation:
            velocity = self._lattices[0][1].dense(parts.pop(0)) * self.budget.max_displacement_mm
            velocity = limit(velocity, self.budget.max_displacement_mm) * strength / self._spacing
            moved = self.unbatched(integrate(self.batched(velocity)))
            displacement = displacement.index_copy(0, torch.tensor(self.axes, device=self.device), moved)
        appearance = torch.zeros(1, *self.region.shape, device=self.device)
        if parts:
            scales = [
                lattice.dense(part) for (_, lattice), part in zip(self._lattices[-len(parts) :], parts, strict=True)
            ]
            total = torch.stack(scales).sum(0) * self.budget.max_hu
            appearance = limit(total, self.budget.max_hu) * strength
        return displacement, appearance[0]

    def move_labels(self, labels: NDArray[np.uint16], displacement: Tensor) -> NDArray[np.uint16]:
        """Labels of the region moved with the anatomy, by nearest neighbour as ITK rounds."""
        positions = (identity(self.region.shape, self.device) + displacement.detach())[None]
        z, y, x = (index[0].cpu().numpy() for index in nearest_index(positions, self.region.shape))
        return np.asarray(labels[z, y, x])

    def move_soft(self, channels: Tensor, displacement: Tensor) -> Tensor:
        """(channel, z, y, x) moved with the anatomy by linear interpolation, with a gradient for the displacement."""
        if not self.kind.deformation:
            return channels
        moving = self.batched(displacement[list(self.axes)])
        grid = identity(tuple(moving.shape[2:]), self.device)
        return self.unbatched(sample_linear(self.batched(channels), grid + moving))

    def move_mask(self, displacement: Tensor) -> Tensor:
        """The body after the deformation, 0 or 1, (z, y, x)."""
        return (self.move_soft(self._body[None].float(), displacement)[0] > 0.5).float()

    @torch.no_grad()
    def largest(self, parameters: Tensor) -> tuple[float, float]:
        """The largest displacement, mm, and the largest intensity change in the body, HU, without synthesising the CT."""
        displacement, appearance = self.fields(parameters, 1.0)
        spacing = torch.tensor(self.ct.grid.spacing, device=self.device).view(3, 1, 1, 1)
        length = float((displacement * spacing).square().sum(0).max()) ** 0.5
        return length, float((appearance.abs() * self.move_mask(displacement)).max())

    def jacobian_range(self, displacement: Tensor) -> tuple[float, float]:
        """Smallest and largest one-sided Jacobian determinant of a displacement (3, z, y, x) in voxels."""
        return jacobian_range(self.batched(displacement.detach()[list(self.axes)]))

    @torch.no_grad()
    def project(self, parameters: Tensor) -> Tensor:
        """Bring parameters into the budget.

        Fields are bounded by construction; parameters far beyond the bound would only be deaf to the gradient, so
        they are cut off. The deformation is shrunk until its Jacobians lie in the budget's range: where they leave it
        first, everywhere if that does not do.
        """
        parameters = parameters.clamp(-_PARAMETER_BOUND, _PARAMETER_BOUND)
        if not self.kind.deformation:
            return parameters
        low, high = self.budget.jacobian
        velocity, lattice = self.split(parameters)[0], self._lattices[0][1]
        for attempt in range(30):
            displacement, _ = self.fields(parameters, 1.0)
            excess = self.unbatched(jacobian_excess(self.batched(displacement[list(self.axes)]), low, high)[:, None])[0]
            if float(excess.max()) <= 1:
                break
            excess = lattice.largest_in_reach(excess) if attempt < _LOCAL else excess.max()
            velocity *= (0.98 / excess).clamp(0.3, 0.97).where(excess > 1, 1.0)  # nearly linear in the velocity
        else:
            velocity.zero_()
        return parameters

    def _make_lattices(self) -> list[tuple[int, Lattice]]:
        grid, region, kind = self.ct.grid, self.region, self.kind
        inside = [(low > 0, high < n) for low, high, n in zip(region.start, region.stop, grid.shape, strict=True)]
        lattices: list[tuple[int, Lattice]] = []

        def add(components: int, distance: float, pinned: list[tuple[bool, bool]]) -> None:
            control = (distance,) * 3
            lattice = make_lattice(region.shape, grid.spacing, control, tuple(pinned), self.device)
            lattices.append((components, lattice))

        if kind.deformation:
            # Along a moving axis nothing may be pulled in from outside the CT, so the field is pinned there too.
            pinned = [(True, True) if axis in self.axes else inside[axis] for axis in range(3)]
            add(len(self.axes), kind.velocity_mm, pinned)
        if kind.appearance:
            for distance in kind.appearance_mm:
                add(1, distance, inside)
        return lattices

    def _prepare_image(self) -> tuple[Tensor, Tensor]:
        """Spline coefficients (or voxels) around the region, and the region's start in them along the moving axes."""
        image, start = self._around(_FORGETS)
        coefficients = self.batched(torch.from_numpy(image).to(self.device)[None])
        if self.kind.interpolation == "bspline":
            coefficients = spline_coefficients(coefficients, len(self.axes))
        image, near = self._around(_SPLINE_MARGIN)
        inner = tuple(slice(b - a, b - a + n) for a, b, n in zip(start, near, image.shape, strict=True))
        cut = self.batched(self.unbatched(coefficients)[(slice(None), *inner)]).contiguous()
        offset = [float(self.region.start[axis] - near[axis]) for axis in self.axes]
        return cut, torch.tensor(offset, device=self.device).view(1, -1, *([1] * len(self.axes)))

    def _around(self, margin: int) -> tuple[NDArray[np.float32], list[int]]:
        """The CT in the region and ``margin`` voxels around it along the moving axes, and where that starts."""
        margins = [margin if axis in self.axes else 0 for axis in range(3)]
        start = [max(0, low - m) for low, m in zip(self.region.start, margins, strict=True)]
        box = tuple(slice(low, high + m) for low, high, m in zip(start, self.region.stop, margins, strict=True))
        return np.ascontiguousarray(self.ct.hu[box]), start

    def _pull(self, displacement: Tensor) -> Tensor:
        positions = identity(tuple(displacement.shape[2:]), self.device) + displacement + self._offset
        sample = sample_spline if self.kind.interpolation == "bspline" else sample_linear
        return sample(self._image, positions)

    def batched(self, field: Tensor) -> Tensor:
        """(channel, z, y, x) -> (n, channel, *moving axes): slices become the batch where motion is in-plane."""
        still = self.kind.still_axis
        return field[None] if still is None else field.movedim(still + 1, 0)

    def unbatched(self, field: Tensor) -> Tensor:
        still = self.kind.still_axis
        return field[0] if still is None else field.movedim(0, still + 1)
