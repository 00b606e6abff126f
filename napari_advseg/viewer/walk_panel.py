"""Under the slider once there is a result: what it has reached, the plot of the path, and Play."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from .path_plot import PathPicture, PathPlot


class WalkPanel(QWidget):
    """Hidden until there is a result whose strength can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plot = PathPlot()
        self.play = QPushButton()
        self.play.setToolTip("Show the change grow from nothing to what was found and back, until stopped")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.line)
        column.addWidget(self.plot)
        column.addWidget(self.play)
        self.show_playing(False)
        self.hide()

    def show_path(self, picture: PathPicture | None) -> None:
        """The plot; the panel is hidden where there is none."""
        self.plot.show_picture(picture)
        self.setVisible(picture is not None)

    def say(self, line: str) -> None:
        self.line.setText(line)

    def show_playing(self, playing: bool) -> None:
        self.play.setText("Stop" if playing else "Play")
