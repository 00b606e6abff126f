"""MONAI bundles against MONAI itself: the same files, run by monai.bundle and by this program."""

from __future__ import annotations

import copy
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml
from safetensors.torch import save_file

from napari_advseg.networks import SegmentationNetwork
from napari_advseg.networks.archive import Archive
from napari_advseg.networks.monai_bundle import is_bundle, read_bundle
from napari_advseg.networks.steps import Crop, Permute, Resample
from napari_advseg.volume import Grid, read_ct, write_image

CPU = torch.device("cpu")
Config = dict[str, Any]
METADATA: Config = {
    "name": "Two organs",
    "version": "0.1.0",
    "monai_version": "1.4.0",
    "license": "CC-BY-4.0",
    "network_data_format": {
        "outputs": {"pred": {"num_channels": 3, "channel_def": {"0": "background", "1": "liver", "2": "spleen"}}}
    },
}
CONFIG: Config = {
    "imports": ["$import glob", "$import numpy"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": ".",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
    "device": "$torch.device('cpu')",
    "image_key": "image",
    "voxels": {"mm": [1.5, 1.5, 2.0], "window": {"low": -100, "high": 200}},
    "patch": [32, 32, 16],
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "channels": [4, 8],
        "strides": [2],
        "num_res_units": 1,
        "norm": "instance",
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "@image_key"},
            {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
            {
                "_target_": "Orientationd",
                "keys": "@image_key",
                "axcodes": "RAS",
                "labels": [["L", "R"], ["P", "A"], ["I", "S"]],
            },
            {"_target_": "Spacingd", "keys": "@image_key", "pixdim": "@voxels#mm", "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "@image_key",
                "a_min": "@voxels#window#low",
                "a_max": "@voxels::window::high",
                "b_min": 0.0,
                "b_max": 1.0,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "@image_key", "device": "@device"},
        ],
    },
    "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"},
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": "@patch",
        "sw_batch_size": 2,
        "overlap": 0.5,
        "mode": "gaussian",
        "device": "@device",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "@image_key",
                "nearest_interp": False,
                "to_tensor": True,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_dtype": "$numpy.float32",
                "output_postfix": "out",
                "separate_folder": False,
            },
        ],
    },
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
    },
    "checkpointloader": {
        "_target_": "CheckpointLoader",
        "load_path": "$@bundle_root + '/models/model.pt'",
        "load_dict": {"model": "@network"},
    },
    "initialize": ["$@checkpointloader(@evaluator)"],
    "run": ["$@evaluator.run()"],
}
ORIENTATION, SPACING, WINDOW = 2, 3, 4  # places in the preprocessing


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A CT of two organs in noise, thick slices, its x axis running against ITK's; and its labels."""
    grid = Grid((22, 58, 62), (2.5, 1.2, 1.2), (31.0, -20.0, 7.5), (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing="ij")
    labels = np.zeros(grid.shape, np.uint16)
    labels[((x + 0.35) / 0.4) ** 2 + ((y + 0.1) / 0.5) ** 2 + (z / 0.7) ** 2 < 1] = 1
    labels[((x - 0.45) / 0.3) ** 2 + ((y - 0.3) / 0.35) ** 2 + ((z - 0.1) / 0.5) ** 2 < 1] = 2
    hu = np.where(x**2 + y**2 < 0.9, 0.0, -1000.0) + np.array([0.0, 120.0, 60.0])[labels]
    hu += np.random.default_rng(0).normal(0, 25, grid.shape)
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    write_image(path, np.round(hu).astype(np.int16), grid)
    return path, labels


@pytest.fixture(scope="module")
def weights(ct: tuple[Path, np.ndarray]) -> Callable[[int, int], dict[str, torch.Tensor]]:
    """Weights of a small UNet after a few iterations on the CT, by dimensions and output channels."""
    from monai.networks.nets import UNet

    known: dict[tuple[int, int], dict[str, torch.Tensor]] = {}
    hu = ((torch.from_numpy(read_ct(ct[0]).hu) + 100) / 300).clamp(0, 1)
    target = torch.from_numpy(ct[1].astype(np.int64))

    def train(dimensions: int, channels: int) -> dict[str, torch.Tensor]:
        if (dimensions, channels) in known:
            return known[dimensions, channels]
        torch.manual_seed(0)
        arguments = {k: v for k, v in CONFIG["network_def"].items() if k != "_target_"}
        net = UNet(**(arguments | {"spatial_dims": dimensions, "out_channels": channels}))
        # (z, y, x) of the file to MONAI's (x, y, z)
        image, truth = (t.permute(2, 1, 0)[:60, :56, :22].contiguous() for t in (hu, target))
        batch = image[None, None] if dimensions == 3 else image.permute(2, 0, 1)[:, None]
        want = truth[None] if dimensions == 3 else truth.permute(2, 0, 1)
        optimiser = torch.optim.Adam(net.parameters(), 0.03)
        for _ in range(25):
            optimiser.zero_grad()
            out = net(batch)
            loss = (
                torch.nn.functional.cross_entropy(out, want)
                if channels > 1
                else torch.nn.functional.binary_cross_entropy_with_logits(
                    out[:, 0], (want == 1).float(), pos_weight=torch.tensor(5.0)
                )
            )
            loss.backward()
            optimiser.step()
        known[dimensions, channels] = net.state_dict()
        return known[dimensions, channels]

    return train


Weights = Callable[[int, int], dict[str, torch.Tensor]]


def written(
    folder: Path, weights: Weights, change: Callable[[Config], object] = lambda _: None, suffix: str = "json"
) -> tuple[Path, Config]:
    config = copy.deepcopy(CONFIG)
    change(config)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    settings = folder / "configs" / f"inference.{suffix}"
    settings.write_text(json.dumps(config) if suffix == "json" else yaml.safe_dump(config))
    network = config["network_def"]
    metadata = copy.deepcopy(METADATA)
    if network["out_channels"] == 1:
        metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = {"0": "liver"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save(weights(network["spatial_dims"], network["out_channels"]), folder / "models" / "model.pt")
    return folder, config


def opened(path: Path) -> SegmentationNetwork:
    archive = Archive(path)
    root = is_bundle(archive)
    assert root is not None
    module, card = read_bundle(archive, root, CPU)
    return SegmentationNetwork(module, card, str(path), CPU, "monai-bundle")


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


def transforms(config: Config, which: str = "preprocessing") -> list[Config]:
    found: list[Config] = config[which]["transforms"]
    return found


def nearest_after(config: Config) -> None:
    config["postprocessing"]["transforms"] = [transforms(config, "postprocessing")[i] for i in (0, 2, 1, 3)]
    config["postprocessing"]["transforms"][2]["nearest_interp"] = True


def not_inverted(config: Config) -> None:
    del config["postprocessing"]["transforms"][1]
    config["postprocessing"]["transforms"][-1]["resample"] = True


def logits_back(config: Config) -> None:
    del config["postprocessing"]["transforms"][0]


def sigmoid(config: Config) -> None:
    config["network_def"]["out_channels"] = 1
    transforms(config, "postprocessing")[0].pop("softmax")
    transforms(config, "postprocessing")[0]["sigmoid"] = True
    transforms(config, "postprocessing")[2].pop("argmax")
    transforms(config, "postprocessing")[2]["threshold"] = 0.5


def sliced(config: Config) -> None:
    config["network_def"]["spatial_dims"] = 2
    config["inferer"] = {
        "_target_": "SliceInferer",
        "spatial_dim": 2,
        "roi_size": [40, 32],
        "sw_batch_size": 4,
        "overlap": 0.25,
    }


def cropped(config: Config) -> None:
    transforms(config).insert(
        SPACING, {"_target_": "CropForegroundd", "keys": "@image_key", "source_key": "@image_key"}
    )


def normalised(config: Config) -> None:
    transforms(config)[WINDOW + 1 : WINDOW + 1] = [
        {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        {"_target_": "ScaleIntensityd", "keys": "image", "minv": -0.1, "maxv": 1.0},
        {"_target_": "NormalizeIntensityD", "keys": "image", "subtrahend": 0.1, "divisor": 0.9},
    ]
    config["inferer"] = {"_target_": "monai.inferers.SlidingWindowInferer", "roi_size": 32}


def splines(config: Config) -> None:
    transforms(config)[SPACING]["mode"] = 3


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


def put(path: str, value: Any) -> Callable[[Config, Path], None]:
    """Put a value at a place such as "inferer/overlap"; "SENTINEL" in it becomes the path of a file not to be made."""

    def change(config: Config, sentinel: Path) -> None:
        *way, last = path.split("/")
        place: Any = config
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        filled = json.loads(json.dumps(value).replace("SENTINEL", sentinel.as_posix()))
        if isinstance(place, list):
            place[int(last)] = filled
        else:
            place[last] = filled

    return change


RUN = "$open('SENTINEL', 'w').write('ran')"
PRE, POST = "preprocessing/transforms", "postprocessing/transforms"
HOSTILE = {
    "an expression as an argument": ([put("network_def/out_channels", RUN)], "network_def#out_channels is"),
    "a reference to one": ([put("evil", RUN), put("network_def/norm", "@evil")], "network_def#norm is"),
    "one within a list": ([put("network_def/channels", [4, RUN])], "network_def#channels#1 is"),
    "a class that is a function": (
        [put("network_def", {"_target_": "os.makedirs", "name": "SENTINEL"})],
        "_target_ is 'os.makedirs'",
    ),
    "a function of MONAI": ([put("network_def/_target_", "monai.networks.nets.resnet10")], "no network class"),
    "a class of its own": ([put("evil", RUN), put("network_def/_target_", "@evil")], "network_def#_target_ is"),
    "requirements": ([put("network_def/_requires_", RUN)], "network_def#_requires_ is"),
    "a component as an argument": (
        [put("network_def/norm", {"_target_": "os.makedirs", "name": "SENTINEL"})],
        "network_def#norm#_target_ is",
    ),
    "another file": ([put("network_def/norm", "%other.json::norm")], "network_def#norm is"),
    "the whole network": ([put("network_def", RUN)], "network_def is"),
    "a computed voxel size": ([put(f"{PRE}/3/pixdim", RUN)], "pixdim is"),
    "a computed list of transforms": ([put(PRE, "$@a + @b")], "preprocessing#transforms is"),
    "a computed inferer": ([put("inferer/roi_size", RUN)], "inferer#roi_size is"),
    "requirements of a transform": ([put(f"{PRE}/0/_requires_", RUN)], "preprocessing#transforms#0#_requires_ is"),
    "a computed switch": ([put(f"{PRE}/0/_disabled_", RUN)], "_disabled_ is"),
    "a reference to itself": ([put("loop", "@loop"), put("network_def/norm", "@loop")], "refers to itself"),
    "a reference through itself": ([put("loop", "@loop#x"), put("network_def/norm", "@loop#x")], "refers to itself"),
    "a reference to nothing": ([put("network_def/norm", "@nothing")], "not in the file"),
    "an unknown transform": ([put(f"{PRE}/3", {"_target_": "Resized", "spatial_size": 9})], "'Resized'"),
    "a lambda": ([put(f"{POST}/1", {"_target_": "Lambdad", "func": RUN})], "'Lambdad'"),
    "post-processing that is not known": (
        [put(f"{POST}/1", {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"})],
        "'KeepLargestConnectedComponentd'",
    ),
    "an unknown argument": ([put(f"{PRE}/3/min_pixdim", 1.0)], "min_pixdim of Spacing is 1.0"),
    "nearest neighbours": ([put(f"{PRE}/3/mode", ["nearest", "nearest"])], "mode of Spacing"),
    "scaled extent": ([put(f"{PRE}/3/scale_extent", True)], "scale_extent of Spacing is True"),
    "an impossible orientation": ([put(f"{PRE}/2/axcodes", "RAR")], "axcodes of Orientation is 'RAR'"),
    "a window upside down": ([put(f"{PRE}/4/a_min", 500)], "low < high"),
    "text for a number": ([put(f"{PRE}/4/b_min", "x")], "of a wrong kind"),
    "two channels in": ([put("network_def/in_channels", 2)], "2 input channels"),
    "finished labels interpolated": (
        [lambda config, _: nearest_after(config), put(f"{POST}/2/nearest_interp", False)],
        "interpolates finished labels",
    ),
    "overlapping labels": (
        [put(f"{POST}/0", {"_target_": "Activationsd", "keys": "pred", "sigmoid": True})],
        "labels of several sigmoids may overlap",
    ),
    "another inferer": ([put("inferer", {"_target_": "SaliencyInferer", "cam_name": "CAM"})], "SaliencyInferer"),
    "reflecting borders": ([put("inferer/padding_mode", "reflect")], "padding_mode of SlidingWindowInferer"),
    "other weights of windows": ([put("inferer/mode", "round")], "weights: "),
    "a network of any size": ([put("network_def/channels", [4, 10**8])], "does not fit"),
    "a network that the weights do not fit": ([put("network_def/channels", [8, 8])], "does not fit"),
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_what_cannot_be_followed_is_refused_in_one_line(tmp_path: Path, weights: Weights, what: str) -> None:
    changes, reason = HOSTILE[what]
    bundle, config = written(tmp_path / "organs", weights)
    for change in changes:
        change(config, tmp_path / "sentinel")
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(ValueError) as refusal:
        opened(bundle)
    message = str(refusal.value)
    assert reason in message
    assert "\n" not in message
    assert str(bundle) in message
    assert not (tmp_path / "sentinel").exists()


def test_a_threshold_other_than_a_half_is_refused(tmp_path: Path, weights: Weights) -> None:
    def change(config: Config) -> None:
        sigmoid(config)
        transforms(config, "postprocessing")[2]["threshold"] = 0.3

    with pytest.raises(ValueError, match="threshold of AsDiscrete is 0.3: expected 0.5"):
        opened(written(tmp_path / "organs", weights, change)[0])


def test_yaml_that_repeats_itself_without_end_is_refused(tmp_path: Path, weights: Weights) -> None:
    bundle, config = written(tmp_path / "organs", weights, suffix="yaml")
    deep = ["x"]
    for _ in range(12):
        deep = [deep] * 9
    for change in ({"network_def": config["network_def"] | {"norm": deep}}, {"preprocessing": deep}):
        (bundle / "configs" / "inference.yaml").write_text(yaml.safe_dump(config | change))
        with pytest.raises(ValueError, match="more than a bundle's settings would|expected a table"):
            opened(bundle)


class Trap:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sentinel,)


def test_weights_that_run_code_are_refused(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights)
    torch.save({"model": Trap(tmp_path / "sentinel")}, bundle / "models" / "model.pt")
    with pytest.raises(ValueError, match="does not load as plain weights"):
        opened(bundle)
    assert not (tmp_path / "sentinel").exists()


def test_labels_that_the_network_does_not_have_are_refused(tmp_path: Path, weights: Weights) -> None:
    bundle, _ = written(tmp_path / "organs", weights)
    metadata = copy.deepcopy(METADATA)
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"]["3"] = "kidney"
    (bundle / "configs" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="names the channel '3', but the network has only 3"):
        opened(bundle)
