"""What only the user can settle, asked in a dialog."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget


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


def ask_save_folder(parent: QWidget, name: str) -> Path | None:
    """Where to put a bundle called ``name``: the folder chosen where it is empty or a bundle, else one inside it."""
    chosen = QFileDialog.getExistingDirectory(parent, "Save the attack in a folder")
    if not chosen:
        return None
    folder = Path(chosen)
    if not any(folder.iterdir()) or (folder / "result.json").is_file():
        return folder
    return folder / name
