from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import label_pairs

from napari_advseg.attacks import organ_dice, score_organs, soft_dice


@given(label_pairs())
def test_dice_is_that_of_the_definition_symmetric_and_bounded(pair) -> None:
    a, b = pair
    got = organ_dice(a, b, [1, 2, 3])
    for value, index in zip(got, (1, 2, 3), strict=True):
        one, other = a == index, b == index
        total = one.sum() + other.sum()
        assert value == pytest.approx(2 * (one & other).sum() / total if total else 1.0)
        assert 0 <= value <= 1
    assert np.array_equal(got, organ_dice(b, a, [1, 2, 3]))
    assert (organ_dice(a, a, [1, 2, 3]) == 1).all()


@given(label_pairs())
def test_soft_dice_tends_to_the_hard_one(pair) -> None:
    a, b = pair
    scores = torch.nn.functional.one_hot(torch.from_numpy(a.astype(np.int64)), 4).movedim(-1, 0).float()
    reference = torch.stack([torch.from_numpy(b == i).float() for i in (1, 2, 3)])
    present = [i for i in (1, 2, 3) if ((a == i) | (b == i)).any()]
    soft = soft_dice(scores, reference, (1, 2, 3), temperature=0.02).numpy()
    for i in present:
        assert soft[i - 1] == pytest.approx(organ_dice(a, b, [i])[0], abs=1e-3)


def test_organs_of_fewer_than_fifty_voxels_are_not_scored() -> None:
    reference = np.zeros((10, 10, 10), np.uint16)
    reference[0, :7, :7] = 1
    reference[1, :5, :10] = 2
    organs = score_organs({0: "background", 1: "small", 2: "large", 3: "absent"}, reference, reference)
    assert [(o.name, o.voxels, o.clean) for o in organs] == [("large", 50, 1.0)]


def test_an_organ_that_is_nowhere_has_a_soft_dice_without_a_fault() -> None:
    scores = torch.tensor([200.0, -200.0]).view(2, 1, 1, 1).requires_grad_()
    (nothing,) = soft_dice(scores, torch.zeros(1, 1, 1, 1), [1], 1.0)
    assert float(nothing.detach()) == 0
    (gradient,) = torch.autograd.grad(nothing, scores)
    assert bool(gradient.isfinite().all())


def test_the_soft_dice_of_less_than_a_voxel_is_that_of_the_definition() -> None:
    (little,) = soft_dice(torch.zeros(2, 1, 1, 1), torch.full((1, 1, 1, 1), 0.2), [1], 1.0)
    assert float(little) == pytest.approx(2 * 0.5 * 0.2 / (0.5 + 0.2))


def test_an_id_beyond_all_labels_is_an_organ_that_is_not_there() -> None:
    labels = np.ones((2, 2, 2), np.uint16)
    assert organ_dice(labels, labels, [1, 9]).tolist() == [1.0, 1.0]
    assert organ_dice(labels, 0 * labels, [1]).tolist() == [0.0]
    counted = np.ones((10, 10, 10), np.uint16)
    assert [organ.id for organ in score_organs({1: "liver", 9: "spleen"}, counted, counted)] == [1]
