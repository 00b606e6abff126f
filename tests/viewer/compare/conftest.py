"""A finding in a real viewer with the Compare dock beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from viewer.fake_core import EVIDENCE, make_case, make_ct, make_result

from napari_advseg.case import Finding
from napari_advseg.viewer.wishes import AttackWish


@cache
def make_finding(direction: tuple[float, ...] | None = None, organs: tuple[str, ...] = ()) -> Finding:
    case = make_case(make_ct(direction))
    return Finding(case, make_result(case, AttackWish(organs=organs), 0.3), EVIDENCE)


def put_in(viewer: Any, dock: Any) -> None:
    """Into the window, which is not shown in tests, so that the letters must be told of the canvas."""
    from napari_advseg.viewer.compare.edge_letters import canvas_beside

    viewer.window.add_dock_widget(dock, name="compare")
    dock.letters.attach(canvas_beside(dock))


@pytest.fixture
def finding() -> Finding:
    return make_finding()


@pytest.fixture
def compare(make_napari_viewer: Callable[..., Any], finding: Finding) -> Iterator[Any]:
    """The dock in a viewer that shows the finding."""
    from napari_advseg.viewer import CompareDock, open_in_napari

    viewer = make_napari_viewer()
    open_in_napari(finding, viewer)
    dock = CompareDock(viewer)
    put_in(viewer, dock)
    yield dock
    dock.shut_down()
