"""Blinking: the clean CT in place of the perturbed one, its segmentations with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .case_watch import CaseWatch
from .kept_looks import KeptLooks, same_style
from .own_layers import own_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

# Shown on the perturbed CT, and what stands for it on the clean one.
_IN_STEP = (("attacked", "clean"), ("moved_reference", "reference"))
_ON_THE_PERTURBED = ("shift", "intensity", "arrows")
_TOOLS = ("errors", "warped grid")


class Blink:
    """Shows the clean CT while it is on."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        self._viewer, self._watch = viewer, watch
        self._kept = KeptLooks(viewer)

    @property
    def on(self) -> bool:
        return bool(self._kept)

    def show_clean(self) -> None:
        watch = self._watch
        if self.on or not watch.complete:
            return
        self._kept.keep(watch.roles.values())
        for tool in _TOOLS:
            if (layer := own_layer(self._viewer, tool)) is not None:
                self._kept.keep([layer])
                layer.visible = False
        watch.layer("ct").visible = True
        for changed, clean in _IN_STEP:
            there, here = watch.layer(changed), watch.layer(clean)
            if there is not None and there.visible and here is not None:
                same_style(here, there)
                here.visible = True
        for role in ("perturbed", *(changed for changed, _ in _IN_STEP), *_ON_THE_PERTURBED):
            if (layer := watch.layer(role)) is not None:
                layer.visible = False

    def show_as_before(self) -> None:
        self._kept.restore()

    def switch(self, on: bool) -> None:
        if on:
            self.show_clean()
        else:
            self.show_as_before()
