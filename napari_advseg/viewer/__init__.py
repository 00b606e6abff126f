"""The dock widget, the layers and the sample data: the only room that knows napari and Qt."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cases.dock import CasesDock
    from .compare.panel import CompareDock
    from .dock import AttackDock
    from .open import open_in_napari, show_until_closed

_WHERE = {
    "AttackDock": "dock",
    "CasesDock": "cases.dock",
    "CompareDock": "compare.panel",
    "open_in_napari": "open",
    "show_until_closed": "open",
}

__all__ = ["AttackDock", "CasesDock", "CompareDock", "open_in_napari", "show_until_closed"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
