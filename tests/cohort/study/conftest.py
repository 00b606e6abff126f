from __future__ import annotations

from pathlib import Path

import pytest
from cohort.cohorts import phantom_cohort


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantoms of four slices; nobody changes them."""
    return phantom_cohort(tmp_path_factory.mktemp("study") / "cases", 2)
