"""Windows whose graph is kept from the way there to the way back: the same bits, within the memory that is to spare."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from toy_networks import Hungry, SmallConv

from napari_advseg.networks import ModelCard, SegmentationNetwork, free_memory, network_from_module
from napari_advseg.networks.kept_graphs import KeptGraphs
from napari_advseg.networks.stitching import Spared, stitch
from napari_advseg.networks.windows import plan_windows
from napari_advseg.volume import Grid

GRID = Grid((14, 16, 18), (3.0, 2.0, 2.0))


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_memory", lambda device: 10**12)


def windowed_network(module: nn.Module, **fields: object) -> SegmentationNetwork:
    card = ModelCard(name="toy", dimensions=3, labels=["background", "liver", "spleen"], patch=(8, 8, 10), **fields)
    return network_from_module(module, card, device="cpu")


@pytest.mark.usefixtures("plenty")
@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize("corner", [1, 7, 40])
def test_windows_whose_graph_was_kept_are_not_run_again_and_nothing_differs_by_a_bit(batch: int, corner: int) -> None:
    module = SmallConv(3)
    network = windowed_network(module, mirror_axes=(1,), batch=batch)
    windows, graphs = plan_windows(network.card, GRID.shape), KeptGraphs()
    calls: list[int] = []
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    image = torch.randn(GRID.shape).requires_grad_()
    weight = torch.zeros(3, *GRID.shape)
    weight[:, :corner, :corner, :corner] = torch.randn(3, *GRID.shape)[:, :corner, :corner, :corner]
    passes = []
    for _ in range(2):
        calls.clear()
        scores = stitch(image, windows, network.variants(), lambda: batch, Spared(graphs))
        kept = graphs.kept
        (gradient,) = torch.autograd.grad((scores * weight).sum(), image)
        passes.append((scores, gradient, sum(calls), kept))
    (before, first, many, none), (after, second, few, some) = passes
    assert none == 0
    assert few == many - 2 * some, "each window is run as it is and mirrored"
    assert some > 0 or batch > 1, "a batch that matters in part is run again in part"
    if corner == 40:
        assert many == 2 * few == 2 * 2 * len(windows.starts)
    assert torch.equal(before, after)
    assert torch.equal(first, second)
    assert graphs.kept == 0


@pytest.mark.usefixtures("plenty")
def test_only_graphs_of_windows_that_mattered_last_are_kept_and_another_gradient_is_still_right() -> None:
    network = windowed_network(SmallConv(3))
    windows, graphs = plan_windows(network.card, GRID.shape), KeptGraphs()
    image = torch.randn(GRID.shape).requires_grad_()

    def gradient(corner: slice) -> Tensor:
        scores = stitch(image, windows, network.variants(), lambda: 1, Spared(graphs))
        kept.append(graphs.kept)
        return torch.autograd.grad(scores[:, corner, corner, corner].sum(), image)[0]

    kept: list[int] = []
    gradient(slice(0, 2))
    other = gradient(slice(-2, None))
    assert kept == [0, 1]
    graphs.on = False
    assert torch.equal(other, gradient(slice(-2, None)))


def test_no_more_graphs_are_kept_than_a_quarter_of_the_free_memory_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    network = windowed_network(SmallConv(3))
    windows, graphs = plan_windows(network.card, GRID.shape), KeptGraphs()
    image = torch.randn(GRID.shape).requires_grad_()
    free, own, kept = {"bytes": 10**12}, 0, []
    monkeypatch.setattr(free_memory, "free_memory", lambda device: free["bytes"] - graphs.kept * own)

    def gradient() -> Tensor:
        scores = stitch(image, windows, network.variants(), lambda: 1, Spared(graphs))
        kept.append(graphs.kept)
        return torch.autograd.grad(scores.square().sum(), image)[0]

    first = gradient()
    own = int(graphs._bytes)
    # The window, what the layers save, and the answer.
    assert own >= 8 * 8 * 10 * 4 * (1 + 3)
    free["bytes"] = own * 4 * 3 + own
    assert torch.equal(gradient(), first)
    free["bytes"] = own
    assert torch.equal(gradient(), first)
    assert kept == [0, 3, 0]


@pytest.mark.usefixtures("plenty")
def test_a_kept_graph_is_gone_with_its_scores() -> None:
    alive: list[weakref.ref] = []

    class Watched(SmallConv):
        def forward(self, image: Tensor) -> Tensor:
            answer = super().forward(image)
            if answer.requires_grad:
                alive.append(weakref.ref(answer))
            return answer

    placed = windowed_network(Watched(3)).on(GRID)
    hu = torch.randn(GRID.shape).requires_grad_()
    gc.disable()
    try:
        for backward in (True, True, False):
            scores = placed.scores(hu)
            if backward:
                torch.autograd.grad(scores.sum(), hu)
            del scores
            assert alive
            assert all(tensor() is None for tensor in alive)
            alive.clear()
    finally:
        gc.enable()


@pytest.mark.usefixtures("plenty")
@pytest.mark.parametrize("saving", ["nothing", "half", "checkpointing", "no gradient"])
def test_passes_count_alike_whatever_is_kept_and_saving_memory_keeps_no_graph(saving: str) -> None:
    network = windowed_network(SmallConv(3))
    placed, passes, graphs = network.on(GRID), network.passes, network.execution.graphs
    hu = torch.randn(GRID.shape).requires_grad_()

    def spent() -> tuple[int, int, bool]:
        before = passes.forward, passes.backward
        scores = placed.scores(hu)
        kept = graphs.kept > 0
        torch.autograd.grad(scores.sum(), hu)
        return passes.forward - before[0], passes.backward - before[1], kept

    assert [spent() for _ in range(3)] == [(2, 1, False), (2, 1, True), (2, 1, True)]
    network.execution.half = saving == "half"
    network.execution.checkpointing = saving == "checkpointing"
    if saving == "no gradient":
        with torch.no_grad():
            placed.scores(hu)
        assert graphs.kept == 0
    else:
        assert spent() == (2, 1, saving == "nothing")


@pytest.mark.usefixtures("plenty")
@pytest.mark.parametrize("used", [False, True])
def test_where_memory_runs_out_what_is_kept_is_given_up_first(used: bool) -> None:
    network = windowed_network(Hungry(99), batch=2)
    placed, execution = network.on(GRID), network.execution
    hu = torch.randn(GRID.shape).requires_grad_()

    def gradient() -> Tensor:
        return placed.enduring(lambda: torch.autograd.grad(placed.scores(hu).sum(), hu)[0])

    with network.remembering():
        for _ in range(3 * used):
            gradient()
        network.module.most = 1
        gradient()
    said = [note.removeprefix("Memory ran out; going on with ") for note in execution.notes]
    assert said == ["nothing of the windows kept between passes"] * used + ["1 window at a time"]
    assert execution.graphs.on is not used
