"""What is known about a network, for people and for programs."""

from __future__ import annotations

from typing import Any

from .network import SegmentationNetwork


def describe(network: SegmentationNetwork) -> dict[str, Any]:
    """The card as plain data, plus class, number of parameters, device, and what is missing in the card."""
    card = network.card
    missing = [
        what
        for what, lacks in (
            ("licence", card.licence in ("", "unknown")),
            ("source", not card.source),
            (
                "spacing or input_size (the network is run at the CT's own voxel size)",
                card.spacing is None and card.input_size is None,
            ),
        )
        if lacks
    ]
    return card.model_dump(mode="json", by_alias=True, exclude_none=True) | {
        "class": type(network.module).__name__,
        "parameters": network.parameters,
        "device": str(network.device),
        "format": network.format,
        "missing": missing,
    }
