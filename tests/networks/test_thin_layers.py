"""3-D convolutions of few channels: turned, they answer as before, and torch takes its quicker way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.networks.nets import UNet
from torch import Tensor, nn

from napari_advseg.networks import TurnedConv3d
from napari_advseg.networks.execution import checkpointable_blocks
from napari_advseg.networks.thin_layers import turn_thin_layers

PERMUTED = "aten::permute"
needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch without oneDNN has one way only"
)


def both(image: Tensor, **options: Any) -> tuple[nn.Conv3d, nn.Conv3d]:
    torch.manual_seed(0)
    plain = nn.Conv3d(image.shape[1], 4, **options)
    turned = TurnedConv3d(image.shape[1], 4, **options)
    turned.load_state_dict(plain.state_dict())
    return plain, turned


def calls(layer: nn.Module, image: Tensor) -> set[str]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        layer(image)
    return {event.key for event in seen.key_averages()}


@settings(max_examples=25, deadline=None)
@given(
    sides=st.permutations([5, 50, 70]),
    kernel=st.tuples(*[st.sampled_from([2, 3, 5])] * 3),
    stride=st.tuples(*[st.integers(1, 2)] * 3),
    dilation=st.tuples(*[st.integers(1, 2)] * 3),
)
def test_the_answer_and_both_gradients_are_those_of_the_plain_layer(
    sides: list[int], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> None:
    image = torch.randn(1, 8, *sides, generator=torch.Generator().manual_seed(1))
    padding = tuple(k // 2 * d for k, d in zip(kernel, dilation, strict=True))
    found = []
    for layer in both(image, kernel_size=kernel, stride=stride, dilation=dilation, padding=padding):
        point = image.clone().requires_grad_()
        answer = layer(point)
        answer.square().sum().backward()
        found.append((answer.detach(), point.grad, layer.weight.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


@needs_onednn
def test_a_thin_stack_takes_the_quicker_way() -> None:
    image = torch.randn(1, 8, 5, 50, 70)
    plain, turned = both(image, kernel_size=3, padding=1)
    assert "aten::slow_conv3d" in calls(plain, image)  # else torch has changed, and turning is for nothing
    assert "aten::mkldnn_convolution" in calls(turned, image)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (torch.randn(1, 8, 50, 70, 5), {}),  # quick as it is
        (torch.randn(2, 8, 5, 50, 70), {}),
        (torch.randn(1, 2, 6, 7, 8), {}),  # never quick
        (torch.randn(1, 8, 5, 50, 70, dtype=torch.float64), {}),
        (torch.randn(1, 8, 5, 50, 70), {"padding_mode": "replicate"}),
        (torch.randn(1, 8, 5, 50, 70), {"padding": "same"}),
        (torch.randn(1, 8, 5, 50, 70), {"groups": 2}),
        (torch.randn(1, 8, 5, 50, 70), {"kernel_size": 5, "padding": 2}),
        (torch.randn(1, 8, 5, 50, 70), {"kernel_size": 1, "padding": 0}),
    ],
)
def test_all_others_are_left_alone(image: Tensor, options: dict[str, Any]) -> None:
    plain, turned = both(image, **{"kernel_size": 3, "padding": 1} | options)
    plain, turned = plain.to(image.dtype), turned.to(image.dtype)
    assert PERMUTED not in calls(turned, image)
    assert torch.equal(plain(image), turned(image))


@needs_onednn
def test_in_half_precision_they_are_left_alone() -> None:
    image = torch.randn(1, 8, 5, 50, 70)
    _, turned = both(image, kernel_size=3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert PERMUTED not in calls(turned, image)
    assert PERMUTED in calls(turned, image)


def test_checkpointing_takes_the_same_blocks() -> None:
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2], num_res_units=1)
    blocks = checkpointable_blocks(network)
    turn_thin_layers(network)
    assert any(isinstance(layer, TurnedConv3d) for layer in network.modules())
    assert checkpointable_blocks(network) == blocks != []


def test_a_network_keeps_its_weights_and_hooks() -> None:
    network = nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose3d(8, 2, 1))
    seen: list[int] = []
    network[0].register_forward_hook(lambda *_: seen.append(1))
    image = torch.randn(1, 1, 5, 150, 170)
    with torch.no_grad():
        before = network(image)
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        turn_thin_layers(network)
        assert type(network[0]) is TurnedConv3d
        torch.testing.assert_close(network(image), before)
    assert len(seen) == 2
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
