"""The warm process, and the viewer's fixtures for the faults that need a window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.forge import Forge
from faults.prepared import Prepare, Prepared
from faults.tiny import small_figure
from viewer.conftest import HAS_DISPLAY, _loaded_set_aside, make_dock, make_docked  # noqa: F401

HERE = Path(__file__).parent
_WINDOWS = {"qtbot", "make_napari_viewer"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deprecations inside napari are its own; copies of processes and their limits are Linux's."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        names = set(getattr(item, "fixturenames", ()))
        if names & _WINDOWS:
            for module in ("napari", "npe2", "vispy", "qtpy", "app_model"):
                for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
                    item.add_marker(pytest.mark.filterwarnings(rf"ignore::{kind}:{module}(\..*)?"), append=False)
            if not HAS_DISPLAY:
                item.add_marker(pytest.mark.skip(reason="no display: run under xvfb-run"))
        if "forge" in names and sys.platform != "linux":
            item.add_marker(pytest.mark.skip(reason="processes are copied and bounded under Linux"))


@pytest.fixture(autouse=True)
def _small_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_advseg.evidence.bundle.draw_figure", small_figure)


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    made = Forge()
    yield made
    made.close()


@pytest.fixture(scope="session")
def prepare(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """The prepared folder of a job, made once."""
    known: dict[str, Prepared] = {}

    def made(job: str) -> Prepared:
        if job not in known:
            known[job] = Prepared.of(job, forge, tmp_path_factory.mktemp(job))
        return known[job]

    return made
