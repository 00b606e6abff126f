"""The figure: turned to the patient, on the slices where most went wrong, with numbers that a reader finds again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from findings import toy_finding
from matplotlib.figure import Figure

from napari_advseg.attacks import AttackResult, Repeats
from napari_advseg.evidence import draw_figure, figure, newly_wrong, sentence
from napari_advseg.evidence.figure import drawn_region
from napari_advseg.volume import Region, reorient, reorientation

DIRECTIONS = {
    "as stored": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "mirrored": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0),
}


def placed(name: str) -> AttackResult:
    """A result whose arrays lie otherwise in the patient."""
    result = toy_finding().result
    grid = replace(result.ct.grid, direction=DIRECTIONS[name])
    return replace(result, ct=replace(result.ct, grid=grid))


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_scene_shows_each_voxel_where_it_lies_in_the_patient(name: str) -> None:
    result = placed(name)
    scene = figure._Scene(result)
    grid, shown = result.ct.grid, drawn_region(result)
    for index in [(0, 0, 0), (3, 7, 5), tuple(n - 1 for n in scene.clean.shape)]:
        point = np.array(scene.grid.origin) + scene.grid.array_to_lps @ np.array(index)
        own = np.rint(np.linalg.inv(grid.array_to_lps) @ (point - np.array(grid.origin))).astype(int)
        assert scene.clean[index] == result.ct.hu[tuple(own)]
        assert scene.perturbed[index] == result.whole_perturbed[tuple(own)]
        assert scene.appearance[index] == result.whole_appearance[tuple(own)]
        assert scene.clean_labels[index] == result.clean_labels[tuple(own)]
        assert scene.attacked_labels[index] == result.attacked_labels[tuple(own)]
        moved = grid.array_to_lps @ result.whole_displacement[(slice(None), *own)]
        assert scene.grid.array_to_lps @ scene.displacement[(slice(None), *index)] == pytest.approx(moved, abs=1e-4)
        assert scene.length[index] == pytest.approx(np.linalg.norm(moved), abs=1e-4)
    towards = np.sign(np.diag(scene.grid.array_to_lps[::-1]))
    assert towards.tolist() == [1, 1, 1]  # superior, posterior, left
    assert scene.grid.shape == scene.clean.shape
    assert np.prod(shown.shape) == scene.clean.size


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_slices_are_those_with_most_newly_wrong_voxels(name: str) -> None:
    result = placed(name)
    scene = figure._Scene(result)
    wrong = reorient(newly_wrong(result), reorientation(result.ct.grid, "SPL"))
    for axis, index in enumerate(scene.worst):
        counts = wrong.sum(axis=tuple(other for other in range(3) if other != axis))
        assert counts[scene.first[axis] + index] == counts.max() > 0


def test_where_nothing_went_wrong_the_organs_are_shown() -> None:
    result = toy_finding().result
    nothing = replace(result, attacked_labels=result.clean_labels, moved_reference=result.clean_labels)
    scene = figure._Scene(nothing)
    organ = np.isin(scene.clean_labels, [organ.id for organ in result.organs])
    for axis, index in enumerate(scene.worst):
        counts = organ.sum(axis=tuple(other for other in range(3) if other != axis))
        assert counts[index] == counts.max() > 0


def test_a_little_around_the_region_is_drawn_and_nothing_beyond_the_ct() -> None:
    result = toy_finding().result
    inner = replace(result, region=Region((5, 6, 2), (7, 20, 22)))
    assert drawn_region(inner) == Region((1, 2, 0), (11, 24, 24))


def test_the_drawn_figures_are_those_of_the_result(tmp_path, drawn: list[Figure]) -> None:
    finding = toy_finding()
    result, evidence = finding.result, finding.evidence
    assert draw_figure(result, evidence, tmp_path / "f.png") == tmp_path / "f.png"
    assert (tmp_path / "f.png").stat().st_size > 10_000
    (made,) = drawn
    axes = np.array(made.axes[:15]).reshape(3, 5)
    scene = figure._Scene(result)
    for row, (plane, axis) in enumerate((("axial", 0), ("coronal", 1), ("sagittal", 2))):
        assert axes[row, 0].get_ylabel() == f"{plane}, slice {scene.first[axis] + scene.worst[axis]}"
        for column, volume in enumerate((scene.clean, scene.perturbed, scene.length, scene.appearance)):
            (image,) = axes[row, column].get_images()
            assert np.array_equal(np.asarray(image.get_array()), np.take(volume, scene.worst[axis], axis))
            low, high = image.get_clim()
            if column < 2:
                assert (low, high) == (-160, 240)
            elif column == 2:
                assert (low, high) == (0, pytest.approx(max(0.1, scene.length.max())))
            else:
                assert -low == high == pytest.approx(max(0.5, np.abs(scene.appearance).max()))
            assert image.origin == ("upper" if axis == 0 else "lower")  # the head is up
            spacing = [mm for a, mm in enumerate(scene.grid.spacing) if a != axis]
            assert axes[row, column].get_aspect() == pytest.approx(spacing[0] / spacing[1])
            letters = {text.get_text() for text in axes[row, column].texts}
            assert letters == set((("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))[axis])
    bars = axes[0, 4].patches
    assert [bar.get_width() for bar in bars] == [o.clean for o in result.organs] + [o.attacked for o in result.organs]
    assert [text.get_text() for text in axes[0, 4].get_yticklabels()] == [o.name for o in result.organs]
    path, control, asked = axes[1, 4].get_lines()
    assert path.get_xydata().tolist() == [[p.strength, p.drop] for p in result.path]
    assert control.get_xydata().tolist() == [[result.strength, evidence.control_drop]]
    assert set(asked.get_ydata()) == {result.target_drop}
    assert axes[1, 4].get_ylim()[0] < min(0.0, evidence.control_drop)
    (told,) = axes[2, 4].texts
    for words in (
        f"measured {result.achieved_drop:.4f}",
        f"random control {evidence.control_drop:.4f}",
        f"largest {evidence.max_displacement_mm:.2f} mm of {result.synthesis.budget.max_displacement_mm:g}",
        f"largest {evidence.max_hu:.1f} HU of {result.synthesis.budget.max_hu:g}",
        f"{result.cost.forward} forward and {result.cost.backward} backward",
    ):
        assert words in told.get_text()
    title = " ".join(made._suptitle.get_text().split())
    assert title == f"{' '.join(sentence(result, evidence).split())} Research use only."


def test_the_warped_grid_is_drawn_where_its_points_are_pulled_from() -> None:
    result = toy_finding().result
    scene = figure._Scene(result)
    axis, index = 0, scene.worst[0]
    (ax,) = [Figure().subplots()]
    figure._draw_warped_grid(ax, scene, axis, index)
    down, across = (np.take(scene.displacement[a], index, axis) for a in (1, 2))
    rows = [line.get_xydata() for line in ax.get_lines()]
    height, width = down.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    warped = np.stack([x + across, y + down], -1)
    horizontal = [warped[row] for row in range(height)]
    vertical = [warped[:, column] for column in range(width)]
    assert len(rows) >= 20
    for line in rows:
        assert any(line.shape == one.shape and np.allclose(line, one, atol=1e-5) for one in horizontal + vertical)


def test_the_sentence_tells_of_repeats_and_of_a_stop() -> None:
    finding = toy_finding()
    result = replace(finding.result, repeats=Repeats((0.19, 0.2, 0.21)), stopped="cancelled")
    text = sentence(result, finding.evidence)
    assert f"({result.clean_dice:.3f} to {result.attacked_dice:.3f})." in text
    assert "3 repeats gave 0.200 with a standard error of 0.006, cancelled." in text
    assert f"Largest shift {finding.evidence.max_displacement_mm:.1f} mm" in text
    assert text.endswith(f"largest intensity change {finding.evidence.max_hu:.1f} HU.")
