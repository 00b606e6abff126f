"""How the figure is laid out: each word and line beside what it belongs to, each organ in its colour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from findings import toy_finding
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from napari_advseg.attacks import AttackResult, Organ
from napari_advseg.evidence import Evidence, draw_figure, figure, organ_colour, sentence

TURNED = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0)


def found() -> tuple[AttackResult, Evidence]:
    finding = toy_finding()
    assert finding.evidence is not None
    return finding.result, finding.evidence


def laid_out(result: AttackResult, evidence: Evidence) -> Any:
    """The figure's rows and columns, without the seconds that it takes to paint them."""
    kept: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, path: kept.append(figure))
        draw_figure(result, evidence, Path("f.png"))
    assert len(kept[0].axes) == 15 + 6  # a scale each for displacement and intensity
    return np.array(kept[0].axes[:15]).reshape(3, 5)


@pytest.fixture(scope="module")
def axes() -> Any:
    return laid_out(*found())


def test_titles_stand_over_the_columns_and_the_legend_in_the_first_picture(axes: Any) -> None:
    titles = [one.get_title() for one in axes[0]]
    assert titles[:4] == [
        "CT and its segmentation", "perturbed CT and its segmentation", "displacement (mm)", "intensity change (HU)",
    ]  # fmt: skip
    assert "Dice per organ" in titles[4]
    assert [one.get_title() for one in axes[1, :4]] == [""] * 4
    legends = [(row, column) for row in range(3) for column in range(4) if axes[row, column].get_legend()]
    assert legends == [(0, 0)]
    legend = axes[0, 0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["liver"]
    assert [to_hex(line.get_color()) for line in legend.get_lines()] == [organ_colour(1)]


def test_displacement_and_intensity_have_their_scales_beside_them(axes: Any) -> None:
    scales = axes[0, 0].figure.axes[15:]
    for row in range(3):
        for column in (2, 3):
            (image,) = axes[row, column].get_images()
            assert image.colorbar.ax is scales[2 * row + column - 2]
            assert image.colorbar.ax._colorbar_info["parents"] == [axes[row, column]]


def test_each_letter_stands_at_its_side(axes: Any) -> None:
    for row, letters in enumerate(("RLAP", "RLSI", "APSI")):
        for column in range(4):
            left, right, top, bottom = axes[row, column].texts
            assert "".join(text.get_text() for text in (left, right, top, bottom)) == letters
            places = [text.get_position() for text in (left, right, top, bottom)]
            assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in places)
            assert left.get_position()[0] < 0.1
            assert right.get_position()[0] > 0.9
            assert top.get_position()[1] > 0.9
            assert bottom.get_position()[1] < 0.1
            assert left.get_position()[1] == right.get_position()[1] == 0.5
            assert top.get_position()[0] == bottom.get_position()[0] == 0.5
            assert [text.get_ha() for text in (left, right, top, bottom)] == ["left", "left", "center", "center"]
            assert list(axes[row, column].get_xticks()) == list(axes[row, column].get_yticks()) == []


def test_both_segmentations_are_outlined_on_their_own_ct(axes: Any) -> None:
    scene = figure._Scene(found()[0])
    for row in range(3):
        for column, labels in ((0, scene.clean_labels), (1, scene.attacked_labels)):
            mask = np.take(labels, scene.worst[row], row) == 1
            (contour,) = axes[row, column].collections
            assert to_hex(contour.get_edgecolor()[0]) == organ_colour(1)
            line = np.concatenate([path.vertices for path in contour.get_paths()])
            rows, columns = np.nonzero(mask)
            assert line.min(0) == pytest.approx([columns.min() - 0.5, rows.min() - 0.5])
            assert line.max(0) == pytest.approx([columns.max() + 0.5, rows.max() + 0.5])
        assert len(axes[row, 2].collections) == len(axes[row, 3].collections) == 0


@pytest.mark.parametrize("label", [0, 1])
def test_an_organ_that_fills_the_slice_or_is_not_in_it_has_no_outline(label: int) -> None:
    result, evidence = found()
    rows = laid_out(replace(result, clean_labels=np.full_like(result.clean_labels, label)), evidence)
    assert [len(row[0].collections) for row in rows] == [0, 0, 0]


def test_bars_stand_beside_their_name_the_clean_one_above() -> None:
    result, _ = found()
    organs = (Organ(1, "left_lung", 60, 0.95, 0.7), Organ(2, "liver", 60, 0.9, 0.4))
    ax = Figure().subplots()
    figure._draw_bars(ax, replace(result, organs=organs))
    clean, attacked = ax.patches[:2], ax.patches[2:]
    for number, (organ, pale, full) in enumerate(zip(organs, clean, attacked, strict=True)):
        assert (pale.get_width(), full.get_width()) == (organ.clean, organ.attacked)
        middles = [bar.get_y() + bar.get_height() / 2 for bar in (pale, full)]
        assert middles[0] < number < middles[1]
        assert middles[0] + middles[1] == pytest.approx(2 * number)
        assert pale.get_y() > number - 0.5
        assert pale.get_y() + pale.get_height() <= full.get_y() + 0.03
        assert full.get_y() + full.get_height() < number + 0.5
        assert {to_hex(bar.get_facecolor()) for bar in (pale, full)} == {organ_colour(organ.id)}
    assert ax.yaxis_inverted()  # the first organ is the uppermost
    assert ax.get_xlim() == (0, 1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["left lung", "liver"]


@pytest.mark.parametrize("control", [0.02, -0.04])
def test_the_path_shows_attack_chance_and_what_was_asked(control: float) -> None:
    result, evidence = found()
    ax = Figure().subplots()
    figure._draw_path(ax, result, replace(evidence, control_drop=control))
    attack, chance, asked = ax.get_lines()
    assert attack.get_xydata().tolist() == [[point.strength, point.drop] for point in result.path]
    assert chance.get_xydata().tolist() == [[result.strength, control]]
    assert list(asked.get_ydata()) == [result.target_drop] * 2
    assert min(0, control) - 0.1 < ax.get_ylim()[0] < min(0, control)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["attack", "random change of the same size", "asked for"]
    assert ax.get_xlabel() == "strength"
    assert ax.get_title() == "Dice drop against strength"


def test_the_figures_are_told_in_their_units_from_the_top_of_their_place() -> None:
    result, evidence = found()
    ax = Figure().subplots()
    figure._draw_text(ax, result, evidence)
    (text,) = ax.texts
    assert text.get_position() == (0, 1)
    assert text.get_va() == "top"
    assert text.get_transform() == ax.transAxes
    assert not ax.axison
    assert text.get_text().splitlines() == [
        f"drop asked 0.200, measured {result.achieved_drop:.4f}",
        f"random control {evidence.control_drop:.4f}",
        f"shift: largest {evidence.max_displacement_mm:.2f} mm of 5, mean {evidence.mean_displacement_mm:.2f} mm",
        f"intensity: largest {evidence.max_hu:.1f} HU of 15, rms {evidence.rms_hu:.2f} HU",
        f"Jacobian {evidence.min_jacobian:.2f} to {evidence.max_jacobian:.2f}",
        f"noise power, perturbed over clean: {evidence.noise_ratio:.3f}",
        f"SSIM in the soft-tissue window: {evidence.ssim:.4f}",
        f"{result.cost.forward} forward and {result.cost.backward} backward passes, {result.cost.seconds:.0f} s",
    ]


@pytest.mark.parametrize(("size", "lines"), [(24, 24), (66, 22), (44, 22), (7, 7)])
def test_a_large_slice_has_as_few_grid_lines_as_are_seen(size: int, lines: int) -> None:
    field = np.zeros((3, 4, size, size), np.float32)
    field[1], field[2] = 0.25, -0.5  # pulled from a quarter of a voxel below and half a voxel to the left
    ax = Figure().subplots()
    figure._draw_warped_grid(ax, SimpleNamespace(displacement=field), 0, 2)  # type: ignore[arg-type]
    drawn = [line.get_xydata() for line in ax.get_lines()]
    assert len(drawn) == 2 * lines
    step = size // lines
    for number, line in enumerate(drawn[:lines]):
        assert np.allclose(line[:, 1], number * step + 0.25)
        assert np.allclose(line[:, 0], np.arange(size) - 0.5)
    for number, line in enumerate(drawn[lines:]):
        assert np.allclose(line[:, 0], number * step - 0.5)
        assert np.allclose(line[:, 1], np.arange(size) + 0.25)


def test_what_hardly_changed_has_a_scale_all_the_same() -> None:
    result, evidence = found()
    still = replace(
        result, displacement=np.zeros_like(result.displacement), appearance=np.zeros_like(result.appearance)
    )
    row = laid_out(still, evidence)[0]
    assert row[2].get_images()[0].get_clim() == (0, 0.1)
    assert row[3].get_images()[0].get_clim() == (-0.5, 0.5)


def test_a_turned_ct_counts_its_slices_from_the_patient_s_own_ends() -> None:
    result, _ = found()
    grid = replace(result.ct.grid, direction=TURNED)
    scene = figure._Scene(replace(result, ct=replace(result.ct, grid=grid)))
    assert scene.grid.shape == scene.clean.shape == scene.length.shape
    assert all(0 <= first < n for first, n in zip(scene.first, scene.grid.shape, strict=True))


def test_the_sentence_says_what_was_missed_and_needs_no_evidence() -> None:
    result, evidence = found()
    missed = replace(result, target_drop=0.8)
    text = sentence(missed, None)
    drop, before, after = result.achieved_drop, result.clean_dice, result.attacked_dice
    assert text == f"Asked for a Dice drop of 0.80: NOT reached, closest {drop:.3f} ({before:.3f} to {after:.3f})."
    assert sentence(replace(missed, stopped="cancelled"), None) == f"{text[:-1]}, cancelled."
    assert sentence(missed, evidence).startswith(text)
    assert "Largest shift" in sentence(missed, evidence)
    assert "The network is random" not in sentence(missed, evidence)
