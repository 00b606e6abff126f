"""What napari loads when the first layers of a program are made: half a second or more in which the window does not answer.

Loaded in the worker's thread beforehand.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pint import UnitRegistry

_IMPORTED = (
    "scipy.ndimage",
    "scipy.linalg",
    "pandas",
    "skimage.color.colorconv",
)  # by the first image and the first labels


def load() -> UnitRegistry[Any]:
    """In any thread: the imports, and the registry of units that :func:`adopt` is to be given."""
    import pint

    for name in _IMPORTED:
        importlib.import_module(name)
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
