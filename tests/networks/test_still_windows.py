"""Windows that see nothing of what differs from pass to pass are run once, and the scores are what they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_networks import SmallConv

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, attack_case, finish, open_case
from napari_advseg.networks import ModelCard, SegmentationNetwork, free_memory, network_from_module
from napari_advseg.volume import Grid, Volume, volume_from_array

GRID = Grid((14, 24, 36), (3.0, 2.0, 2.0))
PATCH = (8, 10, 12)
Box = tuple[slice, slice, slice]


def counted(module: nn.Module, **fields: object) -> tuple[SegmentationNetwork, list[int]]:
    card = ModelCard(name="toy", dimensions=3, labels=["background", "liver", "spleen"], patch=PATCH, **fields)
    network, calls = network_from_module(module, card, device="cpu"), []
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    return network, calls


def box_of(place: tuple[float, float, float]) -> Box:
    """A small box somewhere in the grid."""
    starts = [int(share * (n - 3)) for share, n in zip(place, GRID.shape, strict=True)]
    a, b, c = (slice(start, start + 3) for start in starts)
    return a, b, c


@settings(max_examples=25)
@given(
    places=st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=4),
    tiling=st.sampled_from(["monai", "nnunet"]),
    mirrored=st.booleans(),
)
def test_whatever_changes_the_scores_are_those_of_all_windows(
    places: list[tuple[float, float, float]], tiling: str, mirrored: bool
) -> None:
    network, _ = counted(SmallConv(3), tiling=tiling, mirror_axes=(1,) if mirrored else ())
    placed, hu = network.on(GRID), torch.randn(GRID.shape)
    weight = torch.randn(3, *GRID.shape)
    with network.remembering():
        placed.scores(hu)
        for place in places:
            hu = hu.clone()
            hu[box_of(place)] += 1.0
            leaf, other = hu.clone().requires_grad_(), hu.clone().requires_grad_()
            scores = placed.scores(leaf)
            (gradient,) = torch.autograd.grad((scores * weight).sum(), leaf)
            still, network.execution.still = network.execution.still, type(network.execution.still)()
            plain = placed.scores(other)
            (expected,) = torch.autograd.grad((plain * weight).sum(), other)
            network.execution.still = still
            torch.testing.assert_close(scores, plain, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)


def test_still_windows_run_once_and_are_forgotten_at_the_end() -> None:
    network, calls = counted(SmallConv(3))
    placed, hu = network.on(GRID), torch.randn(GRID.shape)

    def runs(changed: float, box: Box) -> int:
        calls.clear()
        image = hu.clone()
        image[box] += changed
        placed.scores(image)
        return sum(calls)

    corner, beside = (slice(0, 4),) * 3, (slice(0, 4), slice(0, 4), slice(0, 7))
    with network.remembering():
        every = runs(0.0, corner)
        assert runs(1.0, corner) == every, "the still ones are run for the first time"
        few = runs(2.0, corner)
        assert few == 1
        assert runs(0.0, corner) == few
        assert runs(1.0, beside) == every, "another window sees the change now"
        assert few < runs(3.0, beside) < every
        assert runs(4.0, corner) < every
        assert network.execution.still.holds
    assert not network.execution.still.holds
    assert runs(5.0, corner) == every


@pytest.mark.parametrize("hinders", ["the whole changes", "it is random", "memory is to be saved", "no memory"])
def test_all_windows_run_where(hinders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Dropping() if hinders == "it is random" else SmallConv(3)
    network, calls = counted(
        module, **({"intensity": {"rule": "image_zscore"}} if hinders == "the whole changes" else {})
    )
    network.execution.checkpointing = hinders == "memory is to be saved"
    if hinders == "no memory":
        monkeypatch.setattr(free_memory, "free_memory", lambda device: 1000)
    placed, hu = network.on(GRID), torch.randn(GRID.shape) * 100
    spent = []
    with network.remembering():
        for step in range(4):
            calls.clear()
            image = hu.clone()
            image[:3, :3, :3] += step
            placed.scores(image)
            spent.append(sum(calls))
        assert not network.execution.still.holds
    assert len(set(spent)) == 1


class Dropping(SmallConv):
    """Dropout that stays on."""

    def __init__(self) -> None:
        super().__init__(3)

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(torch.nn.functional.dropout(image, 0.2, training=True))


class Bright(nn.Module):
    """The organ is where the smoothed CT is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = nn.Conv3d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.smooth.weight, 1 / 27)

    def forward(self, image: Tensor) -> Tensor:
        bright = self.smooth(image)
        return torch.cat([0.5 - bright, bright - 0.5], 1) * 20


def test_an_attack_on_a_part_of_the_ct_runs_few_windows_and_finds_what_it_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = Grid((60, 24, 30), (5.0, 5.0, 5.0))
    where = np.zeros(grid.shape, bool)
    where[5:12, 8:16, 10:20] = True
    hu = np.where(where, 58.0, 42.0) + np.random.default_rng(0).normal(0, 4, grid.shape)
    ct = volume_from_array(hu.astype(np.float32), spacing=grid.spacing)

    def found(remember: bool):
        module, calls = Bright(), []
        card = ModelCard(
            name="bright", dimensions=3, labels=["background", "organ"], patch=(12, 24, 30),
            intensity={"rule": "window", "low": 0, "high": 100, "out_low": 0, "out_high": 1},
        )  # fmt: skip
        network = network_from_module(module, card, device="cpu")
        if not remember:
            monkeypatch.setattr(network.execution.still, "begin", lambda: None)
        reference = Volume(where.astype(np.float32), ct.grid)
        case = finish(open_case(CaseRequest(ct=ct, network=network, reference=reference), CancelToken()))
        module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
        finding = finish(attack_case(case, AttackRequest(drop=0.2), CancelToken()))
        assert not network.execution.still.holds
        return finding, sum(calls)

    plain, many = found(remember=False)
    spared, few = found(remember=True)
    assert plain.result.reached
    assert spared.result.achieved_drop == pytest.approx(plain.result.achieved_drop, abs=1e-4)
    assert few < 0.7 * many
