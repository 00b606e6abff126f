"""A checkpoint without a model card: the user fills one in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .card_fields import CardFields, card_content

if TYPE_CHECKING:
    from ..networks import ModelCard

MakeCard = Callable[[dict[str, Any]], "ModelCard"]  # ValueError, in one line, where the card is not valid

_SIZES: dict[str, str] = {"any size": "any", "fixed input size": "fixed", "patches of": "patch"}
_RULES: dict[str, str] = {"none: raw HU": "none", "window": "window", "z-score": "zscore"}
_CLASSES = (
    "AttentionUnet", "BasicUNet", "BasicUNetPlusPlus", "DynUNet", "FlexibleUNet", "SegResNet", "SegResNetDS",
    "SwinUNETR", "UNet", "UNETR", "VNet",
)  # fmt: skip
_TEXT_HEIGHT = 84


class CardDialog(QDialog):
    """Every field of a card that the viewer needs; it can be accepted once the card is valid."""

    def __init__(
        self,
        parent: QWidget | None,
        path: Path,
        kind: str,
        sha256: str,
        make: MakeCard,
        start: CardFields | None = None,
    ) -> None:
        super().__init__(parent)
        self._kind, self._sha256, self._make = kind, sha256, make
        self.card: ModelCard | None = None
        self.setWindowTitle("Model card")
        self._build()
        self._fill(start or CardFields(name=path.stem))
        self._lay_out(path)
        self._connect()
        self._check()

    def fields(self) -> CardFields:
        """What is typed."""
        low, high = (self.clip_low, self.clip_high) if self._rule() == "zscore" else (self.low, self.high)
        size_kind: Any = _SIZES[self.size_kind.currentText()]
        dimensions: Literal[2, 3] = 2 if self.dimensions.currentIndex() == 0 else 3
        output: Any = self.output.currentText()
        return CardFields(
            name=self.name.text(),
            dimensions=dimensions,
            labels=self.labels.toPlainText(),
            orientation=self.orientation.text(),
            spacing=self.spacing.text(),
            size_kind=size_kind,
            size=self.size.text(),
            divisible_by=self.divisible_by.value(),
            rule=self._rule(),
            low=low.text(),
            high=high.text(),
            symmetric=self.out.currentIndex() == 1,
            mean=self.mean.text(),
            std=self.std.text(),
            output=output,
            class_name=self.class_name.currentText(),
            arguments=self.arguments.toPlainText(),
        )

    def _build(self) -> None:
        self.name = QLineEdit()
        self.dimensions = QComboBox()
        self.dimensions.addItems(["2-D, slice by slice", "3-D"])
        self.labels = _text("background\nliver\nspleen", "One per channel of the network's answer, in its order")
        self.orientation = QLineEdit()
        self.orientation.setToolTip(
            "Where the input's axes run to, first axis first: SPL is an array (z, y, x) as SimpleITK gives it, "
            "RAS a NIfTI array as nibabel gives it"
        )
        self.spacing = _line("as the CT is", "mm along the input's axes, such as 1.5, 1.5, 1.5")
        self.size_kind = QComboBox()
        self.size_kind.addItems(list(_SIZES))
        self.size = _line("96, 96, 96", "Voxels along the input's axes")
        self.divisible_by = QSpinBox()
        self.divisible_by.setRange(1, 1024)
        self.divisible_by.setToolTip("The input is padded to a multiple of this; 16 for a U-Net with four poolings")
        self.rule = QComboBox()
        self.rule.addItems(list(_RULES))
        self.low, self.high = _line("-160", "HU"), _line("240", "HU")
        self.out = QComboBox()
        self.out.addItems(["0 to 1", "-1 to 1"])
        self.mean, self.std = _line("0", "Subtracted"), _line("1", "Divided by")
        self.clip_low, self.clip_high = _line("not clipped", "HU"), _line("not clipped", "HU")
        self.window = _row(self.low, "to", self.high, "HU become", self.out)
        self.zscore = QWidget()
        form = QFormLayout(self.zscore)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("mean, deviation", _row(self.mean, ",", self.std))
        form.addRow("clipped to", _row(self.clip_low, "to", self.clip_high, "HU"))
        self.output = QComboBox()
        self.output.addItems(["logits", "probabilities"])
        self.class_name = QComboBox()
        self.class_name.setEditable(True)
        self.class_name.addItems(["", *_CLASSES])
        self.class_name.setToolTip("The class of monai.networks.nets that the weights belong to")
        self.arguments = _text(
            '{"spatial_dims": 3, "in_channels": 1, "out_channels": 3}', "What the class was made with"
        )
        self.fault = QLabel()
        self.fault.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)

    def _fill(self, fields: CardFields) -> None:
        self.name.setText(fields.name)
        self.dimensions.setCurrentIndex(fields.dimensions - 2)
        self.labels.setPlainText(fields.labels)
        self.orientation.setText(fields.orientation)
        self.spacing.setText(fields.spacing)
        self.size_kind.setCurrentIndex(list(_SIZES.values()).index(fields.size_kind))
        self.size.setText(fields.size)
        self.divisible_by.setValue(fields.divisible_by)
        self.rule.setCurrentIndex(list(_RULES.values()).index(fields.rule))
        low, high = (self.clip_low, self.clip_high) if fields.rule == "zscore" else (self.low, self.high)
        low.setText(fields.low)
        high.setText(fields.high)
        self.out.setCurrentIndex(int(fields.symmetric))
        self.mean.setText(fields.mean)
        self.std.setText(fields.std)
        self.output.setCurrentText(fields.output)
        self.class_name.setCurrentText(fields.class_name)
        self.arguments.setPlainText(fields.arguments)

    def _lay_out(self, path: Path) -> None:
        said = QLabel(
            f"<b>{path.name}</b> has no model card: what the network needs to be fed a CT must be said once. "
            "It is kept in a YAML file beside the checkpoint."
        )
        said.setWordWrap(True)
        said.setToolTip(f"{path}\nSHA-256 {self._sha256}")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Name", self.name)
        if self._kind == "weights":
            form.addRow("MONAI class", self.class_name)
            form.addRow("Arguments (JSON)", self.arguments)
        form.addRow("Works in", self.dimensions)
        form.addRow("Labels,\nbackground first", self.labels)
        form.addRow("Orientation", self.orientation)
        form.addRow("Voxel size (mm)", self.spacing)
        form.addRow("Input", _row(self.size_kind, "", self.size, "voxels"))
        form.addRow("Divisible by", self.divisible_by)
        form.addRow("Intensity", self.rule)
        form.addRow("", self.window)
        form.addRow("", self.zscore)
        form.addRow("Output", self.output)
        column = QVBoxLayout(self)
        column.addWidget(said)
        column.addLayout(form)
        column.addWidget(self.fault)
        column.addWidget(self.buttons)
        self.setMinimumWidth(500)

    def _connect(self) -> None:
        for line in self.findChildren(QLineEdit):
            line.textChanged.connect(self._check)
        for box in self.findChildren(QComboBox):
            box.currentTextChanged.connect(self._check)
        for text in (self.labels, self.arguments):
            text.textChanged.connect(self._check)
        self.divisible_by.valueChanged.connect(self._check)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def _check(self, _changed: object = None) -> None:
        """Make the card anew; what is wrong with it is said, and OK waits."""
        self.size.setEnabled(_SIZES[self.size_kind.currentText()] != "any")
        self.window.setVisible(self._rule() == "window")
        self.zscore.setVisible(self._rule() == "zscore")
        try:
            self.card = self._make(card_content(self.fields(), self._kind, self._sha256))
        except ValueError as fault:
            self.card = None
            self.fault.setText(str(fault))
        else:
            self.fault.setText("The card is complete.")
        self.ok.setEnabled(self.card is not None)
        self.resize(self.width(), max(self.height(), self.sizeHint().height()))  # rows have come

    def _rule(self) -> Any:
        return _RULES[self.rule.currentText()]


def ask_card(
    parent: QWidget, path: Path, kind: str, sha256: str, make: MakeCard, start: CardFields | None
) -> tuple[ModelCard, CardFields] | None:
    """The card that the user fills in, and what was typed; None where the user cancels."""
    dialog = CardDialog(parent, path, kind, sha256, make, start)
    try:
        accepted = dialog.exec() == QDialog.DialogCode.Accepted
        return (dialog.card, dialog.fields()) if accepted and dialog.card is not None else None
    finally:
        dialog.deleteLater()


def _line(placeholder: str, tip: str) -> QLineEdit:
    line = QLineEdit()
    line.setPlaceholderText(placeholder)
    line.setToolTip(tip)
    return line


def _text(placeholder: str, tip: str) -> QPlainTextEdit:
    text = QPlainTextEdit()
    text.setPlaceholderText(placeholder)
    text.setToolTip(tip)
    text.setTabChangesFocus(True)
    text.setFixedHeight(_TEXT_HEIGHT)
    text.setStyleSheet("QPlainTextEdit { border: 1px solid gray; border-radius: 2px; }")  # the theme shows no edge
    return text


def _row(*parts: QWidget | str) -> QWidget:
    """Widgets side by side, words between."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, str):
            layout.addWidget(QLabel(part))
        else:
            layout.addWidget(part, 1)
    return row
