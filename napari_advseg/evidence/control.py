"""The random control: as large, as smooth, and as real a resampling as the attack, but of random content.

The control's fields have the attack's amplitude spectrum on every control lattice with random phases, and are
scaled to the attack's largest displacement and largest intensity change. What it costs is what chance, blur and
resampling cost; the rest of the attack's drop is the network's fragility.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..attacks import AttackResult, Measured, Target
from ..synthesis import Synthesis

_FIRST_SEED = 1000
_SCALINGS = 4  # the bounds are smooth, so the size does not scale quite linearly with the parameters


def control_parameters(result: AttackResult, seed: int) -> Tensor:
    """Parameters of a random change as large and as smooth as the one found."""
    synthesis = result.synthesis
    generator = torch.Generator().manual_seed(seed)
    parts = [_random_phases(part.cpu(), generator) for part in synthesis.split(result.parameters * result.strength)]
    parameters = torch.cat([part.flatten() for part in parts]).to(result.parameters.device)
    wanted_mm, wanted_hu = float(result.displacement_mm.max()), float(abs(result.appearance).max())
    for _ in range(_SCALINGS):
        mm, hu = synthesis.largest(parameters)
        for part, moves in zip(synthesis.split(parameters), _is_velocity(synthesis), strict=True):
            wanted, found = (wanted_mm, mm) if moves else (wanted_hu, hu)
            if found > 0:
                part *= min(wanted / found, 4.0)
    return synthesis.project(parameters)


def measure_control(target: Target, result: AttackResult, draw: int) -> Measured:
    """One random control, one forward pass, measured as the attack is; every ``draw`` is another."""
    return target.measure(control_parameters(result, _FIRST_SEED + result.seed + draw))


def _random_phases(part: Tensor, generator: torch.Generator) -> Tensor:
    """(component, *control points) with the same amplitude spectrum and random phases."""
    axes = tuple(range(1, part.ndim))
    noise = torch.fft.fftn(torch.randn(part.shape, generator=generator), dim=axes)
    phases = noise / noise.abs().clamp_min(1e-12)  # of a real field, so the inverse is real
    shuffled: Tensor = torch.fft.ifftn(torch.fft.fftn(part, dim=axes).abs() * phases, dim=axes)
    return shuffled.real


def _is_velocity(synthesis: Synthesis) -> list[bool]:
    scales = len(synthesis.split(synthesis.zeros()))
    return [synthesis.kind.deformation and index == 0 for index in range(scales)]
