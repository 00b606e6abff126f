"""Short sweeps of memory.

napari sweeps all of Python's memory whenever layers are removed (``gc.collect`` in its canvas), and with torch loaded that
holds the window for half a second. What has been loaded by the time that the plugin is ready stays as long as the program,
so it is set aside (``gc.freeze``): a sweep then goes through what came later.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_LOOK_MS = 1000
_SELDOMER = 5  # Python's own sweeps: it makes them the more often the less there is to go through
_at_work: list[ShortSweeps] = []  # one per viewer; with the last one that ends everything is brought back


class ShortSweeps:
    """Sets aside what is loaded, until :meth:`end`.

    A layer that was there before is swept up as ever when it is removed: everything is brought back until it is gone, or
    a CT of half a gigabyte would stay in memory.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._earlier: WeakSet[Layer] = WeakSet()
        self._leaving: list[ref[Layer]] = []
        self._look = QTimer()
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._set_aside_again)

    def begin(self) -> None:
        """From now on; called again, what has been loaded since is set aside as well."""
        if self not in _at_work:
            _at_work.append(self)
            if len(_at_work) == 1:
                young, middle, old = gc.get_threshold()
                gc.set_threshold(young, middle, old * _SELDOMER)
            self._viewer.layers.events.removing.connect(self._on_removing)
        _set_aside()

    def end(self) -> None:
        """Sweeps go through everything again; may be called more than once."""
        if self in _at_work:
            _at_work.remove(self)
            self._leaving = []
            with contextlib.suppress(RuntimeError):  # deleted by Qt, where the program ends
                self._look.stop()
            self._viewer.layers.events.removing.disconnect(self._on_removing)
            if not _at_work:
                gc.unfreeze()
                young, middle, old = gc.get_threshold()
                gc.set_threshold(young, middle, old // _SELDOMER)

    @property
    def leaving(self) -> bool:
        """Whether a layer that was there before has been removed and is not gone from memory yet."""
        self._leaving = [layer for layer in self._leaving if layer() is not None]
        return bool(self._leaving)

    def note_layers(self) -> None:
        """All layers of the viewer have been set aside."""
        self._earlier = WeakSet(self._viewer.layers)

    def _on_removing(self, event: Any) -> None:
        """Called before a layer is removed, and so before napari sweeps."""
        layer = self._viewer.layers[event.index]
        if layer in self._earlier:
            gc.unfreeze()
            self._leaving.append(ref(layer))
            self._look.start()

    def _set_aside_again(self) -> None:
        if not self.leaving:
            self._look.stop()
            _set_aside()


def _set_aside() -> None:
    """All that is there, of every viewer; but not while a layer leaves, which would never leave memory then.

    napari lets go of a layer a moment after its sweep.
    """
    if not any(sweeps.leaving for sweeps in _at_work):
        for sweeps in _at_work:
            sweeps.note_layers()
        gc.freeze()
