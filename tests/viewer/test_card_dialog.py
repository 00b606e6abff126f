"""The model card that is asked for where a checkpoint has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from viewer.fake_core import FakeCore
from viewer.test_dock import message, opened, settle, user_layer

from napari_advseg.networks import ModelCard, read_card
from napari_advseg.networks.opening import CardNeededError
from napari_advseg.viewer.card_fields import CardFields, card_content
from napari_advseg.viewer.core import PackageCore

MakeDock = Callable[[FakeCore], Any]
SHA = "0123456789abcdef" * 4
FIELDS = CardFields(name="mine", dimensions=2, labels="background\nliver, kidney_left", divisible_by=4)
NAMES = ((0, "background"), (1, "liver"), (2, "kidney_left"))


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
