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
from napari_advseg.case import AttackRequest, Case, CaseRequest, attack_case, finish, open_case
from napari_advseg.networks import ModelCard, SegmentationNetwork, free_memory, network_from_module
from napari_advseg.networks.windows import plan_windows
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
    network, calls = counted(SmallConv(3), tiling=tiling, mirror_axes=(1,) if mirrored else ())
    placed, hu = network.on(GRID), torch.randn(GRID.shape)
    every = len(plan_windows(network.card, GRID.shape).starts) * (2 if mirrored else 1)
    weight = torch.randn(3, *GRID.shape)
    with network.remembering():
        placed.scores(hu)
        for _ in range(2):  # the second time what lies beyond need not run
            hu = hu.clone()
            hu[box_of(places[0])] += 1.0
            calls.clear()
            placed.scores(hu)
        assert 0 < sum(calls) < every
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


def test_room_changes_no_bit_of_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    hu = torch.randn(GRID.shape)
    answers = []
    for room in (10**12, 1000):
        monkeypatch.setattr(free_memory, "free_memory", lambda device, room=room: room)
        torch.manual_seed(0)
        network, calls = counted(SmallConv(3))
        placed = network.on(GRID)
        with network.remembering():
            for step in range(4):
                calls.clear()
                image = hu.clone()
                image[:3, :3, :3] += step
                answers.append((placed.scores(image), sum(calls)))
            assert network.execution.still.holds is (room > 1000)
    for (roomy, few), (tight, many) in zip(answers[:4], answers[4:], strict=True):
        assert torch.equal(roomy, tight)
        assert few <= many
    assert answers[3][1] < answers[7][1]


def test_what_another_pass_has_learned_meanwhile_is_not_overwritten() -> None:
    network, _ = counted(SmallConv(3))
    windows, still = plan_windows(network.card, GRID.shape), network.execution.still
    still.begin()
    image = torch.zeros(GRID.shape)
    still.split(image, windows)
    image[:3, :3, :3] = 1
    _, _, mine = still.split(image, windows)
    still.begin()
    still.split(image, windows)
    still.take(mine, torch.zeros(3, *GRID.shape))
    assert not still.holds


@pytest.mark.parametrize("hinders", ["the whole changes", "it is random", "memory is to be saved", "no memory"])
def test_all_windows_run_where(hinders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Dropping() if hinders == "it is random" else SmallConv(3)
    network, calls = counted(
        module, **({"intensity": {"rule": "image_zscore"}} if hinders == "the whole changes" else {})
    )
    network.execution.ask_for(checkpointing=hinders == "memory is to be saved", half=False)
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


def bright_case() -> tuple[Case, list[int]]:
    """A small organ in a long CT that the network sees through windows, and what its module is given."""
    grid = Grid((60, 24, 30), (5.0, 5.0, 5.0))
    where = np.zeros(grid.shape, bool)
    where[5:12, 8:16, 10:20] = True
    hu = np.where(where, 58.0, 42.0) + np.random.default_rng(0).normal(0, 4, grid.shape)
    ct = volume_from_array(hu.astype(np.float32), spacing=grid.spacing)
    card = ModelCard(
        name="bright", dimensions=3, labels=["background", "organ"], patch=(12, 24, 30), batch=2,
        intensity={"rule": "window", "low": 0, "high": 100, "out_low": 0, "out_high": 1},
    )  # fmt: skip
    module, calls = Bright(), []
    network = network_from_module(module, card, device="cpu")
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    reference = Volume(where.astype(np.float32), ct.grid)
    return finish(open_case(CaseRequest(ct=ct, network=network, reference=reference), CancelToken())), calls


def test_an_attack_on_a_part_of_the_ct_runs_few_windows_and_finds_the_same_whatever_room_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, calls = bright_case()
    found = []
    for room in (10**12, 10**12, 1000):
        monkeypatch.setattr(free_memory, "free_memory", lambda device, room=room: room)
        calls.clear()
        found.append((finish(attack_case(case, AttackRequest(drop=0.2), CancelToken())).result, sum(calls)))
        assert case.network.execution.still.known is None
    (first, few), (second, fewer), (tight, many) = found
    assert first.reached
    assert fewer <= few < 0.6 * many
    for other in (second, tight):
        assert torch.equal(other.parameters, first.parameters)
        assert other.strength == first.strength
        assert np.array_equal(other.attacked_labels, first.attacked_labels)
        assert (other.cost.forward, other.cost.backward) == (first.cost.forward, first.cost.backward)
    plain = case.placed.labels(torch.from_numpy(first.ct.hu.astype(np.float32)).clone())
    assert np.array_equal(plain, case.clean_labels)


@pytest.mark.parametrize("at", ["cancelled", "closed"])
def test_an_attack_that_ends_early_leaves_nothing_behind(at: str) -> None:
    case, _ = bright_case()
    token = CancelToken()
    steps = attack_case(case, AttackRequest(drop=0.2), token)
    for _ in range(4):
        next(steps)
    assert case.network.execution.still.known is not None
    if at == "closed":
        steps.close()
    else:
        token.cancel()
        finish(steps)
    assert case.network.execution.still.known is None
    assert not case.network.execution.still.on
