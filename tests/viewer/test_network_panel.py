"""The network panel, its names, and the model card that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer.fake_core import FakeCore, make_ct, make_labels
from viewer.test_dock import attacked, case_layers, message, opened, settle, user_layer

from napari_advseg.networks import ModelCard, read_card
from napari_advseg.networks.opening import CardNeededError
from napari_advseg.viewer.card_fields import CardFields, card_content
from napari_advseg.viewer.core import PackageCore
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


# The model card that is asked for


def needs_card(core: FakeCore, path: Path, kind: str = "torchscript") -> None:
    """The next opening finds no card, as with a checkpoint that has none."""
    core.fault = CardNeededError(path, kind, SHA)


def answer_with(monkeypatch: pytest.MonkeyPatch, answers: list[CardFields | None]) -> list[Any]:
    """Fill in the dialog instead of the user; gives what it was started with."""
    started: list[Any] = []

    def ask(_parent: Any, _path: Path, kind: str, sha256: str, make: Any, start: CardFields | None) -> Any:
        started.append(start)
        fields = answers.pop(0)
        return None if fields is None else (make(card_content(fields, kind, sha256)), fields)

    monkeypatch.setattr("napari_advseg.viewer.questions.ask_card", ask)
    return started


def test_the_card_is_kept_beside_the_checkpoint(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer_with(monkeypatch, [FIELDS])
    core = FakeCore()
    needs_card(core, tmp_path / "model.ts")
    dock = make_dock(core)
    opened(dock, qtbot)
    assert [wish.card and wish.card.name for wish in core.opened] == [None, "mine"]
    card = read_card(tmp_path / "model.yaml")
    assert (card.name, card.dimensions, card.sha256, card.divisible_by) == ("mine", 2, SHA, 4)
    assert card.labels == dict(NAMES)
    assert [file.name for file in tmp_path.iterdir()] == ["model.yaml"]
    assert "model.yaml" in message(dock)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert len(core.opened) == 2, "the card beside the file is the one that the case was opened with"


def test_a_card_that_cannot_be_written_stays_in_memory(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer_with(monkeypatch, [FIELDS])
    core = FakeCore()
    needs_card(core, tmp_path / "not there" / "model.ts")
    dock = make_dock(core)
    opened(dock, qtbot)
    assert "could not be kept" in message(dock)
    dock.job.run.click()
    qtbot.waitUntil(lambda: dock.controller.outcome is not None, timeout=10_000)
    assert len(core.opened) == 2
    settle(dock, qtbot)
    dock.inputs.open_button.click()
    qtbot.waitUntil(lambda: len(core.opened) == 3 and not dock.controller.phase.busy, timeout=10_000)
    assert core.opened[-1].card is not None


def test_a_card_that_does_not_serve_is_not_kept(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = answer_with(monkeypatch, [FIELDS, replace(FIELDS, name="better")])
    core = FakeCore()
    path = tmp_path / "model.ts"
    needs_card(core, path)
    given = core.make_card

    def make(content: dict[str, Any]) -> ModelCard:
        core.fault = ValueError("the network gives 5 classes, its card names 3") if len(started) == 1 else None
        return given(content)

    monkeypatch.setattr(core, "make_card", make)
    dock = make_dock(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: "5 classes" in message(dock), timeout=10_000)
    assert "correct the model card" in message(dock)
    assert not list(tmp_path.iterdir())
    needs_card(core, path)
    dock.open_case()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)
    assert started == [None, FIELDS], "what was typed is there again"
    assert read_card(tmp_path / "model.yaml").name == "better"


def test_cancelling_leaves_a_usable_dock(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer_with(monkeypatch, [None])
    core = FakeCore()
    needs_card(core, tmp_path / "model.ts")
    dock = make_dock(core)
    dock.inputs.ct.set_value(user_layer(dock))
    dock.inputs.network.set_value("fake")
    qtbot.waitUntil(lambda: "no model card" in message(dock), timeout=10_000)
    assert not dock.controller.phase.busy
    assert not list(tmp_path.iterdir())
    dock.open_case()
    qtbot.waitUntil(lambda: dock.controller.in_hand is not None, timeout=10_000)


def test_the_dialog_waits_for_a_valid_card(qtbot: Any, tmp_path: Path) -> None:
    from napari_advseg.viewer.card_dialog import CardDialog

    dialog = CardDialog(None, tmp_path / "net.pth", "weights", SHA, PackageCore().make_card)
    qtbot.addWidget(dialog)
    assert dialog.name.text() == "net"
    assert not dialog.ok.isEnabled()
    assert dialog.fault.text().startswith("labels")
    dialog.labels.setPlainText("background\nliver\nspleen")
    assert dialog.fault.text().startswith("class")
    dialog.class_name.setCurrentText("UNet")
    dialog.arguments.setPlainText("{spatial_dims: 2}")
    assert dialog.fault.text().startswith("arguments")
    dialog.arguments.setPlainText('{"spatial_dims": 2}')
    assert dialog.ok.isEnabled()
    dialog.spacing.setText("1.5, 1.5")
    assert "spacing needs 3 positive numbers" in dialog.fault.text()
    assert "\n" not in dialog.fault.text()
    assert not dialog.ok.isEnabled()
    dialog.dimensions.setCurrentIndex(0)
    dialog.rule.setCurrentIndex(1)
    assert "low < high" in dialog.fault.text()
    dialog.low.setText("-100")
    dialog.high.setText("300")
    dialog.out.setCurrentIndex(1)
    dialog.size_kind.setCurrentIndex(1)
    dialog.size.setText("256 x 256")
    assert dialog.ok.isEnabled(), dialog.fault.text()
    card = dialog.card
    assert card.architecture.class_name == "monai.networks.nets.UNet"
    assert card.input_size == (256, 256)
    assert (card.intensity.low, card.intensity.out_low) == (-100, -1)
    dialog.orientation.setText("XYZ")
    assert "orientation" in dialog.fault.text()
    assert not dialog.ok.isEnabled()


def test_the_dialog_starts_with_what_was_typed_before(qtbot: Any, tmp_path: Path) -> None:
    from napari_advseg.viewer.card_dialog import CardDialog

    typed = replace(
        FIELDS, rule="zscore", low="-100", high="300", mean="80", std="120", size_kind="patch", size="64 64"
    )
    dialog = CardDialog(None, tmp_path / "net.ts", "torchscript", SHA, PackageCore().make_card, typed)
    qtbot.addWidget(dialog)
    assert dialog.fields() == typed
    assert dialog.ok.isEnabled()


@pytest.mark.parametrize("accept", [True, False])
def test_the_dialog_is_asked_and_gone(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, accept: bool
) -> None:
    from napari_advseg.viewer.card_dialog import CardDialog, ask_card

    monkeypatch.setattr(
        CardDialog, "exec", lambda dialog: CardDialog.DialogCode.Accepted if accept else CardDialog.DialogCode.Rejected
    )
    given = ask_card(None, tmp_path / "net.ts", "torchscript", SHA, PackageCore().make_card, FIELDS)
    assert (given is not None) is accept
    if given is not None:
        assert given[0].name == "mine"
        assert given[1] == FIELDS


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("of the user's")
    card = ModelCard(name="x", dimensions=2, labels=["background", "liver"])
    with pytest.raises(FileExistsError):
        PackageCore().write_card(tmp_path / "net.ts", card)
    assert (tmp_path / "net.yaml").read_text() == "of the user's"
