"""The network panel and its names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer.fake_core import FakeCore, make_ct, make_labels
from viewer.test_dock import attacked, case_layers, message, opened, settle

from napari_advseg.viewer.card_fields import CardFields
from napari_advseg.viewer.network_facts import facts, intensity_in_words, with_name

MakeDock = Callable[[FakeCore], Any]
SHA = "0123456789abcdef" * 4
ABOUT = {
    "format": "torchscript",
    "class": "UNet",
    "parameters": 50019,
    "spacing": [2.5, 2.5],
    "intensity": {"rule": "window", "low": -160.0, "high": 240.0},
    "random": True,
    "memory_mb": 2048.0,
    "licence": "BSD-3-Clause",
    "source": "somewhere",
    "sha256": SHA,
    "missing": ["patch"],
}
FIELDS = CardFields(name="mine", dimensions=2, labels="background\nliver, kidney_left", divisible_by=4)
NAMES = ((0, "background"), (1, "liver"), (2, "kidney_left"))


def lines(dock: Any) -> dict[str, str]:
    """The panel's lines as shown."""
    form = dock.network._form
    rows = [
        (form.itemAt(row, form.ItemRole.LabelRole), form.itemAt(row, form.ItemRole.FieldRole))
        for row in range(form.rowCount())
    ]
    return {title.widget().text(): text.widget().text() for title, text in rows}


def type_name(dock: Any, row: int, name: str) -> None:
    """As a user does who edits the table."""
    dock.network.table.item(row, 1).setText(name)


def shown_names(dock: Any) -> list[str]:
    return [dock.network.table.item(row, 1).text() for row in range(dock.network.table.rowCount())]


def add_reference(dock: Any, names: dict[int, str] | None) -> Any:
    layer = dock._viewer.add_labels(
        make_labels(make_ct()).astype(np.int32), name="truth", scale=(4.0, 2.0, 1.5), translate=(30.0, -20.0, 10.0)
    )
    if names is not None:
        layer.metadata["napari_advseg"] = {"role": "labels", "names": names}
    return layer


def test_the_panel_says_what_is_known(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    core.about = ABOUT
    dock = make_dock(core)
    assert dock.network.isHidden()
    opened(dock, qtbot)
    assert not dock.network.isHidden()
    assert dock.network.fold.text() == "Network: fake"
    shown = lines(dock)
    assert shown["Parameters"] == "50,019"
    assert shown["Works in"] == "2-D, slice by slice"
    assert shown["Voxel size"] == "2.5 × 2.5 mm"
    assert shown["Intensity"] == "-160 to 240 HU become 0 to 1, clipped"
    assert shown["Answers"].startswith("random")
    assert shown["Memory"] == "2.0 GB a pass"
    assert shown["SHA-256"] == SHA[:12] + "…"
    assert shown["Missing"] == "patch"
    assert shown_names(dock) == ["background", "liver", "kidney_left"]
    dock.inputs.network.set_value(Path("other.pth"))
    assert dock.network.isHidden(), "nothing is known of the other network yet"


def test_missing_keys_have_no_line() -> None:
    assert facts({}) == ()
    assert [fact.title for fact in facts({"name": "x", "random": False})] == ["Name", "Answers"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"rule": "none"}, "HU as they are"),
        ({"rule": "zscore", "mean": 100, "std": 50, "low": -200}, "clipped to -200 to ∞ HU, minus 100, divided by 50"),
        ({"rule": "image_zscore", "mask": "none"}, "z-score by the image's own mean and deviation"),
        ({"rule": "something new"}, "something new"),
    ],
)
def test_intensity_rules_are_put_in_words(rule: dict[str, Any], words: str) -> None:
    assert intensity_in_words(rule) == words


def test_steps_are_put_in_words() -> None:
    steps = [
        {"step": "orient", "axes": "RAS"},
        {"step": "resample", "spacing": [None, 1.5, 1.5]},
        {"step": "scale", "intensity": {"rule": "none"}},
    ]
    shown = {fact.title: fact.text for fact in facts({"dimensions": 3, "steps": steps, "intensity": {"rule": "none"}})}
    assert shown["Steps"] == "axes to RAS; resample to as is × 1.5 × 1.5 mm; HU as they are"
    assert "Voxel size" not in shown


@pytest.mark.parametrize("with_result", [False, True])
def test_a_label_is_renamed_everywhere(make_dock: MakeDock, qtbot: Any, with_result: bool) -> None:
    core = FakeCore()
    dock = make_dock(core)
    (attacked if with_result else opened)(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.layers.showing)
    dock.organs.check(["kidney_left"])
    outcome = dock.controller.outcome
    type_name(dock, 1, "  foie ")
    assert shown_names(dock) == ["background", "foie", "kidney_left"]
    assert [organ.name for organ in dock.controller.in_hand.case.organs] == ["foie", "kidney_left"]
    assert dock.organs._list.item(0).text().startswith("foie")
    assert dock.organs.chosen_names() == ("kidney_left",), "the check marks stay"
    for role in ("clean", "attacked", "moved_reference") if with_result else ("clean",):
        layer = case_layers(dock)[role]
        assert list(layer.features["organ"]) == ["background", "foie", "kidney left"], role
        assert layer.metadata["napari_advseg"]["names"][1] == "foie", role
    if with_result:
        assert dock.result.table.item(0, 0).text() == "foie"
        assert [organ.name for organ in dock.controller.outcome.finding.result.organs] == ["foie", "kidney_left"]
        assert dock.controller.outcome.finding.result.perturbed is outcome.finding.result.perturbed
    dock.organs.check(["foie"])
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome not in (None, outcome) and not dock.controller.phase.busy)
    assert len(core.opened) == 1, "the case need not be opened again"
    assert core.attacked[-1].organs == ("foie",)


@pytest.mark.parametrize("name", ["", "   ", "Left kidney"])
def test_an_empty_or_second_name_is_refused(make_dock: MakeDock, qtbot: Any, name: str) -> None:
    dock = make_dock(FakeCore())
    opened(dock, qtbot)
    type_name(dock, 1, name)
    assert shown_names(dock) == ["background", "liver", "kidney_left"]
    assert dock.organs.chosen_names() == ("liver", "kidney_left")
    assert ("needs a name" if not name.strip() else "same organ as label 2") in message(dock)


def test_a_label_may_take_another_spelling_of_its_own_name() -> None:
    assert with_name(NAMES, 2, "Kidney, left")[2] == (2, "Kidney, left")


def test_a_reference_matched_by_name_opens_the_case_again(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    dock.inputs.reference.set_value(add_reference(dock, {1: "foie", 2: "kidney_left"}))
    opened(dock, qtbot)
    type_name(dock, 1, "foie")
    qtbot.waitUntil(lambda: len(core.opened) == 2 and not dock.controller.phase.busy, timeout=10_000)
    assert core.opened[-1].labels == ((0, "background"), (1, "foie"), (2, "kidney_left"))
    assert dock.organs.chosen_names() == ("foie", "kidney_left")
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert len(core.opened) == 2
    outcome = dock.controller.outcome
    type_name(dock, 1, "hepar")
    assert dock.controller.outcome is outcome, "a result is not thrown away by a name"
    assert dock.result.table.item(0, 0).text() == "foie"
    assert "next run" in message(dock)
    settle(dock, qtbot)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome not in (None, outcome), timeout=10_000)
    assert len(core.opened) == 3
    assert core.attacked[-1].organs == ("hepar", "kidney_left")


def test_another_network_has_its_own_names(make_dock: MakeDock, qtbot: Any) -> None:
    core = FakeCore()
    dock = make_dock(core)
    opened(dock, qtbot)
    type_name(dock, 1, "foie")
    dock.inputs.network.set_value(Path("other.pth"))
    qtbot.waitUntil(lambda: len(core.opened) == 2 and not dock.controller.phase.busy, timeout=10_000)
    assert core.opened[-1].labels == ()
    assert dock.organs.chosen_names() == ("liver", "kidney_left")


@pytest.mark.parametrize(("kind", "can"), [("torchscript", True), ("export", True), ("weights", False)])
def test_trust_can_be_withdrawn(make_dock: MakeDock, qtbot: Any, kind: str, can: bool) -> None:
    core = FakeCore()
    core.about = ABOUT | {"format": kind}
    dock = make_dock(core)
    opened(dock, qtbot)
    assert dock.network.withdraw.isHidden() is not can
    if can:
        dock.network.withdraw.click()
        assert core.withdrawn == [SHA]
        assert "Trust withdrawn" in message(dock)
        assert not dock.network.withdraw.isEnabled()


def test_a_consent_that_cannot_be_withdrawn_is_told(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = FakeCore()
    core.about = ABOUT
    dock = make_dock(core)
    opened(dock, qtbot)

    def fail(_sha256: str) -> None:
        raise PermissionError(13, "Permission denied", "/settings")

    monkeypatch.setattr(core, "withdraw_trust", fail)
    dock.network.withdraw.click()
    assert message(dock) == "The consent could not be withdrawn: Permission denied: /settings"
