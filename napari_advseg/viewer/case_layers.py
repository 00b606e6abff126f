"""The layers of the case in hand, as the dock shows them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from .canvas import drawn_later, one_update
from .handing_on import is_parked
from .in_hand import CaseInHand, CtToShow, Outcome
from .in_place import InPlace
from .layers import (
    go_to,
    layers_of,
    park_case,
    park_result,
    remove_case,
    remove_parked,
    rename_organs,
    select_ct,
    show_scene,
)
from .placement import Placement
from .region_drawing import drawing_layer, drawn_box
from .renaming import rename_options
from .scene import RESULT_ROLES, LayerPlan, Scene

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Shapes

    from ..volume import Grid


_PARKED_MS = 3000  # layers of the case before wait this long for the next one's content
_TURN_MS = 15  # between one layer and the next: what the user does comes in between
_DRAWN_MS = 600  # after the last layer or slice: the timer comes once the window has been drawn
_APART_MS = 150  # between one of these that is removed and the next, so that the window goes on


class CaseLayers:
    """Shows what the controller gives in a viewer, and reads a drawn region from it."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = self._viewer = viewer
        self._in_place = InPlace()
        self._placement: Placement | None = None
        self._outcome: Outcome | None = None
        self._waiting: list[LayerPlan] = []
        self._waiting_for = ""  # the case that these are of
        self._selectable = ""  # the case whose CT is to be selected, where nothing is
        self._going = False
        self._turn = QTimer()
        self._turn.setSingleShot(True)
        self._turn.timeout.connect(self._show_next)
        self._selecting = QTimer()
        self._selecting.setSingleShot(True)
        self._selecting.timeout.connect(self._select)
        self._settled = QTimer()
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._settle)
        self._filling = False
        self._clearing = QTimer()
        self._clearing.setSingleShot(True)
        self._clearing.timeout.connect(self._clear_one)
        self._swept = False
        self._drawing: Shapes | None = None
        self._tell_region: Callable[[str], Any] | None = None

    @property
    def oblique(self) -> bool:
        return self._placement is not None and self._placement.oblique

    @property
    def showing(self) -> bool:
        """Whether layers are still to be shown, or the slice to be gone to."""
        return bool(self._waiting) or self._going

    @property
    def filling(self) -> bool:
        """Whether layers are still to be shown or drawn; in any thread.

        Work in Python on another thread would double the time that each of them holds the window.
        """
        return self._filling

    def ct_layer(self, case_id: str) -> Layer | None:
        """The CT of a case, where it is shown."""
        return layers_of(self._viewer, case_id).get("ct")

    def put_away(self, case_id: str) -> None:
        """Remove the layers of a case, those still to be shown as well."""
        self._forget(case_id)
        remove_case(self._viewer, case_id)

    def show_next_ct(self, shown: CtToShow, before: str) -> None:
        """The CT in place of another case's, whose layers wait a moment for more content of this one's."""
        self._forget(before)
        with one_update(self._viewer):
            park_case(self._viewer, before, shown.plan.options)
            self._clear_later()
            self.show_ct(shown)

    def adopt(self, grid: Grid) -> None:
        """The layers of a case on this grid are in the viewer already."""
        self._placement = Placement.of(grid)

    def show_ct(self, shown: CtToShow) -> None:
        """The CT as soon as it is read."""
        self._filling = True
        first = all(is_parked(layer) for layer in self._viewer.layers)
        with drawn_later(self._viewer):
            show_scene(self._viewer, Scene(shown.case_id, (shown.plan,)))
            self._placement = Placement.of(shown.plan.options["metadata"]["napari_advseg"]["grid"])
            if first:
                self._viewer.reset_view()
            self._middle(shown.case_id)
        self._select_later(shown.case_id)
        self._settled.start(_DRAWN_MS)

    def show_case(self, in_hand: CaseInHand) -> None:
        """The clean segmentation; what an earlier case on the same CT had shown goes."""
        park_result(self._viewer, in_hand.id)
        self._clear_later()
        self._placement = Placement.of(in_hand.case.ct.grid)
        self._outcome = None
        self.show_scene(in_hand.scene)

    def show_scene(self, scene: Scene) -> None:
        """Layers of a case in place of those still to be shown.

        One layer per turn of the event loop: each may cost napari a fifth of a second, and together they would freeze it.
        """
        self._waiting, self._waiting_for, self._going = list(scene.plans), scene.case_id, False
        self._show_next()

    def show_outcome(self, outcome: Outcome, *, go: bool = True) -> None:
        """The result in place of the last one, and the slice on which it is seen best unless ``go`` is False."""
        self._outcome, self._going = outcome, go or (bool(self._waiting) and self._going)
        own = self._waiting if self._waiting_for == outcome.case_id else []
        self._waiting = [*(plan for plan in own if plan.role not in RESULT_ROLES), *outcome.scene.plans]
        self._waiting_for = outcome.case_id
        self._show_next()

    def show_walked(self, outcome: Outcome) -> None:
        """Another strength of the shown result: its layers are given new content, all at once."""
        self._outcome = outcome
        waiting = {plan.role for plan in self._waiting}
        own = [plan for plan in self._waiting if plan.role not in RESULT_ROLES]
        self._waiting = own + [plan for plan in outcome.scene.plans if plan.role in waiting]
        self._in_place.show(self._viewer, outcome.scene)

    def go_to_slices(self, case_id: str, index: tuple[int, int, int]) -> None:
        """Go to a voxel of the CT's own array, (z, y, x)."""
        layer = layers_of(self._viewer, case_id).get("attacked")
        if layer is not None and self._placement is not None:
            go_to(self._viewer, layer, self._placement.index_to_shown(index))

    def rename(self, case_id: str, organs: dict[int, str]) -> None:
        """The organs go by other names, in layers still to be shown as well."""
        rename_organs(self._viewer, case_id, organs)
        for plan in self._waiting:
            rename_options(plan.options, organs)

    def go_to_focus(self) -> None:
        """Go to the place with most newly wrong voxels."""
        outcome = self._outcome
        if outcome is None or outcome.scene.focus is None:
            return
        present = layers_of(self._viewer, outcome.case_id)
        layer = present.get("attacked") or present.get("perturbed") or present.get("ct")
        if layer is not None:
            go_to(self._viewer, layer, outcome.scene.focus)

    def _show_next(self) -> None:
        """The next layer; after the last one, in a turn of its own, the slice on which the result is seen best."""
        self._filling = True
        if self._waiting:
            with drawn_later(self._viewer):
                show_scene(self._viewer, Scene(self._waiting_for, (self._waiting.pop(0),)))
            if self._waiting or self._going:
                self._turn.start(_TURN_MS)
            else:
                self._select_later(self._waiting_for)
        elif self._going:
            self._going = False
            self.go_to_focus()
            self._select_later(self._waiting_for)
        self._settled.start(_DRAWN_MS)  # from the turn's end, which may have taken as long

    def _select_later(self, case_id: str) -> None:
        """In a turn of its own: a tenth of a second for the first layer, whose controls are styled and laid out."""
        self._selectable = case_id
        self._selecting.start(_TURN_MS)

    def _select(self) -> None:
        select_ct(self._viewer, self._selectable)

    def draw_region(self, tell: Callable[[str], Any]) -> None:
        """Let the user draw rectangles; ``tell`` is given the region in the CT's voxels after each.

        Raises
        ------
        ValueError
            No case's CT is shown yet.
        """
        if self._placement is None:
            raise ValueError("Open the case first (with its CT shown, the box can be drawn), or type the region.")
        self._tell_region = tell
        layer = drawing_layer(self._viewer)
        if layer is not self._drawing:
            self._let_go_of_drawing()
            self._drawing = layer
            layer.events.data.connect(self._on_drawn)

    def disconnect_all(self) -> None:
        """Let go of the drawing, and of layers still to be shown or to be handed on."""
        self._waiting, self._going, self._filling = [], False, False
        with contextlib.suppress(RuntimeError):  # timers and window are gone while the program ends
            self._in_place.stop()
            self._turn.stop()
            self._selecting.stop()
            self._settled.stop()
            if self._clearing.isActive():
                self._clearing.stop()
                remove_parked(self._viewer)
        self._let_go_of_drawing()

    def _settle(self) -> None:
        self._filling = self.showing
        if self._filling:  # held up between two turns
            self._settled.start(_DRAWN_MS)

    def _forget(self, case_id: str) -> None:
        if self._outcome is not None and self._outcome.case_id == case_id:
            self._outcome = None
        if self._waiting_for == case_id:
            self._waiting = []

    def _clear_later(self) -> None:
        self._swept = False
        self._clearing.start(_PARKED_MS)

    def _clear_one(self) -> None:
        if not self._swept and any(is_parked(layer) for layer in self._viewer.layers):
            self._swept = True
            gc.collect()  # else what has gathered is swept up in the turn in which the first layer goes, on top of it
            self._clearing.start(_APART_MS)
            return
        with drawn_later(self._viewer):
            some = remove_parked(self._viewer, most=1)
        if some:
            self._clearing.start(_APART_MS)

    def _let_go_of_drawing(self) -> None:
        if self._drawing is not None:
            self._drawing.events.data.disconnect(self._on_drawn)
            self._drawing = None

    def _on_drawn(self, _event: Any = None) -> None:
        layer, placement = self._drawing, self._placement
        if layer is None or placement is None or self._tell_region is None or len(layer.data) == 0:
            return
        low = np.array(placement.translate)
        high = low + (np.array(placement.shown.shape) - 1) * np.array(placement.scale)
        try:
            region = placement.region_from_mm(*drawn_box(layer, (low, high)))
        except ValueError:
            return  # beside the CT, or still being drawn
        self._tell_region(str(region))

    def _middle(self, case_id: str) -> None:
        layer = layers_of(self._viewer, case_id).get("ct")
        if layer is not None:
            z, y, x = (n // 2 for n in layer.data.shape)
            go_to(self._viewer, layer, (z, y, x))
