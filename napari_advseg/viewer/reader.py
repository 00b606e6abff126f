"""A bundle's folder into napari: dropped on it, by File > Open, or by ``viewer.open``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .layer_source import KEY
from .recalled import Recalled, recall
from .sample_data import LayerTuple, while_painting

RECALLED = "recalled"  # under which the topmost layer hands the whole outcome to the dock
_MARKS = ("result.json", "perturbed.nii.gz")


def read_bundle_folder(path: str | list[str]) -> Callable[[str | list[str]], list[LayerTuple]] | None:
    """The function that reads a bundle, named by its folder or its result.json; None for anything else."""
    if isinstance(path, list):
        return None if len(path) != 1 else read_bundle_folder(path[0])
    return _read if all((_folder(path) / name).is_file() for name in _MARKS) else None


def _folder(path: str) -> Path:
    return Path(path).parent if Path(path).name == _MARKS[0] else Path(path)


def _read(path: str | list[str]) -> list[LayerTuple]:
    """The layers that a run shows.

    Raises
    ------
    ValueError
        The bundle is not whole, one line.
    """
    folder = _folder(path[0] if isinstance(path, list) else path)
    recalled = while_painting(lambda: recall(folder, uuid.uuid4().hex), "Reading the bundle")
    _say(recalled.line)
    _outline(recalled.scene.case_id)
    return layer_tuples(recalled)


def layer_tuples(recalled: Recalled) -> list[LayerTuple]:
    """The layers as napari takes them from a reader; the last one holds the outcome, for the dock."""
    plans = recalled.scene.plans
    tuples: list[LayerTuple] = [
        (plan.data, {name: value for name, value in plan.options.items() if name != "contour"}, plan.kind)
        for plan in plans
    ]
    options: dict[str, Any] = tuples[-1][1]
    options["metadata"] = {KEY: options["metadata"][KEY] | {RECALLED: recalled}}
    return tuples


def _say(line: str) -> None:
    from napari.utils.notifications import show_info

    show_info(line)


def _outline(case_id: str) -> None:
    """The segmentations as lines once they are in the viewer: a reader cannot ask for that."""
    from napari.viewer import current_viewer
    from qtpy.QtCore import QTimer

    from .layers import outline_layers

    viewer = current_viewer()
    if viewer is not None:
        QTimer.singleShot(0, lambda: outline_layers(viewer, case_id))
