"""Parameters, their parts, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Grid, Region, Volume

CPU = torch.device("cpu")
GRID = Grid((14, 22, 26), (3.0, 2.0, 2.0))
STILL = [None, 0, 2]


def synthesis(budget: Budget | None = None, hu: float = 40.0, **kind: object) -> Synthesis:
    ct = np.full(GRID.shape, hu, np.float32)
    ct += np.random.default_rng(0).normal(0, 20, GRID.shape).round().astype(np.float32)
    options = {"velocity_mm": 8.0, "appearance_mm": (6.0, 12.0)} | kind
    return Synthesis(Volume(ct, GRID), Region.whole(GRID), budget or Budget(), Kind(**options), CPU)


def random(made: Synthesis, size: float = 1.0, seed: int = 0) -> torch.Tensor:
    return size * torch.randn(made.size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("still_axis", STILL)
def test_the_parts_are_the_parameters_velocity_first(still_axis: int | None) -> None:
    made = synthesis(still_axis=still_axis)
    parameters = random(made)
    parts = made.split(parameters)
    assert [part.shape[0] for part in parts] == [3 if still_axis is None else 2, 1, 1]
    assert [tuple(part.shape) for part in parts] == [(n, *lattice.control_shape) for n, lattice in made.lattices]
    assert torch.equal(torch.cat([part.flatten() for part in parts]), parameters)
    assert made.zeros().shape == (made.size,)
    assert not made.zeros().any()
    parts[0].zero_()  # views: what is done to a part is done to the parameters
    change = made.change(parameters)
    assert not change.displacement.any()
    assert change.appearance.any()


def test_the_scales_of_the_appearance_add_up() -> None:
    made = synthesis(Budget(5.0, 1000.0), deformation=False)
    one, other = random(made, 1e-3), random(made, 1e-3)
    made.split(one)[1].zero_()
    made.split(other)[0].zero_()
    both = made.change(one + other).appearance
    assert torch.allclose(both, made.change(one).appearance + made.change(other).appearance, atol=1e-4)
    assert made.change(one).appearance.abs().max() > 0.1


def test_a_small_parameter_is_its_share_of_the_budget() -> None:
    made = synthesis(Budget(5.0, 20.0), deformation=False, appearance_mm=(6.0,))
    assert torch.allclose(made.change(torch.full((made.size,), 0.1)).appearance, torch.tensor(2.0), atol=1e-3)
    assert torch.allclose(made.change(torch.full((made.size,), 0.1), 0.5).appearance, torch.tensor(1.0), atol=1e-3)


@pytest.mark.parametrize("still_axis", STILL)
def test_the_largest_is_that_of_the_change(still_axis: int | None) -> None:
    made = synthesis(still_axis=still_axis)
    parameters = made.project(random(made))
    change = made.change(parameters)
    spacing = torch.tensor(GRID.spacing).view(3, 1, 1, 1)
    mm, hu = made.largest(parameters)
    assert mm == pytest.approx(float((change.displacement * spacing).square().sum(0).sqrt().max()), rel=1e-5)
    assert hu == pytest.approx(float(change.appearance.abs().max()), rel=1e-5)
    assert mm > 0.3
    assert hu > 1


@pytest.mark.parametrize("jacobian", [(0.5, 2.0), (0.9, 1.1), (0.99, 1.01)])
def test_a_change_within_the_budget_is_left_alone_and_another_is_shrunk_no_more_than_needed(
    jacobian: tuple[float, float],
) -> None:
    made = synthesis(Budget(20.0, 15.0, jacobian), appearance=False)
    small = random(made, 1e-4)
    assert torch.equal(made.project(small), small)
    large = random(made, 2.0)
    shrunk = made.project(large)
    low, high = made.jacobian_range(made.change(shrunk).displacement)
    assert jacobian[0] <= low < 1 < high <= jacobian[1]
    used = max((1 - low) / (1 - jacobian[0]), (high - 1) / (jacobian[1] - 1))
    assert used > 0.7
    assert torch.equal(made.project(shrunk), shrunk)
    kept = shrunk / large.clamp(-2.5, 2.5)  # shrunk, never turned, and the components of a control point alike
    assert float(kept.min()) >= 0
    assert float(kept.max()) <= 1
    (parts,) = made.split(kept)
    assert torch.allclose(parts, parts[:1].expand_as(parts), atol=1e-5)


@pytest.mark.parametrize("still_axis", STILL)
def test_a_fold_is_taken_back_where_it_is(still_axis: int | None) -> None:
    made = synthesis(Budget(20.0, 15.0, (0.7, 1.4)), appearance=False, still_axis=still_axis, velocity_mm=4.0)
    parameters = made.zeros()
    (velocity,) = made.split(parameters)
    y, x = velocity.shape[2] // 4, velocity.shape[3] // 4
    velocity[:, :, -y:, -x:] = 0.02  # harmless
    harmless = velocity.clone()
    velocity[:, :, y, x] = 2.0  # folds
    (kept,) = made.split(made.project(parameters))
    low, high = made.jacobian_range(made.change(made.project(parameters)).displacement)
    assert 0.7 <= low < 1 < high <= 1.4
    assert torch.equal(kept[:, :, -y:, -x:], harmless[:, :, -y:, -x:])
    assert float(kept[:, :, y, x].min()) > 0
    assert float(kept[:, :, y, x].max()) < 1.5


def test_the_largest_in_reach_of_a_control_point_is_that_of_the_voxels_it_moves() -> None:
    made = synthesis(appearance=False)
    ((_, lattice),) = made.lattices
    field = torch.rand(GRID.shape, generator=torch.Generator().manual_seed(0))
    found = lattice.largest_in_reach(field)
    assert tuple(found.shape) == lattice.control_shape
    for index in ((0, 0, 0), tuple(n // 2 for n in lattice.control_shape), tuple(n - 1 for n in lattice.control_shape)):
        one = torch.zeros(1, *lattice.control_shape)
        one[(0, *index)] = 1.0
        assert float(found[index]) == float(field[lattice.dense(one)[0] > 0].max())


def test_the_appearance_is_not_shrunk_with_the_deformation() -> None:
    made = synthesis(Budget(20.0, 15.0, (0.95, 1.05)))
    parameters = random(made, 1.0)
    projected = made.project(parameters)
    assert torch.equal(made.split(projected)[1], made.split(parameters.clamp(-2.5, 2.5))[1])
    assert made.split(projected)[0].abs().max() < 0.5 * made.split(parameters)[0].abs().max()


@pytest.mark.parametrize(("hu", "sign"), [(32760.0, 1.0), (-32760.0, -1.0)])
def test_what_a_file_cannot_hold_is_cut_off(hu: float, sign: float) -> None:
    made = synthesis(hu=hu, deformation=False)
    made._body[:] = True  # a CT of such numbers has no body of its own
    changed = made.change(torch.full((made.size,), sign)).hu
    assert float(changed.max()) <= 32767
    assert float(changed.min()) >= -32768
    assert float((sign * changed).max()) >= 32767


def test_what_ends_the_work_is_asked_before_every_field_and_only_while_inside() -> None:
    made, told = synthesis(), []
    with made.stopping_at(lambda: told.append("outer")):
        made.change(made.zeros())
        with made.stopping_at(lambda: told.append("inner")):
            made.change(made.zeros())
        made.change(made.zeros())
        made.largest(made.zeros())
    made.change(made.zeros())
    assert told == ["outer", "inner", "outer", "outer"]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), made.stopping_at(stop):
        made.change(made.zeros())
    made.change(made.zeros())  # no longer


@pytest.mark.parametrize("still_axis", STILL)
def test_slices_become_the_batch_and_come_back(still_axis: int | None) -> None:
    made = synthesis(still_axis=still_axis)
    field = torch.arange(2 * np.prod(GRID.shape)).view(2, *GRID.shape)
    batch = made.batched(field)
    moving = tuple(n for axis, n in enumerate(GRID.shape) if axis != still_axis)
    assert batch.shape == (1 if still_axis is None else GRID.shape[still_axis], 2, *moving)
    assert torch.equal(made.unbatched(batch), field)


def test_labels_move_as_the_image_does() -> None:
    made = synthesis()
    shift = torch.zeros(3, *GRID.shape)
    shift[1] = 2.0  # pulled from two rows further
    labels = np.arange(np.prod(GRID.shape), dtype=np.uint16).reshape(GRID.shape)
    moved = made.move_labels(labels, shift)
    assert np.array_equal(moved[:, :-2], labels[:, 2:])
    assert np.array_equal(moved[:, -1], labels[:, -1])  # edges continue
    soft = torch.from_numpy((labels % 7 == 0).astype(np.float32))[None]
    assert torch.allclose(made.move_soft(soft, shift)[0, :, :-2], soft[0, :, 2:], atol=1e-4)
    still = synthesis(deformation=False)
    assert torch.equal(still.move_soft(soft, shift), soft)


def test_the_body_moves_with_the_anatomy_and_stays_a_mask() -> None:
    made = synthesis()
    made._body[:] = False
    made._body[:, 8:14] = True
    shift = torch.zeros(3, *GRID.shape)
    shift[1] = 1.25
    mask = made.move_mask(shift)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(mask[:, 7:13].bool(), made._body[:, 8:14])
    assert float(mask.sum()) == float(made._body.sum())


def test_a_region_at_the_far_edge_is_within_the_ct() -> None:
    ct = Volume(np.zeros(GRID.shape, np.float32), GRID)
    region = Region((2, 2, 2), GRID.shape)
    assert Synthesis(ct, region, Budget(), Kind(), CPU).zeros().numel() > 0
