"""MONAI bundles against MONAI itself: the same files, run by monai.bundle and by this program."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai_bundles import (
    ORIENTATION,
    Config,
    Weights,
    cropped,
    logits_back,
    nearest_after,
    normalised,
    not_inverted,
    opened,
    sigmoid,
    sliced,
    splines,
    transforms,
    written,
)
from safetensors.torch import save_file

from napari_advseg.networks import SegmentationNetwork
from napari_advseg.networks.archive import Archive
from napari_advseg.networks.monai_bundle import is_bundle
from napari_advseg.networks.steps import Crop, Permute, Resample
from napari_advseg.volume import Grid, read_ct


def ours(network: SegmentationNetwork, image: Path) -> np.ndarray:
    volume = read_ct(image)
    return network.on(volume.grid).labels(torch.from_numpy(volume.hu))


def by_monai(bundle: Path, image: Path, settings: str) -> np.ndarray:
    from monai.bundle import ConfigWorkflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flow = ConfigWorkflow(
            config_file=str(bundle / "configs" / settings),
            meta_file=str(bundle / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="inference",
            bundle_root=str(bundle),
            dataset_dir=str(image.parent),
        )
        flow.initialize()
        flow.run()
        flow.finalize()
    return sitk.GetArrayFromImage(sitk.ReadImage(str(bundle / "eval" / "ct_out.nii.gz")))


@pytest.mark.parametrize(
    ("change", "suffix"),
    [
        (lambda _: None, "json"),
        (nearest_after, "yaml"),
        (not_inverted, "yml"),
        (logits_back, "json"),
        (sigmoid, "json"),
        (sliced, "json"),
        (cropped, "json"),
        (normalised, "json"),
        (splines, "json"),
    ],
)
def test_labels_are_those_of_monais_own_run(
    tmp_path: Path, ct: tuple[Path, np.ndarray], weights: Weights, change: Callable[[Config], object], suffix: str
) -> None:
    bundle, _ = written(tmp_path / "organs", weights, change, suffix)
    mine = ours(opened(bundle), ct[0])
    peer = by_monai(bundle, ct[0], f"inference.{suffix}")
    assert mine.shape == peer.shape
    share = [(peer == index).mean() for index in range(2)]
    assert min(share) > 0.01
    assert (mine == peer).mean() >= 0.999, f"{(mine != peer).sum()} of {peer.size} voxels differ"


def packed(bundle: Path, archive: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as stream:
        for file in bundle.rglob("*"):
            if file.is_file():
                stream.write(file, f"{inside}{file.relative_to(bundle).as_posix()}")
    return archive


def test_folder_zip_and_every_kind_of_weights_are_the_same_network(
    tmp_path: Path, ct: tuple[Path, np.ndarray], weights: Weights
) -> None:
    bundle, _ = written(tmp_path / "organs", weights)
    first = opened(bundle)
    expected = ours(first, ct[0])
    state = weights(3, 3)
    for number, inside in enumerate(("", "organs/")):
        zipped = opened(packed(bundle, tmp_path / f"{number}.zip", inside))
        assert (ours(zipped, ct[0]) == expected).all()
        if not inside:
            assert zipped.card.sha256 == first.card.sha256
    for content in ({"model": state}, {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}):
        torch.save(content, bundle / "models" / "model.pt")
        assert (ours(opened(bundle), ct[0]) == expected).all()
    (bundle / "models" / "model.pt").unlink()
    save_file(state, bundle / "models" / "model.safetensors")
    assert (ours(opened(bundle), ct[0]) == expected).all()
    assert opened(bundle).card.sha256 != first.card.sha256


def test_only_bundles_are_bundles(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights)
    assert is_bundle(Archive(bundle)) == ""
    assert is_bundle(Archive(tmp_path)) == "organs"
    written(tmp_path / "others", weights)
    assert is_bundle(Archive(tmp_path)) is None  # which of the two is not said
    (bundle / "models" / "model.pt").unlink()
    assert is_bundle(Archive(bundle)) is None


def test_the_card_says_what_the_bundle_says(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights, cropped)
    card = opened(bundle).card
    assert (card.name, card.licence, card.format, card.source) == (
        "Two organs",
        "CC-BY-4.0",
        "monai-bundle",
        str(bundle),
    )
    assert card.labels == {0: "background", 1: "liver", 2: "spleen"}
    assert (card.dimensions, card.patch, card.overlap, card.weights, card.batch) == (
        3,
        (32, 32, 16),
        0.5,
        "gaussian",
        2,
    )
    assert [step.step for step in card.steps] == ["orient", "orient", "crop", "resample", "scale"]
    assert card.steps[2] == Crop(keep="positive")
    assert card.steps[3] == Resample(spacing=(1.5, 1.5, 2.0), alignment="first_voxel", back="probabilities")
    (bundle / "configs" / "metadata.json").unlink()
    card = opened(bundle).card
    assert (card.name, card.licence) == ("organs", "unknown")
    assert card.labels == {0: "background", 1: "class 1", 2: "class 2"}


def test_one_sigmoid_is_one_organ(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights, sigmoid)
    card = opened(bundle).card
    assert (card.labels, card.regions) == ({0: "background", 1: "liver"}, (1,))


def test_a_slice_network_gets_its_axis_first(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights, sliced)
    card = opened(bundle).card
    assert (card.dimensions, card.patch, card.weights) == (2, (40, 32), "constant")
    assert card.steps[-1] == Permute(order=(2, 0, 1))


def test_whole_images_and_disabled_transforms(tmp_path: Path, weights: Weights) -> None:
    def change(config: Config) -> None:
        config["inferer"] = {"_target_": "SimpleInferer"}
        transforms(config).append({"_target_": "RandFlipd", "_disabled_": True})
        transforms(config)[ORIENTATION] = {"_target_": "monai.transforms.spatial.array.Orientation", "axcodes": "PLS"}
        config["network_def"]["_target_"] = "monai.networks.nets.unet.UNet"

    card = opened(written(tmp_path / "organs", weights, change)[0]).card
    assert card.patch is None
    assert card.steps[1].model_dump() == {"step": "orient", "axes": "PLS"}


@pytest.mark.parametrize("change", [lambda _: None, sigmoid, nearest_after])
def test_gradients_reach_the_ct(
    tmp_path: Path, ct: tuple[Path, np.ndarray], weights: Weights, change: Callable[[Config], object]
) -> None:
    network = opened(written(tmp_path / "organs", weights, change)[0])
    volume = read_ct(ct[0])
    hu = torch.from_numpy(volume.hu).requires_grad_()
    scores = network.on(volume.grid).scores(hu)
    assert torch.isfinite(scores).all()
    (scores[1] - scores[0])[torch.from_numpy(ct[1] == 1)].mean().backward()
    assert hu.grad is not None
    assert torch.isfinite(hu.grad).all()
    assert float(hu.grad.abs().max()) > 0


@pytest.mark.parametrize("back", ["scores", "nearest"])
@pytest.mark.parametrize("mode", ["bilinear", 3])
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 2.0), (3.1, 0.7, 1.2), (2.5, 1.2002, 1.2)])
def test_resampling_is_monais_spacing_there_and_back(back: str, mode: str | int, spacing: tuple[float, ...]) -> None:
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    image = torch.from_numpy(np.random.default_rng(1).normal(size=(13, 21, 18)).astype(np.float32))
    affine = torch.diag(torch.tensor([2.5, 1.2, 1.2, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([-30.0, 20.0, 11.0])
    spacer = Spacing(pixdim=spacing, mode=mode)
    there = spacer(MetaTensor(image[None], affine=affine))
    stage = Resample(
        spacing=spacing, order=3 if mode == 3 else 1, alignment="first_voxel", back=back  # type: ignore[arg-type]
    ).apply(image, Grid((13, 21, 18), (2.5, 1.2, 1.2)))  # fmt: skip
    np.testing.assert_allclose(stage.image, there.as_tensor()[0], atol=1e-4)
    if back == "nearest":
        there.applied_operations[-1]["extra_info"]["mode"] = "nearest"
    again = spacer.inverse(there.clone())
    np.testing.assert_allclose(stage.back(there.as_tensor()), again.as_tensor(), atol=1e-4)
