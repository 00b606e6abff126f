"""The main dock as the cases need it."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..controller import Controller
from ..in_hand import CtToShow
from ..leaving import may_leave, remove_sample_labels, shown_besides
from ..recalled import Recalled
from ..taking_up import open_dock
from ..wishes import AttackWish, CaseWish

if TYPE_CHECKING:
    import napari

    from ..dock import AttackDock

_PLUGIN, _WIDGET = "napari-advseg", "Attack"


class Desk(Protocol):
    """Where cases are opened, looked at and attacked; all of it in the main thread."""

    def controller(self) -> Controller: ...

    def settings(self, ct: Path) -> tuple[CaseWish, AttackWish]: ...

    def may_leave(self, kept: Callable[[str], bool], again: Callable[[], object]) -> bool: ...

    def show_ct(self, shown: CtToShow, case: Any, before: str | None = None) -> bool: ...

    def show_only_ct(self, shown: CtToShow, before: str | None = None) -> None: ...

    def show_recalled(self, recalled: Recalled, case: Any) -> None: ...

    def put_away(self, case_id: str) -> None: ...

    def filling(self) -> Callable[[], bool]: ...


class DockDesk:
    """The main dock of a viewer, which is opened where it is not open."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    @property
    def dock(self) -> AttackDock:
        dock = open_dock(self._viewer)
        if dock is None:
            _, dock = self._viewer.window.add_plugin_dock_widget(_PLUGIN, _WIDGET)
        return dock

    def controller(self) -> Controller:
        return self.dock.controller

    def settings(self, ct: Path) -> tuple[CaseWish, AttackWish]:
        """The network and how it is attacked; ``ct`` stands in where none is chosen.

        Raises
        ------
        ValueError
            One line, where something is missing.
        """
        return self.dock.settings(ct)

    def may_leave(self, kept: Callable[[str], bool], again: Callable[[], object]) -> bool:
        """Whether the result in the dock may go; a case whose results are not ``kept`` is asked about."""
        return may_leave(self.dock, kept, again)

    def show_ct(self, shown: CtToShow, case: Any, before: str | None = None) -> bool:
        """The CT in the viewer, in place of the case ``before``, and chosen in the dock.

        Returns
        -------
        opening
            Whether its network is being opened now.
        """
        dock = self.dock
        busy = dock.controller.phase.busy
        before = self._put_others_away(shown.case_id, before)
        if not busy:
            dock.controller.leave()
            dock.result.clear()
            dock.draws.clear()
        self._show(shown, before)
        inputs = dock.inputs
        inputs.reference.set_value(case.reference)
        inputs.label_names.set_value(_names_file(case.label_names))
        layer = dock.layers.ct_layer(shown.case_id)
        again = inputs.ct.value() is layer
        inputs.ct.set_value(layer)  # which opens the case where a network is chosen
        if again and not busy and inputs.complete:
            dock.open_case()
        return not busy and inputs.complete

    def show_only_ct(self, shown: CtToShow, before: str | None = None) -> None:
        """The CT of a case whose bundle is being read, in place of the case ``before``."""
        self._show(shown, self._put_others_away(shown.case_id, before))

    def _put_others_away(self, case_id: str, before: str | None) -> str | None:
        """What is shown of samples and of cases that are not of the list goes; the case whose layers may be handed on."""
        others = shown_besides(self.dock, case_id, before)
        if others:
            remove_sample_labels(self.dock)
        if others and before is None:
            before = others.pop()
        for other in others:
            self.dock.layers.put_away(other)
        return before

    def _show(self, shown: CtToShow, before: str | None) -> None:
        if before is None:
            self.dock.layers.show_ct(shown)
        else:
            self.dock.layers.show_next_ct(shown, before)

    def show_recalled(self, recalled: Recalled, case: Any) -> None:
        """The CT, the network's segmentation of it, and what was found; the case's labels are chosen, too."""
        dock = self.dock
        dock.layers.show_scene(replace(recalled.scene, plans=recalled.clean_plans))
        dock.bundles.take(recalled)
        if recalled.whole:
            dock.inputs.reference.set_value(case.reference)
            dock.inputs.label_names.set_value(_names_file(case.label_names))

    def put_away(self, case_id: str) -> None:
        self.dock.layers.put_away(case_id)

    def filling(self) -> Callable[[], bool]:
        """Tells, in any thread, whether the layers of a case are still being shown and drawn, one after the other."""
        dock = open_dock(self._viewer)
        if dock is None:
            return lambda: False
        layers = dock.layers
        return lambda: layers.filling


def _names_file(names: Any) -> Path | None:
    """The dock takes label names as a file."""
    if not isinstance(names, dict):
        return names if isinstance(names, Path) else None
    text = json.dumps({name: index for index, name in names.items()})
    file = _names_folder() / f"label_names-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    file.write_text(text, encoding="utf-8")
    return file


@cache
def _names_folder() -> Path:
    """The user's alone, and gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="napari-advseg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
