"""Gradients in half precision: quicker on some devices, and nothing that is measured depends on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from toy_bands import CARD, Bands, case, same, some

from napari_advseg.attacks import SearchSettings, Target, score_organs, search
from napari_advseg.attacks.progress import CancelToken
from napari_advseg.case import finish
from napari_advseg.networks import network_from_module
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Region


class Blurred(nn.Module):
    """Bands after a convolution that half precision rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = nn.Conv3d(1, 1, 3, padding=1, bias=False)
        with torch.no_grad():
            self.blur.weight.fill_(0.01)
            self.blur.weight[0, 0, 1, 1, 1] = 0.74
        self.bands = Bands()

    def forward(self, hu: Tensor) -> Tensor:
        scores: Tensor = self.bands(self.blur(hu))
        return scores


def target_of(half: bool, **card: Any) -> Target:
    ct, reference = case()
    network = network_from_module(Blurred(), CARD.model_copy(update=card), device="cpu")
    network.execution.ask_for(checkpointing=False, half=half)
    placed = network.on(ct.grid)
    organs = score_organs(CARD.labels, placed.labels(torch.from_numpy(ct.hu)), reference)
    kind = Kind(velocity_mm=9.0, appearance_mm=(6.0,))
    made = Synthesis(ct, Region.whole(ct.grid), Budget(4.0, 20.0), kind, torch.device("cpu"))
    return Target(placed, made, reference, organs)


CARDS = pytest.mark.parametrize("card", [{}, {"patch": (8, 16, 16)}], ids=["at once", "windows"])


@CARDS
def test_a_step_measures_in_full_and_only_its_gradient_is_rough(card: dict[str, Any]) -> None:
    full, half = target_of(False, **card), target_of(True, **card)
    assert np.array_equal(full.clean, half.clean)
    parameters = some(full)
    (one, gradient), (other, rough) = full.measure_with_gradient(parameters), half.measure_with_gradient(parameters)
    again = half.placed.network.passes.forward - full.placed.network.passes.forward
    assert again == (0 if card else 1)  # windows run without a gradient first, as ever
    same(one, other)
    same(other, full.measure(parameters))
    assert not torch.equal(gradient, rough)
    assert F.cosine_similarity(gradient, rough, dim=0) > 0.98


@CARDS
def test_a_search_in_half_precision_hits_what_anyone_measures(card: dict[str, Any]) -> None:
    half = target_of(True, **card)
    clean = half.placed.labels(torch.from_numpy(half.synthesis.ct.hu))
    found = finish(search(half, SearchSettings(0.2), clean, CancelToken()))
    assert found.reached
    assert target_of(False, **card).measure(found.parameters, found.strength).drop == pytest.approx(found.achieved_drop)


@pytest.mark.parametrize("half", [False, True])
def test_half_precision_is_blamed_for_numbers_that_are_none_only_where_it_was_used(half: bool) -> None:
    target = target_of(half)
    module = target.placed.network.module
    blurred = module.forward
    module.forward = lambda hu: blurred(hu) * torch.nan
    for work, blamed in ((target.measure, False), (target.measure_with_gradient, half)):
        with pytest.raises(ValueError, match=r"no numbers \(NaN\): .*check its weights") as refused:
            work(some(target))
        assert ("without half precision" in str(refused.value)) is blamed
