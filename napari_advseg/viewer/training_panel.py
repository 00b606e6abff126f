"""Training an attacker for the chosen network: on which CTs, how long, into which folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .choice_box import Browse, ChoiceBox, ask_folder
from .fold import Fold
from .in_hand import CaseInHand, TrainingEnd
from .job_panel import progress_text
from .layer_source import take_layer
from .layers import known
from .state import Phase
from .wishes import AttackWish, TrainingWish

if TYPE_CHECKING:
    from ..attacks import Progress

_MOST_LINES = 5
_OWN = ("attacker.yaml", "training.pt")  # either shows that a folder is an attacker's


class TrainingPanel(QWidget):
    """A fold with the CTs that are open, a folder of others, the output folder, the steps, Train and Stop."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layers: list[Any] = []
        self._at_work = False
        self.cts = QListWidget()
        self.cts.setToolTip("Open image layers; each that is checked counts as one patient")
        self.folder = ChoiceBox(
            "none",
            [Browse("Folder", "Image files, or folders of DICOM slices", ask_folder("Open a folder of CTs"))],
            "All CTs in it are learned from as well, one patient each",
        )
        self.out = ChoiceBox(
            "choose a folder…",
            [Browse("Folder", "A new or empty one, or that of a training to go on", ask_folder("Train into a folder"))],
            "Where the attacker is written; a training that was stopped there goes on",
        )
        self.steps = QSpinBox()
        self.steps.setRange(1, 1_000_000)
        self.steps.setValue(TrainingWish.steps)
        self.steps.setToolTip("One CT each; a training that goes on needs the number that it was begun with")
        self.train = QPushButton("Train")
        self.train.setToolTip(
            "Learn attacks on the chosen network from these CTs, within the limits and for the organs chosen above"
        )
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Save and stop within about a second; Train goes on from there")
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.line.hide()
        self._lay_out()
        self.show_phase(Phase.IDLE, network_chosen=False)
        self.cts.itemChanged.connect(lambda _item: self.changed.emit())
        self.folder.changed.connect(self.changed)
        self.out.changed.connect(self._on_out)

    def offer_layers(self, layers: Sequence[Any]) -> None:
        """List the open CTs; all are checked, except those that were unchecked."""
        off = [layer for layer in self._layers if layer not in self._checked()]
        self._layers = list(layers)
        self.cts.blockSignals(True)
        self.cts.clear()
        for layer in layers:
            item = QListWidgetItem(layer.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if layer in off else Qt.CheckState.Checked)
            self.cts.addItem(item)
        self.cts.blockSignals(False)
        line = max(16, self.cts.sizeHintForRow(0))
        self.cts.setFixedHeight(line * min(max(len(layers), 2), _MOST_LINES) + 6)
        self.changed.emit()

    def check(self, layers: Sequence[Any]) -> None:
        """Check exactly these layers."""
        for row, layer in enumerate(self._layers):
            self.cts.item(row).setCheckState(Qt.CheckState.Checked if layer in layers else Qt.CheckState.Unchecked)

    def wish(self, attack: AttackWish, in_hand: CaseInHand | None) -> TrainingWish:
        """What is chosen, for these organs and limits.

        Raises
        ------
        ValueError
            With one line, where something is missing or a layer is no CT.
        """
        out, folder, layers = self.out.value(), self.folder.value(), self._checked()
        if not isinstance(out, Path):
            raise ValueError("Choose the folder that the attacker is to be written to.")
        sources = tuple(take_layer(layer) for layer in layers)
        own = None
        if in_hand is not None:
            for index, (layer, source) in enumerate(zip(layers, sources, strict=True)):
                if source == in_hand.wish.ct or known(layer).get("case") == in_hand.id:
                    own = index
        return TrainingWish(
            cts=sources,
            folder=folder if isinstance(folder, Path) else None,
            out=out,
            in_hand=own,
            steps=self.steps.value(),
            attack=replace(attack, attacker="search", generated="strength", draws=1),
        )

    def any_ct(self) -> Any:
        """One of the CTs, as the inputs take it; None where there is none."""
        return next(iter(self._checked()), self.folder.value())

    def show_phase(self, phase: Phase, *, network_chosen: bool) -> None:
        """Enable what can be asked for."""
        training = phase is Phase.TRAINING
        some = bool(self._checked()) or self.folder.value() is not None
        self.train.setEnabled(network_chosen and some and self.out.value() is not None and not phase.busy)
        self.stop.setEnabled(training)
        for widget in (self.cts, self.folder, self.out, self.steps):
            widget.setEnabled(not phase.busy)
        if training and not self._at_work:
            self.say("Training…")
        elif self._at_work and not training:
            self.say("Stopping…" if phase.busy else "")
        self._at_work = training or (self._at_work and phase.busy)

    def show_progress(self, progress: Progress) -> None:
        self.say(progress_text(progress))

    def show_end(self, end: TrainingEnd) -> None:
        self.say(end.line)

    def say(self, line: str) -> None:
        self.line.setText(line)
        self.line.setVisible(bool(line))

    def _checked(self) -> list[Any]:
        return [
            layer
            for row, layer in enumerate(self._layers)
            if (item := self.cts.item(row)) is not None and item.checkState() == Qt.CheckState.Checked
        ]

    def _on_out(self) -> None:
        """A folder with other things in it gets one for the attacker inside."""
        out = self.out.value()
        if isinstance(out, Path) and out.is_dir() and any(out.iterdir()) and not any((out / n).is_file() for n in _OWN):
            self.out.forget(out)
            self.out.set_value(out / "attacker")
        else:
            self.changed.emit()

    def _lay_out(self) -> None:
        inner = QWidget()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("CTs", self.cts)
        form.addRow("CTs in", self.folder)
        form.addRow("Train into", self.out)
        form.addRow("Steps", self.steps)
        row = QHBoxLayout()
        row.addWidget(self.train)
        row.addWidget(self.stop)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        column.addLayout(row)
        column.addWidget(self.line)
        self.fold = Fold("Train an attacker", inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.fold)
