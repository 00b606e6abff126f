"""What only the user can settle, asked in a dialog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from .card_dialog import ask_card

if TYPE_CHECKING:
    from .controller import Controller


def settle(parent: QWidget, controller: Controller, question: Any) -> str:
    """Ask the user what a job needs to know and let it go on; the line to say where the user does not."""
    kind = type(question).__name__
    if kind == "ConsentNeededError":
        if not ask_trust(parent, question.path, question.sha256):
            return "Not loaded: the file is not trusted."
        controller.consent(question.sha256)
    elif kind == "CardNeededError":
        given = ask_card(
            parent, question.path, question.kind, question.sha256, controller.make_card, controller.typed_card()
        )
        if given is None:
            return "Not opened: the network has no model card."
        controller.give_card(question.path, *given)
    else:
        uid = ask_series(parent, question.series)
        if uid is None:
            return "Not opened: no series was picked."
        controller.choose_series(uid, question.folder)
    return ""


def ask_trust(parent: QWidget, path: Path, sha256: str) -> bool:
    """Whether a file that can run code when it is loaded may be; the default answer is no."""
    answer = QMessageBox.question(
        parent,
        "Trust this file?",
        f"{path}\n\nThis file's format can run code on this computer when it is loaded. Load it only if you trust "
        f"where it came from.\n\nSHA-256: {sha256}\n\nTrust it and load it? This is remembered for this very file.",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def ask_series(parent: QWidget, series: list[tuple[str, int]]) -> str | None:
    """The UID of one of several DICOM series, given as (UID, number of slices); None where the user picks none."""
    lines = [f"{count} slices  (…{uid[-16:]})" for uid, count in series]
    line, chosen = QInputDialog.getItem(parent, "Several series", "Which series is the CT?", lines, 0, False)
    return series[lines.index(line)][0] if chosen else None


def ask_unsaved(parent: QWidget) -> Literal["save", "discard", "cancel"]:
    """What becomes of a result that another case is about to replace; the default answer is to save it."""
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        "Save the result first?",
        "The result that is shown has not been saved. Save it before another case is opened?",
        buttons.Save | buttons.Discard | buttons.Cancel,
        buttons.Save,
    )
    if answer == buttons.Save:
        return "save"
    return "discard" if answer == buttons.Discard else "cancel"


def ask_save_folder(parent: QWidget, network: str, drop: float) -> Path | None:
    """Where to put a bundle: the folder chosen where that is empty or a bundle, else one named for the attack in it."""
    chosen = QFileDialog.getExistingDirectory(parent, "Save the attack in a folder")
    if not chosen:
        return None
    folder = Path(chosen)
    if not any(folder.iterdir()) or (folder / "result.json").is_file():
        return folder
    return folder / f"attack-{network}-drop-{drop:.2f}".replace("/", "-").replace(" ", "-")
