"""What is known about a network, for people and for programs."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .network import Ensemble, SegmentationNetwork, call_module
from .opening import probe_size


def describe(network: SegmentationNetwork) -> dict[str, Any]:
    """The card as plain data, plus class, number of parameters, device, randomness, and what is missing in the card."""
    card = network.card
    module = network.module.members[0] if isinstance(network.module, Ensemble) else network.module
    missing = [
        what
        for what, lacks in (
            ("licence", card.licence in ("", "unknown")),
            ("source", not card.source),
            (
                "spacing or input_size (the network is run at the CT's own voxel size)",
                card.spacing is None and card.input_size is None and not card.steps,
            ),
            (
                "names of the labels",
                any(name.lower().startswith(("class ", "class_", "label ")) for name in card.organs.values()),
            ),
        )
        if lacks
    ]
    members = len(network.module.members) if isinstance(network.module, Ensemble) else 1
    return card.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=False) | {
        "class": type(module).__name__,
        "folds": members,
        "parameters": network.parameters,
        "device": str(network.device),
        "format": network.format,
        "random": network.random,
        "missing": missing,
    }


def memory_of_one_pass(network: SegmentationNetwork, *, quickly: bool = False) -> float:
    """Megabytes that the way back of one window (or slice, or whole input) holds on to: one pass, measured.

    Counted is what torch keeps for the gradient, which hardly depends on the device; the volume itself and the
    gradient's own working memory come on top. ``quickly`` measures on a small input and scales to the window.
    """
    card = network.card
    size = probe_size(card) if quickly else card.patch or probe_size(card)
    times = math.prod(card.patch or size) / math.prod(size)
    member = network.module.members[0] if isinstance(network.module, Ensemble) else network.module
    assert isinstance(member, nn.Module)
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    image = torch.zeros(1, 1, *size, device=network.device, requires_grad=True)
    own = {parameter.untyped_storage().data_ptr() for parameter in member.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = call_module(member, image, card)
    del answer
    return round(times * sum(count for pointer, count in seen.items() if pointer not in own) / 2**20, 1)
