"""A progress bar does not have the window drawn."""

from __future__ import annotations

from typing import Any

from napari_advseg.viewer.progress_bar import ProgressBar


class _Seen(ProgressBar):
    drawn = 0

    def paintEvent(self, event: Any) -> None:
        self.drawn += 1
        super().paintEvent(event)


def test_a_progress_bar_is_drawn_later(qtbot: Any) -> None:
    bar = _Seen()
    qtbot.addWidget(bar)
    bar.show()
    qtbot.waitUntil(lambda: bar.drawn > 0, timeout=5_000)
    before = bar.drawn
    bar.show_fraction(0.5)
    assert (bar.drawn, bar.value(), bar.maximum()) == (before, 500, 1000)
    qtbot.waitUntil(lambda: bar.drawn > before, timeout=5_000)
    before = bar.drawn
    bar.setValue(900)
    assert bar.drawn > before, "Qt draws it at once: else show_fraction has nothing to spare"
