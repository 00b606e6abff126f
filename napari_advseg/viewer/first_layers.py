"""What napari loads and works out when the first layers of a program are made: half a second in which the window stands still.

Done in the worker's thread beforehand.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pint import UnitRegistry

# By the first image and the first labels.
_IMPORTED = ("scipy.ndimage", "scipy.linalg", "pandas", "skimage.color.colorconv")


def load() -> UnitRegistry[Any] | None:
    """In any thread: the imports, and the registry of units that :func:`adopt` is to be given.

    What another napari does without, and is not there, is nothing to fail for.
    """
    for name in _IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Vispy keeps the patterns of dashes, which each of the lines that come with labels would otherwise wait for.
    with contextlib.suppress(ImportError, AttributeError, TypeError):
        importlib.import_module("vispy.visuals.line.dash_atlas").DashAtlas()
    try:
        import pint
    except ImportError:
        return None
    return pint.UnitRegistry(on_redefinition="raise")  # as the one that pint makes for everybody


def adopt(registry: UnitRegistry[Any]) -> None:
    """In the main thread: everybody's registry of units, unless there is one by now.

    A registry is not made for two threads, and units of two registries cannot be compared: so it is made aside, and taken
    only where no layer has units yet.
    """
    from pint import application_registry
    from pint.registry import LazyRegistry

    everybodys: Any = application_registry
    if isinstance(everybodys.get(), LazyRegistry):
        everybodys.set(registry)
