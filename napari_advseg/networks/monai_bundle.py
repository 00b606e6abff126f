"""MONAI bundles: a network, its weights and the way to feed it, read as data; no expression in them is ever run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from .archive import Archive
from .card import Architecture, ModelCard, one_line
from .monai_transforms import BundleConfig, Component, read_answer, read_component, read_steps
from .steps import Permute
from .weights import build_and_fill, build_monai, read_weights

_CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_WEIGHTS = ("models/model.pt", "models/model.safetensors")
_METADATA = "configs/metadata.json"
_UNIMPORTANT = frozenset({
    "device", "sw_device", "progress", "cache_roi_weight_map", "cpu_thresh", "buffer_steps", "buffer_dim",
})  # fmt: skip


def is_bundle(archive: Archive) -> str | None:
    """The folder in the archive that holds the one bundle there, "" for the archive itself; None where there is none."""
    tops = {name.partition("/")[0] for name in archive.names if "/" in name}
    roots = [
        root for root in ("", *sorted(tops)) if _one_of(archive, root, _CONFIGS) and _one_of(archive, root, _WEIGHTS)
    ]
    return roots[0] if roots and (roots[0] == "" or len(roots) == 1) else None


def read_bundle(archive: Archive, root: str, device: torch.device) -> tuple[nn.Module, ModelCard]:
    """The network of a bundle with its weights, and its card.

    Raises
    ------
    ValueError
        One line: what in which file cannot be followed, and what could be.
    """
    settings, weights = _one_of(archive, root, _CONFIGS), _one_of(archive, root, _WEIGHTS)
    if settings is None or weights is None:
        raise ValueError(
            f"{archive.path} is no MONAI bundle: expected {_CONFIGS[0]} and {_WEIGHTS[0]} in {root or '.'}"
        )
    described = _one_of(archive, root, (_METADATA,))
    metadata = archive.read_data(described) if described else {}
    where = f"{archive.path}: {settings}"
    config = BundleConfig(archive.read_data(settings), where)

    architecture = _architecture(config)
    inputs, channels, dimensions = (
        _count(architecture, name, where) for name in ("in_channels", "out_channels", "spatial_dims")
    )
    if inputs != 1:
        raise ValueError(
            f"{where}: the network wants {inputs} input channels: only networks that take one CT can be run"
        )
    answer = read_answer(config)
    single = answer.activation == "sigmoid"
    if single != (channels == 1):
        raise ValueError(
            f"{where}: {channels} output channels with {answer.activation} as activation: expected one channel with "
            "sigmoid, or several with softmax or none (labels of several sigmoids may overlap)"
        )
    if answer.threshold != (0.5 if single else None):
        raise ValueError(
            f"{where}: the threshold of AsDiscrete is {answer.threshold}: expected 0.5 after sigmoid, none otherwise"
        )
    steps = read_steps(config, answer.back, channels)
    windows, axis = _inferer(config, dimensions)
    if axis is not None:
        a, b, c = axis, *(other for other in range(3) if other != axis)
        steps += (Permute(order=(a, b, c)),)
    with archive.open(weights) as stream:
        state = read_weights(stream, PurePosixPath(weights).suffix, device, f"{archive.path}: {weights}")
    module = build_and_fill(lambda: build_monai(architecture, where), state, f"{archive.path}: {weights}")
    name = metadata.get("name")
    try:
        card = ModelCard(
            name=name if isinstance(name, str) and name else root or archive.path.stem,
            dimensions=dimensions,
            labels=_labels(metadata, channels, f"{archive.path}: {described}"),
            steps=steps,
            regions=(1,) if single else None,
            source=str(archive.path),
            licence=next((str(metadata[key]) for key in ("license", "licence") if metadata.get(key)), "unknown"),
            sha256=archive.sha256(files_of_bundle(archive, root)),
            format="monai-bundle",
            **windows,
        )
    except ValidationError as fault:
        raise ValueError(f"{where}: {one_line(fault)}") from fault
    return module, card


def files_of_bundle(archive: Archive, root: str) -> list[str]:
    """All that is read of a bundle, by its names in the archive."""
    files = [_one_of(archive, root, names) for names in (_CONFIGS, (_METADATA,), _WEIGHTS)]
    return [file for file in files if file is not None]


def _one_of(archive: Archive, root: str, names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := f"{root}/{name}" if root else name) in archive), None)


def _architecture(config: BundleConfig) -> Architecture:
    """The network's class and its arguments; build_monai looks whether the class is one."""
    if "network_def" not in config.content:
        raise ValueError(f"{config.where} has no 'network_def': which network the weights belong to is not known")
    value = config.look(config.content["network_def"], "network_def")
    if isinstance(value, Mapping) and "_disabled_" in value:
        raise config.refuse("network_def#_disabled_", value["_disabled_"], "only plain values may stand here")
    network = read_component(config, value, "network_def", "monai.networks.nets")
    assert network is not None
    arguments = {name: network.get(name) for name in network.arguments}
    if "pretrained" in arguments:
        arguments["pretrained"] = False  # the bundle brings the weights; nothing is downloaded
    return Architecture.model_validate({"class": f"monai.networks.nets.{network.name}", "arguments": arguments})


def _count(architecture: Architecture, name: str, where: str) -> int:
    """An argument of the network, or its default."""
    import monai.networks.nets as nets

    known = inspect.signature(getattr(nets, architecture.class_name.rpartition(".")[2], nn.Module).__init__).parameters
    value = architecture.arguments.get(name, known[name].default if name in known else None)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{where}: network_def does not say the network's {name}: got {value!r}, expected a number")
    return value


def _inferer(config: BundleConfig, dimensions: int) -> tuple[dict[str, Any], int | None]:
    """The card's fields about windows, and the axis along which a 2-D network is run."""
    value = config.part("inferer", "evaluator", "inferer")
    found = read_component(
        config, {"_target_": "SimpleInferer"} if value is None else value, "inferer", "monai.inferers"
    )
    name = "SimpleInferer" if found is None else found.name
    wanted = (
        ("SimpleInferer", "SlidingWindowInferer", "SlidingWindowInfererAdapt") if dimensions == 3 else ("SliceInferer",)
    )
    if name not in wanted:
        raise ValueError(
            f"{config.where}: inferer is {name}, which cannot be followed for a {dimensions}-D network; supported: "
            f"{', '.join(wanted)}"
        )
    if found is None or name == "SimpleInferer":
        if found is not None:
            found.only(ignored=frozenset())
        return {}, None
    return _windows(found, dimensions), (_slice_axis(found) if dimensions == 2 else None)


def _windows(inferer: Component, dimensions: int) -> dict[str, Any]:
    own = ("spatial_dim",) if dimensions == 2 else ()
    inferer.only("roi_size", "sw_batch_size", "overlap", "mode", "sigma_scale", "padding_mode", "cval", "with_coord", *own,
                 ignored=_UNIMPORTANT)  # fmt: skip
    for name, expected in (("sigma_scale", 0.125), ("padding_mode", "constant"), ("cval", 0), ("with_coord", False)):
        if inferer.get(name, expected) != expected:
            raise inferer.refuse(name, f"only {expected!r} can be followed")
    size = inferer.get("roi_size")
    size = size if isinstance(size, list) else [size] * dimensions
    if len(size) != dimensions or not all(isinstance(n, int) for n in size) or len({n > 0 for n in size}) != 1:
        raise inferer.refuse("roi_size", f"expected {dimensions} positive numbers, or only -1 for the whole image")
    overlap = inferer.get("overlap", 0.25)
    if isinstance(overlap, list):
        if len(set(overlap)) != 1:
            raise inferer.refuse("overlap", "only one overlap for all axes can be followed")
        overlap = overlap[0]
    return {
        "patch": tuple(size) if size[0] > 0 else None,
        "overlap": overlap,
        "weights": inferer.get("mode", "constant"),
        "batch": inferer.get("sw_batch_size", 1),
        "tiling": "monai",
    }


def _slice_axis(inferer: Component) -> int:
    axis = inferer.get("spatial_dim", 0)
    if axis not in (0, 1, 2):
        raise inferer.refuse("spatial_dim", "expected 0, 1 or 2")
    return int(axis)


def _labels(metadata: Mapping[str, Any], channels: int, where: str) -> dict[int, str]:
    """Names from the metadata; what has none there is numbered."""
    named: Any = metadata
    for key in ("network_data_format", "outputs", "pred", "channel_def"):
        named = named.get(key, {}) if isinstance(named, Mapping) else {}
    names = {str(key): str(name) for key, name in named.items()} if isinstance(named, Mapping) else {}
    if channels == 1 and list(names) == ["0"]:
        names = {"1": names["0"]}
    count = max(2, channels)
    unknown = sorted(set(names) - {str(index) for index in range(count)})
    if unknown:
        raise ValueError(f"{where}: channel_def names the channel {unknown[0]!r}, but the network has only {channels}")
    numbered = {index: f"class {index}" if index else "background" for index in range(count)}
    return {index: names.get(str(index), name) for index, name in numbered.items()}
