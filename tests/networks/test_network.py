from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import AXIS_CODES, grids
from toy_networks import SmallConv, Threshold

from napari_advseg.networks import Intensity, ModelCard, network_from_module
from napari_advseg.networks.steps import Crop, Orient, Permute, Resample, Scale
from napari_advseg.volume import Grid, Region, reorient, reorient_grid, reorientation


def card(dimensions: int = 3, **fields: object) -> ModelCard:
    return ModelCard(name="toy", dimensions=dimensions, labels=["background", "liver", "spleen"], **fields)


NNUNET_STEPS = (
    Orient(axes="zyx"),
    Permute(order=(1, 0, 2)),
    Crop(),
    Scale(intensity=Intensity(rule="image_zscore")),
    Resample(spacing=(2.5, 2.2, 2.4), order=3, anisotropic=True),
)
MONAI_STEPS = (
    Orient(axes="RAS"),
    Resample(spacing=(2.2, 1.7, 2.5), alignment="first_voxel"),
    Scale(intensity=Intensity(rule="image_range")),
)


def place(dimensions: int, grid: Grid, **fields: object):
    return network_from_module(SmallConv(dimensions), card(dimensions, **fields), device="cpu").on(grid)


GRID = Grid((8, 10, 12), (3.0, 2.0, 2.0))


@pytest.mark.parametrize("dimensions", [2, 3])
@settings(max_examples=20)
@given(grid=grids(smallest=3), axes=st.sampled_from(AXIS_CODES), seed=st.integers(0, 99))
def test_a_network_sees_the_patient_the_same_however_the_ct_is_stored(dimensions, grid, axes, seed) -> None:
    hu = np.random.default_rng(seed).normal(0, 100, grid.shape).astype(np.float32)
    change = reorientation(grid, axes)
    turned = np.ascontiguousarray(reorient(hu, change))
    network = network_from_module(SmallConv(dimensions), card(dimensions, orientation="PLS"), device="cpu")
    scores = network.on(grid).scores(torch.from_numpy(hu)).numpy()
    again = network.on(reorient_grid(grid, change)).scores(torch.from_numpy(turned)).numpy()
    np.testing.assert_allclose(again, reorient(scores, change), atol=1e-5)


@pytest.mark.parametrize(
    ("dimensions", "fields"),
    [
        (3, {}),
        (2, {"batch": 3}),
        (3, {"orientation": "LAI", "input_size": (16, 14, 12)}),
        (2, {"spacing": (1.5, 3.0), "divisible_by": 4}),
        (3, {"spacing": (2.0, 2.5, 3.0), "intensity": Intensity(rule="zscore", low=-300, high=300, mean=20, std=80)}),
        (3, {"intensity": Intensity(rule="window", low=-400, high=400, clip=True)}),
        (3, {"patch": (8, 8, 8), "batch": 2}),
        (3, {"patch": (6, 6, 8), "tiling": "nnunet", "mirror_axes": (0, 2), "batch": 3}),
        (2, {"patch": (6, 8), "tiling": "nnunet", "mirror_axes": (0, 1)}),
        (3, {"patch": (6, 6, 8), "tiling": "nnunet", "steps": NNUNET_STEPS}),
        (3, {"patch": (16, 6, 8), "weights": "constant", "steps": MONAI_STEPS}),
    ],
)
def test_gradients_through_the_whole_pipeline_agree_with_finite_differences(dimensions: int, fields: dict) -> None:
    placed = place(dimensions, GRID, **fields)
    generator = torch.Generator().manual_seed(0)
    hu = torch.randn(GRID.shape, generator=generator) * 100
    direction = torch.randn(GRID.shape, generator=generator)
    weight = torch.randn((3, *GRID.shape), generator=generator, dtype=torch.float64)

    def value(x: torch.Tensor) -> torch.Tensor:
        return (placed.scores(x).double() * weight).sum()

    leaf = hu.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    step = 0.2
    slope = float(value(hu + step * direction) - value(hu - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=0.02, abs=1e-3)


def test_slices_of_a_2d_network_are_independent_of_the_batch() -> None:
    hu = torch.randn(GRID.shape) * 100
    torch.testing.assert_close(place(2, GRID, batch=1).scores(hu), place(2, GRID, batch=5).scores(hu))


def test_a_fixed_size_network_is_shown_the_region_and_nothing_else() -> None:
    network = network_from_module(SmallConv(3), card(input_size=(8, 8, 8)), device="cpu")
    region = Region((2, 1, 3), (7, 9, 11))
    placed = network.on(GRID, region)
    assert placed.view == region
    labels = placed.embed(placed.labels(torch.randn(region.shape) * 100))
    assert labels.shape == GRID.shape
    outside = np.ones(GRID.shape, bool)
    outside[region.slices] = False
    assert not labels[outside].any()
    with pytest.raises(ValueError, match="placed on a view"):
        placed.scores(torch.zeros(GRID.shape))


def test_the_region_margin_follows_the_patient_not_the_array() -> None:
    network = network_from_module(
        SmallConv(3), card(input_size=(8, 8, 8), region_margin_mm=(6.0, 2.0, 4.0)), device="cpu"
    )
    labels = np.zeros((20, 20, 20), np.uint16)
    labels[9:11, 9:11, 9:11] = 1
    upright = Grid(labels.shape, (1.0, 1.0, 1.0))
    assert network.auto_region(labels, upright) == Region((3, 7, 5), (17, 13, 15))
    sagittal = reorient_grid(upright, reorientation(upright, "LSP"))
    assert network.auto_region(labels, sagittal) == Region((5, 3, 7), (15, 17, 13))


def test_passes_are_counted() -> None:
    placed = place(3, GRID)
    hu = torch.zeros(GRID.shape, requires_grad=True)
    placed.scores(hu).sum().backward()
    placed.scores(hu.detach())
    assert (placed.network.passes.forward, placed.network.passes.backward) == (2, 1)


@pytest.mark.parametrize("where", [1, 5])
def test_a_pass_can_be_stopped_between_layers_on_the_way_there_and_back(where: int) -> None:
    class Stop(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls >= where:
            raise Stop

    placed = place(3, GRID)
    hu = torch.zeros(GRID.shape, requires_grad=True)
    with pytest.raises(Stop), placed.network.stopping_at(check):
        placed.scores(hu).sum().backward()
    assert calls == where
    placed.scores(hu).sum().backward()
    assert calls == where


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": ["background", "liver"]}, "gives 3 classes, its card names 2"),
        ({"labels": ["background", "liver", "spleen", "aorta"]}, "gives 3 classes, its card names 4"),
    ],
)
def test_a_label_list_of_the_wrong_length_is_named(fields: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network_from_module(
            SmallConv(3),
            card().model_copy(update=ModelCard(name="x", dimensions=3, **fields).model_dump(include={"labels"})),
            device="cpu",
        )


def test_a_network_of_other_dimensions_is_named() -> None:
    with pytest.raises(ValueError, match="does not take an input of 1 channel"):
        network_from_module(SmallConv(2), card(3), device="cpu")


def test_parameters_ask_for_no_gradient_and_modules_are_in_evaluation_mode() -> None:
    module = Threshold()
    module.dropout = torch.nn.Dropout()
    network = network_from_module(module, ModelCard(name="t", dimensions=3, labels=["b", "liver"]), device="cpu")
    assert not network.module.training
    assert not any(p.requires_grad for p in network.module.parameters())


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"labels": {"background": 0, "liver": 2}}, "without gaps"),
        ({"labels": ["background", "left kidney", "kidney_left"]}, "same organ"),
        ({"orientation": "LRS"}, "orientation"),
        ({"orientation": "XYZ"}, "orientation"),
        ({"spacing": (1.0, 2.0)}, "spacing needs 3"),
        ({"input_size": (0, 2, 2)}, "input_size needs 3"),
        ({"intensity": {"rule": "window", "low": 5, "high": 1}}, "low < high"),
        ({"unknown_field": 1}, "Extra inputs"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(fields: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ModelCard(**({"name": "x", "dimensions": 3, "labels": ["background", "liver"]} | fields))
