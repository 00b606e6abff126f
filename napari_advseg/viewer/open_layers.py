"""The viewer's layers, offered to the panels as they come and go; a sample becomes the case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from .handing_on import is_parked, on_handed_on
from .layers import can_be_ct, cts_to_learn_from, known, sample_role

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .inputs_panel import InputsPanel
    from .training_panel import TrainingPanel


def can_be_reference(layer: Labels) -> bool:
    """Whether a segmentation is one, not a map made for comparing, nor one that waits for the next case."""
    return "compare" not in known(layer) and not is_parked(layer)


class OpenLayers:
    """Watches the layer list until :meth:`let_go`. ``free`` says whether a sample may become the case now."""

    def __init__(
        self, viewer: ViewerModel, inputs: InputsPanel, training: TrainingPanel, free: Callable[[], bool]
    ) -> None:
        self._viewer, self._inputs, self._training, self._free = viewer, inputs, training, free
        for emitter in (viewer.layers.events.inserted, viewer.layers.events.removed):
            emitter.connect(self._on_layers)
        self._end = on_handed_on(viewer, self._on_handed_on)
        self.offer()

    def offer(self) -> None:
        """List the open layers in the panels."""
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and can_be_ct(layer)]
        labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and can_be_reference(layer)]
        self._inputs.offer_layers(images, labels)
        self._training.offer_layers(cts_to_learn_from(images))

    def let_go(self) -> None:
        for emitter in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            emitter.disconnect(self._on_layers)
        self._end()

    def _on_handed_on(self, _event: Any = None) -> None:
        self.offer()

    def _on_layers(self, event: Any) -> None:
        self.offer()
        if event.type == "inserted" and sample_role(event.value) and self._free():
            self._take_sample(event.value)

    def _take_sample(self, layer: Any) -> None:
        """The case, with the network that belongs to it."""
        if sample_role(layer) == "ct":
            self._inputs.ct.set_value(layer)
            self._inputs.network.set_value(known(layer)["network"])
        else:
            self._inputs.reference.set_value(layer)
