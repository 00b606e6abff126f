"""Learned attackers small enough to train in a test, and what they are trained on."""

from __future__ import annotations

import torch
from toy_networks import CARD, Threshold, graded_ct

from napari_advseg.attacks import Target, score_organs
from napari_advseg.generator import AttackerCard, FieldGenerator
from napari_advseg.networks import SegmentationNetwork, network_from_module
from napari_advseg.synthesis import Synthesis
from napari_advseg.volume import Region

CPU = torch.device("cpu")


def toy_network(dimensions: int = 3) -> SegmentationNetwork:
    card = CARD.model_copy(update={"dimensions": dimensions, "sha256": "0" * 64})
    return network_from_module(Threshold(), card, device="cpu")


def toy_card(dimensions: int = 3, **given: object) -> AttackerCard:
    content = {
        "network": "toy", "network_sha256": "0" * 64, "classes": 2, "dimensions": dimensions, "spacing_mm": 4.0,
        "width": 8, "max_displacement_mm": 3.0, "max_hu": 12.0, "velocity_mm": 9.0, "appearance_mm": (6.0,),
    }  # fmt: skip
    return AttackerCard.model_validate(content | given)


def toy_target(dimensions: int = 3) -> Target:
    ct, reference = graded_ct()
    network = toy_network(dimensions)
    placed = network.on(ct.grid)
    organs = score_organs(network.card.labels, placed.labels(torch.from_numpy(ct.hu)), reference)
    card = toy_card(dimensions)
    kind = card.kind(network.card.slice_axis(ct.grid))
    return Target(placed, Synthesis(ct, Region.whole(ct.grid), card.budget, kind, CPU), reference, organs)


def train_state(dimensions: int) -> FieldGenerator:
    torch.manual_seed(1)
    return FieldGenerator(toy_card(dimensions)).eval()
