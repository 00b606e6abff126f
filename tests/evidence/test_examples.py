"""The picture of one patient at several drops: every column shows its own change on the same slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from toy_networks import graded_ct, threshold_network

from napari_advseg.attacks import Measured, Target, score_organs
from napari_advseg.evidence import draw_examples, organ_colour
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import SOFT_TISSUE, Region, volume_from_array

REGION = Region((1, 2, 3), (12, 24, 23))


def target_of(budget: Budget | None = None) -> Target:
    ct, reference = graded_ct()
    reference[5, 4:6] = 1  # the slice with most of the organ; the network does not find that part
    ct = volume_from_array(ct.hu, spacing=(4.0, 3.0, 1.5))
    network = threshold_network()
    placed = network.on(ct.grid)
    kind = Kind(velocity_mm=9.0, appearance_mm=(6.0,))
    synthesis = Synthesis(ct, REGION, budget or Budget(5.0, 12.0), kind, torch.device("cpu"))
    labels = placed.labels(torch.from_numpy(ct.hu))
    return Target(placed, synthesis, reference, score_organs(network.card.labels, labels, reference))


def columns(target: Target) -> dict[float, Measured]:
    made = target.synthesis
    parameters = made.project(0.8 * torch.randn(made.size, generator=torch.Generator().manual_seed(0)))
    return {0.1: target.measure(parameters, 0.4), 0.25: target.measure(parameters), 0.5: target.measure(made.zeros())}


@pytest.fixture
def made(tmp_path: Path, drawn: list[Figure]) -> tuple[Target, dict[float, Measured], Figure]:
    target = target_of()
    measured = columns(target)
    assert draw_examples(target, measured, tmp_path) == tmp_path / "examples.png"
    assert [file.name for file in tmp_path.iterdir()] == ["examples.png"]
    with Image.open(tmp_path / "examples.png") as picture:
        assert picture.format == "PNG"
    return target, measured, drawn[0]


def test_each_column_shows_the_perturbed_ct_over_what_was_added_on_one_slice(made) -> None:
    target, measured, figure = made
    above, below = np.array(figure.axes[:6]).reshape(2, 3)
    index = 5 - REGION.start[0]
    for column, found in enumerate(measured.values()):
        (ct,), (added,) = above[column].get_images(), below[column].get_images()
        assert np.array_equal(np.asarray(ct.get_array()), found.perturbed[index])
        assert np.array_equal(np.asarray(added.get_array()), found.appearance[index])
        assert ct.get_clim() == SOFT_TISSUE
        assert added.get_clim() == (-12.0, 12.0)  # the budget, so that columns can be compared
        for axes in (above[column], below[column]):
            assert axes.get_aspect() == pytest.approx(3.0 / 1.5)
            assert not axes.axison
    assert target.organs[0].id == 1


def test_a_column_says_what_was_asked_what_it_cost_and_how_large_the_change_is(made) -> None:
    _, measured, figure = made
    above, below = np.array(figure.axes[:6]).reshape(2, 3)
    spacing = np.array([4.0, 3.0, 1.5]).reshape(3, 1, 1, 1)
    for column, (drop, found) in enumerate(measured.items()):
        assert above[column].get_title() == f"asked {drop:.2f}, cost {found.drop:.2f}"
        longest = np.sqrt(((found.displacement * spacing) ** 2).sum(0)).max()
        assert below[column].get_title() == f"largest {longest:.1f} mm, {np.abs(found.appearance).max():.0f} HU"
    assert below[2].get_title() == "largest 0.0 mm, 0 HU"
    assert "kept out of training" in figure._suptitle.get_text()


def test_outlines_are_the_network_s_and_the_reference_s_and_lines_show_the_shift(made) -> None:
    _, measured, figure = made
    above, below = np.array(figure.axes[:6]).reshape(2, 3)
    index = 5 - REGION.start[0]
    for column, found in enumerate(measured.values()):
        dotted, solid = above[column].collections
        assert [to_hex(one.get_edgecolor()[0]) for one in (dotted, solid)] == [organ_colour(1)] * 2
        assert dotted.get_linestyle() != solid.get_linestyle()
        mine = found.attacked[REGION.slices][index] == 1
        theirs = graded_ct()[1]
        theirs[5, 4:6] = 1
        for drawn, mask in ((solid, mine), (dotted, theirs[REGION.slices][index] == 1)):
            lines = np.concatenate([path.vertices for path in drawn.get_paths()])
            rows, across = np.nonzero(mask)
            assert lines[:, 1].min() == pytest.approx(max(0, rows.min() - 0.5))
            assert lines[:, 0].max() == pytest.approx(min(mask.shape[1] - 1, across.max() + 0.5))
    assert len(below[2].collections) == 0  # nothing is moved
    (lines,) = below[1].collections
    assert list(lines.levels) == [1.0, 2.0, 3.0, 4.0]  # whole mm


def test_an_organ_that_is_gone_or_everywhere_has_no_outline(tmp_path: Path, drawn: list[Figure]) -> None:
    target = target_of()
    still = target.measure(target.synthesis.zeros())
    gone, everywhere = (replace(still, attacked=np.full_like(still.attacked, label)) for label in (0, 1))
    draw_examples(target, {0.1: gone, 0.2: everywhere}, tmp_path)
    for axes in drawn[0].axes[:2]:
        assert len(axes.collections) == 1  # the reference's


def test_without_a_budget_for_intensity_there_is_still_a_scale(tmp_path: Path, drawn: list[Figure]) -> None:
    target = target_of(Budget(4.0, 0.0))
    draw_examples(target, {0.1: target.measure(target.synthesis.zeros())}, tmp_path)
    (image,) = drawn[0].axes[1].get_images()
    assert image.get_clim() == (-0.5, 0.5)
