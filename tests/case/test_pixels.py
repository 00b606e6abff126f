"""An attacker looks at a CT on the pixels of the network that it learns to attack, where that can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_networks import SmallConv, graded_ct

from napari_advseg.case import CaseRequest, TrainingRequest
from napari_advseg.case.training import card_for
from napari_advseg.networks import ModelCard, network_from_module


@pytest.mark.parametrize(
    ("dimensions", "spacing", "pixel"),
    [
        (2, (2.5, 2.5), 2.5),
        (2, (1.0, 1.0), 3.0),  # finer than time allows
        (2, (6.0, 6.0), 3.0),  # coarser than what is synthesised
        (2, (2.5, 2.0), 3.0),  # the generator's are square
        (2, None, 3.0),
        (3, (2.5, 2.5, 2.5), 5.0),
    ],
)
def test_the_pixels_are_the_network_s(
    dimensions: int, spacing: tuple[float, ...] | None, pixel: float, tmp_path: Path
) -> None:
    card = ModelCard(
        name="toy", dimensions=dimensions, labels={0: "background", 1: "liver", 2: "spleen"}, spacing=spacing,
        sha256="0" * 64,
    )  # fmt: skip
    network = network_from_module(SmallConv(dimensions), card)
    request = TrainingRequest(cases=(CaseRequest(ct=graded_ct()[0], network=network),), network=network, out=tmp_path)
    assert card_for(network, request).spacing_mm == pixel
