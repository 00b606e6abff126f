"""Windows, their stitching and its gradient; memory that runs out; networks that are random."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_networks import Hungry, SmallConv

from napari_advseg.networks import ModelCard, network_from_module
from napari_advseg.networks.execution import Execution, OutOfMemory, checkpointable_blocks
from napari_advseg.networks.stitching import stitch
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
