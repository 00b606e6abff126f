"""A CT cut into stacks of slices: together they are the CT, and each is a case of its own."""

from __future__ import annotations

import numpy as np
import pytest
from toy_networks import CARD, Threshold, graded_ct

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, Case, CaseRequest, finish, make_target, open_case
from napari_advseg.case.slabs import slabs
from napari_advseg.networks import network_from_module


def toy_case(dimensions: int) -> Case:
    ct, _ = graded_ct()
    network = network_from_module(Threshold(), CARD.model_copy(update={"dimensions": dimensions}), device="cpu")
    return finish(open_case(CaseRequest(ct=ct, network=network), CancelToken()))


@pytest.mark.parametrize("most", [3, 5, 100])
def test_the_stacks_are_the_slices_in_order(most: int) -> None:
    case = toy_case(2)
    axis = case.network.card.slice_axis(case.ct.grid)
    assert axis is not None
    cut = slabs(case, most)
    assert all(one.ct.grid.shape[axis] <= most for one in cut) or len(cut) == 1
    assert (len(cut) == 1) == (most >= case.ct.grid.shape[axis])
    covered = np.zeros(case.ct.grid.shape, bool)
    for part in cut:
        start = round((part.ct.grid.origin[2 - axis] - case.ct.grid.origin[2 - axis]) / case.ct.grid.spacing[axis])
        own = [slice(None)] * 3
        own[axis] = slice(start, start + part.ct.grid.shape[axis])
        assert np.array_equal(part.ct.hu, case.ct.hu[tuple(own)])
        assert np.array_equal(part.clean_labels, case.clean_labels[tuple(own)])
        assert not covered[tuple(own)].any()
        covered[tuple(own)] = True
    assert covered[case.reference > 0].all()


def test_a_stack_is_measured_as_the_same_slices_of_the_ct_are() -> None:
    """A network of slices sees no neighbours, so its segmentation of a stack is the CT's."""
    case = toy_case(2)
    for part in slabs(case, 4):
        target = make_target(part, AttackRequest())
        assert target.measure(target.synthesis.zeros()).drop == pytest.approx(0, abs=1e-9)


def test_a_case_of_a_network_of_volumes_stays_whole() -> None:
    case = toy_case(3)
    assert slabs(case, 2) == [case]
