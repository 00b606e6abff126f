"""Windows, their stitching and its gradient; memory that runs out; networks that are random."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_networks import SmallConv

from napari_advseg.networks import ModelCard, free_memory, network_from_module
from napari_advseg.networks.execution import Execution, OutOfMemory, checkpointable_blocks
from napari_advseg.networks.kept_graphs import KeptGraphs
from napari_advseg.networks.stitching import Spared, stitch
from napari_advseg.networks.windows import plan_windows
from napari_advseg.volume import Grid

GRID = Grid((14, 16, 18), (3.0, 2.0, 2.0))


def card(dimensions: int = 3, **fields: object) -> ModelCard:
    return ModelCard(name="toy", dimensions=dimensions, labels=["background", "liver", "spleen"], **fields)


@settings(max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    patch=st.tuples(*[st.integers(2, 24)] * 3),
    tiling=st.sampled_from(["monai", "nnunet"]),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
def test_windows_cover_every_voxel_and_stay_inside(shape, patch, tiling, overlap) -> None:
    windows = plan_windows(card(patch=patch, tiling=tiling, overlap=overlap), shape)
    seen = np.zeros(windows.shape, int)
    for index in range(len(windows.starts)):
        box = windows.slices(index)
        assert all(s.start >= 0 and s.stop <= n for s, n in zip(box, windows.shape, strict=True))
        seen[box] += 1
    assert seen.min() >= 1
    assert float(windows.weight.min()) > 0
    image = torch.randn(shape)
    assert torch.equal(windows.unpad(windows.pad(image)[None])[0], image)


def full_autograd(image: Tensor, network, windows) -> Tensor:
    """The same stitching with the whole graph kept, as a check."""
    padded = windows.pad(image)
    total, stitched = torch.zeros(windows.shape), 0.0
    for index in range(len(windows.starts)):
        box = windows.slices(index)
        answer = torch.stack([run(padded[box][None], [index])[0] for run in network.variants()]).mean(0)
        sides = [
            side for s, n in reversed(list(zip(box, windows.shape, strict=True))) for side in (s.start, n - s.stop)
        ]
        stitched = stitched + torch.nn.functional.pad(answer * windows.weight, sides)
        total[box] += windows.weight
    return windows.unpad(stitched / total)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("tiling", ["monai", "nnunet"])
def test_the_gradient_window_by_window_is_the_gradient_of_the_whole_graph(tiling: str, batch: int) -> None:
    network = network_from_module(
        SmallConv(3), card(patch=(8, 8, 10), tiling=tiling, mirror_axes=(1,), batch=batch), device="cpu"
    )
    windows = plan_windows(network.card, GRID.shape)
    image = torch.randn(GRID.shape).requires_grad_()
    weight = torch.randn(3, *GRID.shape)
    stitched = stitch(image, windows, network.variants(), lambda: batch)
    whole = full_autograd(image, network, windows)
    torch.testing.assert_close(stitched, whole, atol=1e-5, rtol=1e-5)
    (ours,) = torch.autograd.grad((stitched * weight).sum(), image)
    (theirs,) = torch.autograd.grad((whole * weight).sum(), image)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


def test_windows_without_a_share_in_the_gradient_are_not_run_again() -> None:
    module = SmallConv(3)
    network = network_from_module(module, card(patch=(6, 6, 6)), device="cpu")
    calls: list[int] = []
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    image = torch.randn(24, 24, 24).requires_grad_()
    windows = plan_windows(network.card, (24, 24, 24))
    scores = stitch(image, windows, network.variants(), lambda: 4)
    there = sum(calls)
    assert there == len(windows.starts)
    scores[:, :3, :3, :3].sum().backward()
    assert sum(calls) - there == 1
    assert float(image.grad[:3, :3, :3].abs().min()) > 0


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_memory", lambda device: 10**12)


def windowed_network(module: nn.Module, **fields: object):
    return network_from_module(module, card(patch=(8, 8, 10), **fields), device="cpu")


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


class Hungry(nn.Module):
    """Runs out of memory for more than ``most`` windows at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.inner, self.most = SmallConv(3), most
        self.convs = nn.Sequential(nn.Conv3d(3, 3, 1), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        if len(image) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.convs(self.inner(image))


def test_where_memory_runs_out_the_pass_is_run_again_in_a_way_that_needs_less() -> None:
    network = network_from_module(Hungry(2), card(patch=(8, 8, 8), batch=8), device="cpu")
    hu = torch.randn(GRID.shape)
    labels = network.on(GRID).labels(hu)
    assert network.execution.batch == 2
    assert network.execution.notes == [
        "Memory ran out; going on with 4 windows at a time",
        "Memory ran out; going on with 2 windows at a time",
    ]
    roomy = network_from_module(Hungry(99), card(patch=(8, 8, 8), batch=8), device="cpu")
    assert np.array_equal(roomy.on(GRID).labels(hu), labels)


def test_the_last_rung_ends_in_one_line() -> None:
    network = network_from_module(Hungry(1), card(patch=(8, 8, 8), batch=2), device="cpu")
    network.module.most = 0
    with pytest.raises(OutOfMemory, match="memory ran out on cpu even for one window: give a smaller region"):
        network.on(GRID).labels(torch.randn(GRID.shape))
    assert network.execution.checkpointing


def test_the_ladder_on_a_gpu_goes_over_half_precision_to_the_cpu() -> None:
    way = Execution(4, torch.device("cuda"))
    module = Hungry(1)
    notes = [way.climb_down(module) for _ in range(6)]
    assert [note and note.removeprefix("Memory ran out; going on with ") for note in notes] == [
        "2 windows at a time", "1 window at a time", "activation checkpointing", "gradients in half precision",
        "the network on the CPU", None,
    ]  # fmt: skip
    assert (way.device.type, way.half) == ("cpu", False)


def test_half_precision_is_no_way_out_for_a_pass_without_a_gradient() -> None:
    way = Execution(1, torch.device("cuda"), checkpointing=True)
    with torch.inference_mode():
        assert way.climb_down(Hungry(1)) == "Memory ran out; going on with the network on the CPU"
    assert not way.half


def test_other_faults_are_not_taken_for_a_lack_of_memory() -> None:
    def fail() -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        Execution(4, torch.device("cpu")).enduring(nn.Identity(), fail)


def test_activation_checkpointing_changes_no_gradient_and_leaves_no_trace() -> None:
    module = Hungry(99)
    assert checkpointable_blocks(module) == [module.inner, module.convs]
    network = network_from_module(module, card(), device="cpu")
    hu = torch.randn(GRID.shape).requires_grad_()
    (plain,) = torch.autograd.grad(network.on(GRID).scores(hu)[1].sum(), hu)
    network.execution.checkpointing = True
    (saving,) = torch.autograd.grad(network.on(GRID).scores(hu)[1].sum(), hu)
    torch.testing.assert_close(plain, saving)
    assert "forward" not in vars(module.inner)


class Wavering(nn.Module):
    """Dropout that stays on, as in a module traced in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = SmallConv(3)

    def forward(self, image: Tensor) -> Tensor:
        return self.inner(torch.nn.functional.dropout(image, 0.2, training=True))


@pytest.mark.parametrize("fields", [{}, {"patch": (8, 8, 8), "batch": 4}])
def test_a_random_network_is_noticed_and_repeats_itself_for_one_seed(fields: dict) -> None:
    network = network_from_module(Wavering(), card(**fields), device="cpu")
    assert network.random
    assert not network_from_module(SmallConv(3), card(**fields), device="cpu").random
    placed = network.on(GRID)
    hu = torch.randn(GRID.shape) * 100
    first = placed.scores(hu)
    torch.testing.assert_close(placed.scores(hu), first)
    with network.drawing(5):
        assert not torch.allclose(placed.scores(hu), first, atol=1e-3)
    state = torch.random.get_rng_state()
    placed.scores(hu)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_gradient_of_a_random_network_is_that_of_its_own_draw() -> None:
    network = network_from_module(Wavering(), card(patch=(8, 8, 8), batch=4), device="cpu")
    placed = network.on(GRID)
    hu = torch.randn(GRID.shape) * 100
    direction, weight = torch.randn(GRID.shape), torch.randn(3, *GRID.shape)
    leaf = hu.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((placed.scores(leaf) * weight).sum(), leaf)
    there, back = (((placed.scores(hu + s * direction).double()) * weight).sum() for s in (0.2, -0.2))
    assert float((gradient * direction).sum()) == pytest.approx(float(there - back) / 0.4, rel=0.02)
