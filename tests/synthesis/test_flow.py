"""Flows and their Jacobians against what is known of them: rotations, and every corner computed one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from napari_advseg.synthesis import integrate, jacobian_range
from napari_advseg.synthesis.sampling import identity

CPU = torch.device("cpu")


@pytest.mark.parametrize("angle", [0.1, 0.5, -0.5])
def test_the_flow_of_a_rotation_is_a_rotation(angle: float) -> None:
    shape = (41, 41)
    centred = identity(shape, CPU) - 20.0
    velocity = angle * torch.stack([-centred[1], centred[0]])[None]
    flow = integrate(velocity)[0]
    cos, sin = np.cos(angle), np.sin(angle)
    exact = torch.stack([cos * centred[0] - sin * centred[1], sin * centred[0] + cos * centred[1]]) - centred
    radius = centred.square().sum(0).sqrt()
    inner = (radius > 1) & (radius < 14)  # what stays inside the image
    error = (flow - exact).square().sum(0).sqrt()
    assert float((error / radius)[inner].max()) < 0.0025


def test_the_flow_along_one_way_is_the_way() -> None:
    velocity = torch.zeros(1, 3, 9, 9, 9)
    velocity[:, 1] = 1.5
    assert torch.allclose(integrate(velocity), velocity)


@pytest.mark.parametrize("shape", [(5, 6), (1, 6), (4, 5, 3), (4, 1, 3)])
def test_jacobians_are_those_of_every_corner(shape: tuple[int, ...]) -> None:
    axes = len(shape)
    u = np.random.default_rng(1).normal(0, 0.3, (axes, *shape))
    found = []
    for index in np.ndindex(*shape):
        for sides in itertools.product((0, 1), repeat=axes):
            matrix = np.eye(axes)
            for axis, side in enumerate(sides):
                if shape[axis] == 1:
                    continue
                low = min(max(index[axis] - side, 0), shape[axis] - 2)  # at an end its only side
                here, there = list(index), list(index)
                here[axis], there[axis] = low, low + 1
                matrix[:, axis] += u[(slice(None), *there)] - u[(slice(None), *here)]
            found.append(np.linalg.det(matrix))
    assert jacobian_range(torch.from_numpy(u)[None].float()) == pytest.approx((min(found), max(found)), abs=1e-5)


def test_each_of_several_fields_is_looked_at() -> None:
    fields = torch.zeros(3, 2, 4, 4)
    fields[1, 0, 2:], fields[2, 1, :, 2:] = -0.25, 0.5
    assert jacobian_range(fields) == pytest.approx((0.75, 1.5))
