"""Several draws of a learned attacker: the strip of pictures, and picking another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtGui import QColor
from viewer.fake_core import EVIDENCE, LEARNED, FakeCore, make_case, make_ct, make_result
from viewer.test_attacker_panel import choose_learned, run
from viewer.test_dock import case_layers, message, opened, settle

from napari_advseg.case import Finding
from napari_advseg.evidence import organ_colour
from napari_advseg.viewer.draws_panel import _FRAME
from napari_advseg.viewer.in_hand import Draw, best_draw
from napari_advseg.viewer.thumbnails import LONGEST, largest, size, thumbnail
from napari_advseg.viewer.wishes import AttackWish

MakeDock = Callable[[FakeCore], Any]
WISH = AttackWish(attacker=LEARNED)


def draw_of(drop: float, change: float) -> Draw:
    case = make_case(make_ct())
    finding = Finding(case, make_result(case, WISH, drop), EVIDENCE)
    return Draw(1, finding, np.zeros((2, 2, 3), np.uint8), 1.0, 1.0, change)


def run_draws(dock: Any, qtbot: Any, count: int = 3) -> None:
    opened(dock, qtbot)
    choose_learned(dock, qtbot)
    dock.attacker.draws.setValue(count)
    run(dock, qtbot)


def pick(dock: Any, qtbot: Any, index: int) -> None:
    dock.draws.tiles[index].click()
    qtbot.waitUntil(lambda: dock.controller.outcome.picked == index, timeout=10_000)
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=10_000)


def framed(dock: Any) -> list[int]:
    return [index for index, tile in enumerate(dock.draws.tiles) if tile.isChecked()]


def test_draws_have_seeds_that_follow_each_other(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    dock.limits.seed.setValue(6)
    dock.limits.thorough.setChecked(True)
    run_draws(dock, qtbot, 4)
    assert [wish.seed for wish in core.attacked] == [6, 7, 8, 9]
    assert {(wish.attacker, wish.draws, wish.thorough) for wish in core.attacked} == {(LEARNED, 1, True)}
    assert len(dock.draws.tiles) == 4


def test_the_smallest_change_that_reached_the_drop_is_picked_at_first(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    outcome = dock.controller.outcome
    assert outcome.picked == outcome.best == 1
    assert framed(dock) == [1]
    assert outcome.finding is outcome.draws[1].finding
    assert case_layers(dock)["perturbed"].data[0, 2, 3] == outcome.finding.result.whole_perturbed[0, 2, 3]
    assert "3 draws, 3 reached the drop; number 2 is the smallest change" in dock.draws.title.text()
    assert best_draw([draw_of(0.3, 0.5), draw_of(0.2, 0.1), draw_of(0.3, 0.4)]) == 2, "what missed does not count"
    assert best_draw([draw_of(0.2, 0.1), draw_of(0.27, 0.9)]) == 1, "the nearest where none reached it"


def test_each_tile_tells_drop_and_size(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    for tile, draw in zip(dock.draws.tiles, dock.controller.outcome.draws, strict=True):
        mm = float(dock.controller._core.results[draw.finding.result.seed].displacement_mm.max())
        assert tile.text() == f"{draw.number}: reached\ndrop 0.300\n{mm:.1f} mm, 7.0 HU"
    dock.controller._core.missed = 0.05
    run(dock, qtbot)
    assert dock.draws.tiles[0].text().startswith("1: missed\ndrop 0.250\n")
    assert "0 reached the drop; number 1 is the nearest" in dock.draws.title.text()


def test_the_picked_tile_has_a_visible_frame(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    dock.show()

    def frames() -> list[int]:
        """How many pixels of each tile have the frame's colour."""
        found = []
        for tile in dock.draws.tiles:
            image = tile.grab().toImage()
            colour = QColor(_FRAME).rgb()
            found.append(
                sum(image.pixel(x, y) == colour for x in range(image.width()) for y in (1, image.height() - 2))
            )
        return found

    counts = frames()
    assert counts[1] > 50
    assert counts[0] == counts[2] == 0
    pick(dock, qtbot, 2)
    counts = frames()
    assert counts[2] > 50
    assert counts[1] == 0


def test_picking_another_draw_shows_and_tells_that_one(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    run_draws(dock, qtbot)
    before = {role: np.array(layer.data) for role, layer in case_layers(dock).items()}
    point = dock._viewer.dims.point
    dock._viewer.dims.set_point(0, 34.0)
    pick(dock, qtbot, 2)
    after = case_layers(dock)
    for role in ("perturbed", "shift", "attacked", "arrows"):
        assert not np.array_equal(before[role], after[role].data), role
    assert np.array_equal(before["ct"], after["ct"].data)
    result = dock.controller.outcome.draws[2].finding.result
    assert dock.controller.outcome.finding.result is result
    assert framed(dock) == [2]
    assert len(core.attacked) == 3, "nothing was attacked anew"
    assert dock._viewer.dims.point[0] == 34.0 != point[0], "the slice that is looked at stays"
    pick(dock, qtbot, 1)
    for role in ("perturbed", "shift", "attacked", "arrows"):
        assert np.array_equal(before[role], case_layers(dock)[role].data), role


def test_only_the_shown_draw_holds_volumes_and_another_has_its_own_again(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    run_draws(dock, qtbot, 5)

    def held() -> list[bool]:
        return [draw.finding.result.perturbed.size > 0 for draw in dock.controller.outcome.draws]

    assert held() == [index == dock.controller.outcome.picked for index in range(5)]
    for index in (3, 0, 4):
        pick(dock, qtbot, index)
        assert held() == [number == index for number in range(5)]
        shown, made = dock.controller.outcome.finding.result, core.results[index]
        for name in ("perturbed", "displacement", "appearance", "attacked_labels", "moved_reference"):
            assert np.array_equal(getattr(shown, name), getattr(made, name)), name
        assert shown.achieved_drop == made.achieved_drop
    assert len(core.attacked) == 5


def test_layers_of_a_picked_draw_are_made_in_the_workers_thread(
    make_dock: MakeDock, qtbot: Any, monkeypatch: Any
) -> None:
    import threading

    from napari_advseg.viewer import jobs

    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    made, threads = jobs.finding_scene, []

    def noted(*what: Any) -> Any:
        threads.append(threading.current_thread().name)
        return made(*what)

    monkeypatch.setattr(jobs, "finding_scene", noted)
    pick(dock, qtbot, 0)
    assert threads == ["napari-advseg"]


def test_of_several_clicks_in_a_row_the_last_one_counts(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    dock.draws.tiles[0].click()
    dock.draws.tiles[2].click()
    qtbot.waitUntil(lambda: dock.controller.outcome.picked == 2 and not dock.controller.phase.busy, timeout=10_000)
    assert framed(dock) == [2]


def test_save_writes_the_picked_draw(make_dock: MakeDock, qtbot: Any, tmp_path: Path, monkeypatch: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    run_draws(dock, qtbot)
    pick(dock, qtbot, 2)
    save, saved = core.save, []
    monkeypatch.setattr(core, "save", lambda finding, *rest: saved.append(finding) or save(finding, *rest))
    dock.save_to(tmp_path / "bundle")
    qtbot.waitUntil(lambda: dock.controller.saved_to is not None, timeout=10_000)
    assert [finding.result.seed for finding in saved] == [2]
    outcome = dock.controller.outcome
    assert outcome.finding is outcome.draws[2].finding, "what saving measured is kept with its draw"
    pick(dock, qtbot, 0)
    assert dock.controller.saved_to is None
    assert message(dock) == "", "this draw has not been saved"


def test_cancel_leaves_the_draws_already_found(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    core.endless_at = 3
    dock = make_dock(core)
    opened(dock, qtbot)
    choose_learned(dock, qtbot)
    dock.attacker.draws.setValue(5)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.job.line.text().startswith("Draw 3 of 5: Looking"), timeout=10_000)
    assert 400 < dock.job.bar.value() < 600
    dock.job.cancel.click()
    settle(dock, qtbot)
    assert len(dock.controller.outcome.draws) == len(dock.draws.tiles) == 2
    assert message(dock) == "Stopped after 2 of 5 draws."
    assert framed(dock) == [1]
    assert "cancelled" not in dock.result.sentence.text()


def test_cancel_in_the_first_draw_keeps_its_best_so_far(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_dock(core)
    opened(dock, qtbot)
    choose_learned(dock, qtbot)
    dock.attacker.draws.setValue(3)
    dock.job.run.click()
    qtbot.waitUntil(lambda: "Draw 1 of 3" in dock.job.line.text(), timeout=10_000)
    dock.job.cancel.click()
    settle(dock, qtbot)
    assert len(core.attacked) == 1
    assert "cancelled" in dock.result.sentence.text()
    assert message(dock) == "Stopped after 1 of 3 draws."


def test_a_fault_in_a_later_draw_leaves_the_earlier_ones(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    core.failing_at = 2
    dock = make_dock(core)
    run_draws(dock, qtbot)
    assert len(dock.draws.tiles) == 1
    assert message(dock) == "Stopped after 1 of 3 draws. the device fell asleep"


def test_a_single_attack_afterwards_takes_the_strip_away(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    assert dock.draws.isVisibleTo(dock)
    dock.attacker.draws.setValue(1)
    run(dock, qtbot)
    assert not dock.draws.isVisibleTo(dock)
    assert dock.draws.tiles == []


def test_opening_another_case_takes_the_strip_away(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    dock.inputs.open_button.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is None, timeout=10_000)
    settle(dock, qtbot)
    assert not dock.draws.isVisibleTo(dock)


def test_renaming_an_organ_renames_it_in_every_draw(make_dock: MakeDock, qtbot: Any) -> None:
    dock = make_dock(FakeCore())
    run_draws(dock, qtbot)
    dock.network.table.item(1, 1).setText("foie")
    assert dock.result.table.item(0, 0).text() == "foie"
    pick(dock, qtbot, 0)
    assert dock.result.table.item(0, 0).text() == "foie"
    assert "foie" in list(case_layers(dock)["attacked"].features["organ"])


def test_a_thumbnail_shows_the_organs_slice_as_the_viewer_does() -> None:
    case = make_case(make_ct())
    result = make_result(case, WISH, 0.3)
    finding = Finding(case, result, EVIDENCE)
    picture = thumbnail(finding)
    assert picture.dtype == np.uint8
    assert max(picture.shape[:2]) == LONGEST
    assert picture.shape[2] == 3
    liver = np.array([int(organ_colour(1)[at : at + 2], 16) for at in (1, 3, 5)])
    outlined = (np.abs(picture.astype(int) - liver).max(-1) <= 2).any()
    assert outlined, "the moved reference of the liver is a line of its colour"
    without = replace(result, attacked_labels=np.zeros_like(result.attacked_labels))
    unpainted = thumbnail(Finding(case, without, EVIDENCE))
    assert 0.02 < (unpainted != picture).any(-1).mean() < 0.9, "the segmentation is painted over the CT"
    missing = replace(result, perturbed=result.perturbed + 40)
    assert (thumbnail(Finding(case, missing, EVIDENCE)) > picture).any(), "the perturbed CT, not the clean one"


def test_the_size_of_a_change_is_measured_in_budgets() -> None:
    case = make_case(make_ct())
    result = make_result(case, WISH, 0.3)
    assert largest(result) == (float(result.displacement_mm.max()), 7.0)
    doubled = replace(result, displacement=2 * result.displacement, appearance=2 * result.appearance)
    assert np.isclose(size(doubled), 2 * size(result))
    only_hu = replace(result, displacement=0 * result.displacement)
    assert np.isclose(size(only_hu), 7.0 / 15.0)
