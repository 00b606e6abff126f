"""Shows, on a patient's own CT, how easily a segmentation network breaks.

The names below are imported when they are first used: ``import napari_advseg`` loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case.python import attack, save_bundle
    from .networks import ModelCard, known_networks, network_from_module, open_network
    from .samples import load_sample
    from .synthesis import Budget
    from .viewer import open_in_napari
    from .volume import read_ct, read_labels, volume_from_array

__version__ = "0.1.0"

_WHERE = {
    "Budget": "synthesis",
    "ModelCard": "networks",
    "attack": "case.python",
    "known_networks": "networks",
    "load_sample": "samples",
    "network_from_module": "networks",
    "open_in_napari": "viewer",
    "open_network": "networks",
    "read_ct": "volume",
    "read_labels": "volume",
    "save_bundle": "case.python",
    "volume_from_array": "volume",
}

__all__ = [
    "Budget",
    "ModelCard",
    "attack",
    "known_networks",
    "load_sample",
    "network_from_module",
    "open_in_napari",
    "open_network",
    "read_ct",
    "read_labels",
    "save_bundle",
    "volume_from_array",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
