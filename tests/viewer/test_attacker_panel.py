"""The choice of the attacker: what is listed, what is asked of the core, and what the result says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from viewer.fake_core import LEARNED, FakeCore, make_case, make_ct, make_result
from viewer.test_dock import message, opened, settle

from napari_advseg.viewer.result_panel import attacker_line
from napari_advseg.viewer.state import Phase
from napari_advseg.viewer.wishes import AttackWish

MakeDock = Callable[[FakeCore], Any]


def run(dock: Any, qtbot: Any) -> None:
    """Run, and wait until what was found is shown."""
    before = dock.controller.outcome
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome not in (None, before), timeout=10_000)
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing, timeout=10_000)


def choose_learned(dock: Any, qtbot: Any) -> None:
    dock.attacker.choice.set_value(LEARNED)
    qtbot.waitUntil(lambda: bool(dock.attacker.note.text()), timeout=10_000)


def attacker_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "attacker.yaml").write_text("fake")
    return folder


def test_the_search_is_the_default_and_has_nothing_to_set(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    assert dock.attacker.choice.texts() == ["Search"]
    assert dock.attacker.generated.isHidden() or not dock.attacker.generated.isVisibleTo(dock.attacker)
    opened(dock, qtbot)
    dock.attacker.draws.setValue(5)
    run(dock, qtbot)
    assert core.attacked == [replace(core.attacked[0], attacker="search", draws=1)]
    assert not dock.result.about.text()
    assert not dock.draws.isVisibleTo(dock)


def test_the_shipped_attacker_of_the_network_in_hand_is_offered(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    assert dock.attacker.choice.texts() == ["Search", "fake2d: learned, shipped"]
    choose_learned(dock, qtbot)
    assert dock.attacker.generated.isVisibleTo(dock.attacker)
    assert dock.attacker.draws.isVisibleTo(dock.attacker)
    assert dock.attacker.note.text() == "Trained for fake."
    core.attackers = lambda _case: ()  # type: ignore[method-assign]
    dock.inputs.region.setText("0:6,2:18,3:21")
    dock.open_case()
    qtbot.waitUntil(lambda: dock.attacker.choice.texts() == ["Search"], timeout=10_000)
    assert dock.attacker.choice.value() is None
    assert not dock.attacker.note.text()


@pytest.mark.parametrize(
    ("row", "generated", "says"),
    [
        (0, "strength", "change at 80% of its strength: it cost 0.020 less than asked for."),
        (1, "alone", "as generated, nothing adjusted to this case: it cost 0.020 less than asked for."),
        (2, "start", "The search, set out from the learned attacker's change: it cost 0.020 less than asked for."),
    ],
)
def test_what_is_done_with_a_learned_change_is_asked_for_and_told(
    make_dock: MakeDock, qtbot: Any, row: int, generated: str, says: str
) -> None:
    core = FakeCore(missed=0.02)
    dock = make_dock(core)
    opened(dock, qtbot)
    choose_learned(dock, qtbot)
    assert dock.attacker.generated.currentText() == "set to the asked drop", "the default"
    dock.attacker.generated.setCurrentIndex(row)
    run(dock, qtbot)
    asked = core.attacked[-1]
    assert (asked.attacker, asked.generated, asked.draws) == (LEARNED, generated, 1)
    assert dock.result.about.text().endswith(says)
    assert dock.result.about.isVisibleTo(dock.result)
    assert "NOT reached" in dock.result.sentence.text()
    assert not dock.draws.isVisibleTo(dock), "one attack has no strip"


def test_a_change_as_generated_always_tells_what_it_missed_by() -> None:
    case = make_case(make_ct())
    wish = AttackWish(attacker=LEARNED, generated="alone")
    near = make_result(case, wish, 0.304)
    assert near.reached
    assert "0.004 more than asked for" in attacker_line(wish, near)
    adjusted = replace(wish, generated="strength")
    assert "asked for" not in attacker_line(adjusted, near)
    assert "asked for" in attacker_line(adjusted, make_result(case, wish, 0.2))
    noted = replace(near, note="The attacker was trained for another network")
    assert "The attacker was trained for another network." in attacker_line(wish, noted)


def test_a_folder_that_holds_an_attacker_is_used(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    folder = attacker_in(tmp_path / "mine")
    dock.attacker.choice.set_value(folder)
    qtbot.waitUntil(lambda: dock.attacker.note.text() == "Trained for fake.", timeout=10_000)
    run(dock, qtbot)
    assert core.attacked[-1].attacker == str(folder)


def test_the_folder_button_asks_for_a_folder(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QToolButton

    folder = attacker_in(tmp_path / "mine")
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_args, **_kwargs: str(folder))
    dock = make_dock(FakeCore())
    dock.attacker.choice.findChild(QToolButton).click()
    assert dock.attacker.choice.value() == folder
    qtbot.waitUntil(lambda: dock.attacker.note.text() == "Trained for any.", timeout=10_000)


def test_a_folder_without_an_attacker_is_refused_in_one_line(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    dock.attacker.choice.set_value(tmp_path)
    qtbot.waitUntil(lambda: message(dock) == f"{tmp_path} holds no learned attacker", timeout=10_000)
    assert dock.attacker.choice.value() is None, "the search is chosen again"
    assert tmp_path.name not in dock.attacker.choice.texts()
    assert dock.controller.phase is Phase.IDLE
    run(dock, qtbot)
    assert core.attacked[-1].attacker == "search"


def test_a_chosen_folder_is_looked_at_again_for_another_case(make_dock: MakeDock, qtbot: Any, tmp_path: Path) -> None:
    core = FakeCore()
    dock = make_dock(core)
    folder = attacker_in(tmp_path / "mine")
    dock.attacker.choice.set_value(folder)
    qtbot.waitUntil(lambda: dock.attacker.note.text() == "Trained for any.", timeout=10_000)
    opened(dock, qtbot)
    qtbot.waitUntil(lambda: dock.attacker.note.text() == "Trained for fake.", timeout=10_000)


def test_the_choice_waits_while_a_run_is_going_on(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore(endless=True)
    dock = make_dock(core)
    opened(dock, qtbot)
    choose_learned(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: "drop" in dock.job.line.text(), timeout=10_000)
    for widget in (dock.attacker.choice, dock.attacker.generated, dock.attacker.draws, dock.training.train):
        assert not widget.isEnabled()
    dock.job.cancel.click()
    settle(dock, qtbot)
    assert dock.attacker.choice.isEnabled()
