"""The map of differences over the perturbed CT, as a layer; organs, whose colours are like its own, make way for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..layers import known
from .case_watch import CaseWatch
from .composed import Composed
from .error_maps import KINDS, differences
from .kept_looks import KeptLooks
from .own_layers import add_own, own_layer, place_of, remove_own

if TYPE_CHECKING:
    from napari.components import ViewerModel

_TOOL = "errors"
_ORGANS = ("reference", "moved_reference", "clean", "attacked")
_NEEDED = {"all": ("attacked", "moved_reference"), "new": ("attacked", "moved_reference"), "mind": ("attacked",)}


class ErrorLayer:
    """Shows one kind of map, or none."""

    def __init__(self, viewer: ViewerModel, watch: CaseWatch) -> None:
        self._viewer, self._watch = viewer, watch
        self._kept = KeptLooks(viewer)
        self.kind = ""

    @property
    def lost(self) -> bool:
        """Whether its layer was removed by someone else."""
        return bool(self.kind) and own_layer(self._viewer, _TOOL) is None

    def can_show(self, kind: str) -> bool:
        return all(self._watch.layer(role) is not None for role in ("clean", *_NEEDED[kind]))

    def show(self, kind: str) -> None:
        """One of ``KINDS``; "" for none. ValueError where the layers are not of one shape."""
        self.kind = kind if kind and self.can_show(kind) else ""
        self._kept.restore()
        if not self.kind:
            remove_own(self._viewer, _TOOL)
            return
        from napari.layers import Labels

        about = KINDS[kind]
        clean = self._watch.layer("clean")
        colours: dict[int | None, str] = {0: "transparent", None: "transparent"}
        colours |= dict(enumerate(about.colours, start=1))
        layer = Labels(
            self._array(kind),
            name=f"Differences: {about.text}",
            colormap=colours,
            opacity=0.85,
            features={"index": [0, 1, 2, 3], "name": ["", *about.meanings]},
            **place_of(clean),
        )
        layer.editable = False
        add_own(self._viewer, _TOOL, layer)
        organs = [layer for role in _ORGANS if (layer := self._watch.layer(role)) is not None]
        self._kept.keep(organs)
        for layer in organs:
            layer.visible = False

    def follow(self) -> None:
        """Layers came or went: the map is made of those that are there now."""
        if self.kind:
            self.show("" if self.lost else self.kind)

    def renew(self) -> None:
        if (layer := own_layer(self._viewer, _TOOL)) is not None:
            layer.refresh()

    def _array(self, kind: str) -> Composed:
        clean, attacked = self._watch.layer("clean"), self._watch.layer("attacked")
        if kind == "mind":
            return Composed((lambda: attacked.data, lambda: clean.data), differences, "uint8")
        moved = self._watch.layer("moved_reference")

        def make(found: Any, truth: Any, before: Any) -> Any:
            organs = known(attacked).get("scored")
            return differences(found, truth, organs, before if kind == "new" else None)

        return Composed((lambda: attacked.data, lambda: moved.data, lambda: clean.data), make, "uint8")
