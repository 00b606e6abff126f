from __future__ import annotations

from pathlib import Path

import pytest

import napari_advseg.evidence.bundle


@pytest.fixture
def no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles without a picture, which takes longer than all the rest of a small case."""
    monkeypatch.setattr(napari_advseg.evidence.bundle, "draw_figure", lambda *_: Path())
