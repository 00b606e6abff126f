"""MONAI bundles that cannot be followed, or that try to run code: each refused in one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from monai_bundles import (
    METADATA,
    Config,
    Weights,
    nearest_after,
    opened,
    sigmoid,
    transforms,
    written,
)


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
        with pytest.raises(ValueError, match="its aliases swell it"):
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
