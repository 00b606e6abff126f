from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("advseg", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("advseg")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _own_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes to the user's log; for the whole session, because fixtures of modules run commands too."""
    os.environ["NAPARI_ADVSEG_LOGS"] = str(tmp_path_factory.mktemp("logs"))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test does reaches the user's settings or cache."""
    monkeypatch.setenv("NAPARI_ADVSEG_SETTINGS", str(tmp_path_factory.mktemp("settings")))
    monkeypatch.setenv("NAPARI_ADVSEG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def real_data() -> Path:
    """The folder of real CTs and the published checkpoint."""
    folder = Path(os.environ.get("NAPARI_ADVSEG_TEST_DATA", SHARED_DATA))
    if not folder.is_dir():
        pytest.skip(f"the real data is not at {folder} (NAPARI_ADVSEG_TEST_DATA names its place)")
    return folder
