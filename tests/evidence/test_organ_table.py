from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from findings import toy_finding

from napari_advseg.attacks import organ_dice
from napari_advseg.evidence import hd95_mm, newly_wrong, organ_table, read_bundle
from napari_advseg.evidence.organ_table import worst_slices
from napari_advseg.volume import Grid

GRID = Grid((12, 14, 16), (3.0, 2.0, 0.5))


def block(z: int = 4, y: int = 4, x: int = 4) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    mask[z : z + 4, y : y + 6, x : x + 8] = True
    return mask


@pytest.mark.parametrize(("moved", "mm"), [({"z": 5}, 3.0), ({"y": 5}, 2.0), ({"x": 5}, 0.5), ({}, 0.0)])
def test_hd95_is_in_millimetres_of_its_own_axis(moved: dict[str, int], mm: float) -> None:
    assert hd95_mm(block(), block(**moved), GRID) == pytest.approx(mm)


def test_hd95_is_the_same_as_monai_s() -> None:
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    rng = np.random.default_rng(0)
    for _ in range(5):
        one, other = (np.zeros(GRID.shape, bool) for _ in range(2))
        for mask in (one, other):
            mask[2:-2, 2:-2, 2:-2] = rng.random((8, 10, 12)) < 0.2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            theirs = compute_hausdorff_distance(
                torch.from_numpy(one)[None, None], torch.from_numpy(other)[None, None],
                include_background=True, percentile=95.0, spacing=list(GRID.spacing),
            )  # fmt: skip
        assert hd95_mm(one, other, GRID) == pytest.approx(float(theirs), abs=1e-4)


def test_hd95_of_a_single_slice_looks_at_its_outline_alone() -> None:
    grid = Grid((1, 40, 40), (5.0, 1.0, 1.0))
    big, small = (np.zeros(grid.shape, bool) for _ in range(2))
    big[0, 5:35, 5:35], small[0, 10:30, 10:30] = True, True
    assert hd95_mm(big, small, grid) == pytest.approx(np.hypot(3, 5), abs=1.5)
    assert hd95_mm(big, small, grid) > 5  # were every voxel of the slice an edge, most would lie at 0


def test_hd95_needs_two_organs() -> None:
    nothing = np.zeros(GRID.shape, bool)
    assert hd95_mm(nothing, block(), GRID) is None
    assert hd95_mm(block(), nothing, GRID) is None


def test_the_worst_slice_is_the_one_with_most_wrong_voxels() -> None:
    wrong = np.zeros((5, 6, 7), bool)
    wrong[3, 2, 1:6] = True
    wrong[1, 4, 6] = True
    wrong[2, 4, 6] = True
    assert worst_slices(wrong) == (3, 2, 6)
    assert worst_slices(np.zeros((5, 6, 7), bool)) is None


def test_a_row_s_figures_are_those_of_the_label_maps() -> None:
    result = toy_finding().result
    rows = organ_table(result)
    assert [row.id for row in rows] == [organ.id for organ in result.organs]
    voxel = np.prod(result.ct.grid.spacing) / 1000
    for row in rows:
        after = result.attacked_labels == row.id
        assert row.attacked_dice == pytest.approx(
            organ_dice(result.attacked_labels, result.moved_reference, [row.id])[0]
        )
        assert row.clean_ml == pytest.approx((result.clean_labels == row.id).sum() * voxel)
        assert row.attacked_ml == pytest.approx(after.sum() * voxel)
        assert row.change_ml == pytest.approx(row.attacked_ml - row.clean_ml)
        assert row.drop == pytest.approx(row.clean_dice - row.attacked_dice)
        assert row.attacked_hd95_mm == hd95_mm(after, result.moved_reference == row.id, result.ct.grid)
    assert np.mean([row.drop for row in rows]) == pytest.approx(result.achieved_drop)
    assert sum(row.newly_wrong for row in rows) >= newly_wrong(result).sum() > 0
    z, y, x = rows[0].worst_slices
    per_slice = newly_wrong(result).sum((1, 2))
    assert len(rows) > 1 or per_slice[z] == per_slice.max()
    assert 0 <= y < result.ct.grid.shape[1]
    assert 0 <= x < result.ct.grid.shape[2]


def test_an_organ_that_is_gone_has_no_distance() -> None:
    result = toy_finding().result
    gone = replace(result, attacked_labels=np.zeros_like(result.attacked_labels))
    row = organ_table(gone)[0]
    assert (row.attacked_ml, row.attacked_hd95_mm) == (0, None)
    assert row.clean_hd95_mm is not None


def test_the_table_of_a_bundle_is_that_of_its_result(phantom) -> None:
    assert organ_table(read_bundle(phantom.bundle)) == organ_table(phantom.finding.result)
