"""The way back through resampling, of which only a box is gone when the rest is nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_advseg.networks.boxes import box_above, box_around, hull, meet
from napari_advseg.networks.resampling import Order, apply_matrices, axis_matrix

SIZES = st.tuples(*[st.integers(1, 14)] * 3)


@settings(max_examples=40)
@given(have=SIZES, want=SIZES, order=st.sampled_from([0, 1, 3]), data=st.data())
def test_the_gradient_of_a_part_is_the_transposed_matrices(
    have: tuple[int, int, int], want: tuple[int, int, int], order: Order, data: st.DataObject
) -> None:
    matrices = tuple(axis_matrix(n, m, order) for n, m in zip(have, want, strict=True))
    image = torch.randn(2, *have, dtype=torch.float64, requires_grad=True)
    pull = torch.zeros(2, *want, dtype=torch.float64)
    starts = [data.draw(st.integers(0, n)) for n in want]
    stops = [data.draw(st.integers(0, n)) for n in want]
    part = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    pull[(slice(None), *part)] = torch.randn(2, *want, dtype=torch.float64)[(slice(None), *part)]
    dense = [torch.from_numpy(matrix).double() for matrix in matrices]
    result = apply_matrices(image, matrices)
    torch.testing.assert_close(result, torch.einsum("nabc,ia,jb,kc->nijk", image, *dense))
    (gradient,) = torch.autograd.grad(result, image, pull)
    torch.testing.assert_close(gradient, torch.einsum("nijk,ia,jb,kc->nabc", pull, *dense))


def test_a_gradient_that_is_no_number_is_not_lost() -> None:
    matrices = tuple(axis_matrix(6, 9, 1) for _ in range(3))
    image = torch.randn(6, 6, 6, requires_grad=True)
    pull = torch.zeros(9, 9, 9)
    pull[4, 4, 4] = float("nan")
    (gradient,) = torch.autograd.grad(apply_matrices(image, matrices), image, pull)
    assert gradient.isnan().any()


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=5))
def test_a_box_is_around_all_that_there_is_and_no_larger(voxels: list[tuple[int, int, int]]) -> None:
    where = torch.zeros(7, 7, 7, dtype=torch.bool)
    for voxel in voxels:
        where[voxel] = True
    box = box_around(where)
    assert box_above(-where[None].float(), 0.5) == box
    if not voxels:
        assert box is None
        return
    assert box is not None
    assert where[box].sum() == where.sum()
    assert [(part.start, part.stop) for part in box] == [
        (min(v[axis] for v in voxels), max(v[axis] for v in voxels) + 1) for axis in range(3)
    ]


def test_boxes_meet_where_they_share_a_voxel() -> None:
    one = (slice(0, 3), slice(0, 3), slice(0, 3))
    assert meet(one, (slice(2, 4),) * 3)
    assert not meet(one, (slice(2, 4), slice(2, 4), slice(3, 4)))
    assert hull(one, None) == one
    assert hull(None, one) == one
    assert hull(one, (slice(2, 5), slice(1, 2), slice(0, 1))) == (slice(0, 5), slice(0, 3), slice(0, 3))
    assert hull(None, None) is None


@pytest.mark.parametrize("least", [0.0, 1e-3])
def test_nothing_above_gives_no_box(least: float) -> None:
    assert box_above(torch.zeros(2, 3, 4, 5), least) is None
