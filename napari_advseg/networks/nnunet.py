"""nnU-Net v2 results folders, read without nnunetv2: plans, dataset and checkpoints become a module and a card.

What nnU-Net does to a CT is told by name in ``plans.json``; every name is looked up in tables here and never imported,
because nnU-Net's own loader would call whatever a plan names. Described by Isensee et al., Nature Methods 18 (2021).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import nn

from .archive import Archive
from .card import ModelCard
from .intensity import Intensity
from .network import Ensemble
from .nnunet_architecture import build_nnunet
from .steps import Crop, Orient, Permute, Resample, Scale, Step
from .weights import build_and_fill, plain_names

_VOXELS_AT_ONCE = 2**18  # windows smaller than this are run several at a time
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_READERS = {
    "SimpleITKIO": "zyx",
    "NibabelIO": "zyx",
    "NibabelIOWithReorient": "SAR",
    "SimpleITKIOWithReorient": "SAR",
}
_RESAMPLING = {"resample_data_or_seg_to_shape": 3, "resample_torch_fornnunet": 1, "no_resampling_hack": None}


@dataclass(frozen=True)
class Trained:
    """One trained configuration in an archive: its folder and the checkpoints to use, one per fold."""

    folder: str
    checkpoints: tuple[str, ...]


def find_trained(archive: Archive, fold: str | None = None, checkpoint: str | None = None) -> Trained | None:
    """The configuration in an archive, None where it is no nnU-Net results folder.

    Raises
    ------
    ValueError
        Several configurations: which to give is said; no checkpoint in it.
    """
    folders = [
        str(PurePosixPath(name).parent).removeprefix(".")
        for name in archive.names
        if PurePosixPath(name).name == "plans.json"
    ]
    folders = [f for f in folders if any(re.search(r"(^|/)fold_[^/]+/", name) for name in archive.under(f))]
    folders = [f for f in folders if (f"{f}/dataset.json" if f else "dataset.json") in archive]
    if not folders:
        return None
    if len(folders) > 1:
        raise ValueError(
            f"{archive.path} holds {len(folders)} trained nnU-Nets: give one of {', '.join(sorted(folders)[:4])}"
        )
    folder = folders[0]
    prefix = f"{folder}/" if folder else ""
    held = [name.removeprefix(prefix) for name in archive.under(folder)]
    for wanted in (checkpoint,) if checkpoint else CHECKPOINTS:
        folds = sorted(name for name in held if re.fullmatch(rf"fold_[^/]+/{re.escape(wanted)}", name))
        if fold is not None:
            folds = [name for name in folds if name.startswith(f"{fold}/")]
        elif len(folds) > 1:
            folds = [name for name in folds if not name.startswith("fold_all/")]
        if folds:
            return Trained(folder, tuple(prefix + name for name in folds))
    raise ValueError(f"{archive.path} holds no {' or '.join(CHECKPOINTS)} in {fold or 'a fold_* folder'}")


def read_nnunet(
    archive: Archive, trained: Trained, device: torch.device, mirroring: bool = True
) -> tuple[nn.Module, ModelCard]:
    """The network of a results folder and its card; several folds become an ensemble.

    Raises
    ------
    ValueError
        One line: something that is not known here (architecture, normalisation, resampling, reader, cascade), several
        input channels, weights that do not fit.
    """
    prefix = f"{trained.folder}/" if trained.folder else ""
    plans, dataset = archive.read_data(f"{prefix}plans.json"), archive.read_data(f"{prefix}dataset.json")
    where = str(archive.path)
    contents = [_load(archive, name) for name in trained.checkpoints]
    first = contents[0]
    try:
        configuration = _configuration(plans, str(first["init_args"]["configuration"]), where)
        card = _card(archive, trained, plans, dataset, configuration, first if mirroring else {}, where)
        members = []
        for name, content in zip(trained.checkpoints, contents, strict=True):
            weights = plain_names(content["network_weights"])
            make = partial(build_nnunet, configuration, card.channels, where)
            members.append(build_and_fill(make, weights, f"{where} ({name})"))
    except (KeyError, TypeError, IndexError, AttributeError) as fault:
        raise ValueError(f"{where} is no nnU-Net v2 result that can be read: {type(fault).__name__} {fault}") from fault
    return members[0] if len(members) == 1 else Ensemble(members), card


def _load(archive: Archive, name: str) -> Mapping[str, Any]:
    """A checkpoint by torch's safe unpickler, with the few numpy types that nnU-Net's log holds."""
    import numpy as np

    scalar = np.float32(0).__reduce__()[0]  # numpy's own, wherever this numpy keeps it
    allowed: list[Any] = [
        (scalar, "numpy._core.multiarray.scalar"),
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Float32DType,
        np.dtypes.Float64DType,
        np.dtypes.Int64DType,
    ]
    try:
        with archive.open(name) as stream, torch.serialization.safe_globals(allowed):
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except ValueError:
        raise
    except Exception as fault:  # a damaged file raises whatever its unpickling trips over
        reason = str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__
        raise ValueError(f"{archive.path}: {name} does not load as an nnU-Net checkpoint ({reason})") from fault
    if not isinstance(content, Mapping) or "network_weights" not in content or "init_args" not in content:
        raise ValueError(f"{archive.path}: {name} is no nnU-Net checkpoint: it has no network_weights and init_args")
    return content


def _configuration(plans: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """A configuration with what it inherits."""
    known = plans["configurations"]
    chain: list[dict[str, Any]] = []
    wanted: str | None = name
    while wanted is not None:
        if wanted not in known or len(chain) > len(known):
            raise ValueError(f"{where}: plans.json has no configuration {wanted!r}; it has {', '.join(known)}")
        chain.append(known[wanted])
        wanted = known[wanted].get("inherits_from")
    result: dict[str, Any] = {}
    for part in reversed(chain):
        result |= part
    if result.get("previous_stage"):
        raise ValueError(
            f"{where}: {name} is the second stage of a cascade, which needs the first stage's segmentation: "
            "give a 2d, 3d_lowres or 3d_fullres result"
        )
    return result


def _card(
    archive: Archive,
    trained: Trained,
    plans: Mapping[str, Any],
    dataset: Mapping[str, Any],
    configuration: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
    where: str,
) -> ModelCard:
    channels = dataset.get("channel_names") or dataset.get("modality") or {}
    if len(channels) != 1:
        raise ValueError(f"{where} takes {len(channels)} input channels ({', '.join(channels.values())}), not one CT")
    labels, regions = _labels(dataset, where)
    patch = tuple(int(n) for n in configuration["patch_size"])
    preprocessor = configuration.get("preprocessor_name", "DefaultPreprocessor")
    if preprocessor != "DefaultPreprocessor":
        raise ValueError(f"{where}: the preprocessor {preprocessor!r} is not known; DefaultPreprocessor is")
    name = str(plans.get("dataset_name", "nnU-Net"))
    return ModelCard(
        name=name,
        dimensions=2 if len(patch) == 2 else 3,
        labels=labels,
        regions=regions,
        steps=_steps(name, plans, configuration, regions is None, where),
        spacing=tuple(float(mm) for mm in configuration["spacing"]),
        patch=patch,
        tiling="nnunet",
        divisible_by=_strides(configuration),
        mirror_axes=tuple(int(axis) for axis in checkpoint.get("inference_allowed_mirroring_axes") or ()),
        batch=min(8, max(1, _VOXELS_AT_ONCE // math.prod(patch))),
        source=where,
        sha256=archive.sha256(files_of_trained(trained)),
        format="nnunet",
    )


def _strides(configuration: Mapping[str, Any]) -> int:
    """What an input's sides must be multiples of, the coarsest axis deciding."""
    described = configuration.get("architecture", {}).get("arch_kwargs", {})
    strides = described.get("strides") or configuration.get("pool_op_kernel_sizes") or [1]
    dimensions = len(configuration["patch_size"])
    per_axis = [[s] * dimensions if isinstance(s, int) else s for s in strides]
    return max(math.prod(int(stage[axis]) for stage in per_axis) for axis in range(dimensions))


def files_of_trained(trained: Trained) -> list[str]:
    """All that is read of a configuration, by its names in the archive."""
    prefix = f"{trained.folder}/" if trained.folder else ""
    return [*trained.checkpoints, f"{prefix}plans.json", f"{prefix}dataset.json"]


def _steps(
    name: str, plans: Mapping[str, Any], configuration: Mapping[str, Any], background: bool, where: str
) -> tuple[Step, ...]:
    """nnU-Net's order: reader, transposition, crop to non-zero, normalisation, resampling."""
    reader = str(plans.get("image_reader_writer", "SimpleITKIO"))
    if reader not in _READERS:
        raise ValueError(f"{where}: the image reader {reader!r} is not known; these are: {', '.join(_READERS)}")
    # TotalSegmentator turns CTs to RAS+ itself before it hands them to nnU-Net.
    axes = "SAR" if "TotalSegmentator" in name else _READERS[reader]
    order = tuple(int(axis) for axis in plans.get("transpose_forward", (0, 1, 2)))
    rule = str(configuration.get("resampling_fn_data", "resample_data_or_seg_to_shape"))
    if rule not in _RESAMPLING:
        raise ValueError(f"{where}: the resampling {rule!r} is not known; these are: {', '.join(_RESAMPLING)}")
    steps: list[Step] = [
        Orient(axes=axes),
        Permute(order=(order[0], order[1], order[2])),
        Crop(keep="nonzero", background=background),
        Scale(intensity=_intensity(plans, configuration, where)),
    ]
    spacing = tuple(float(mm) for mm in configuration["spacing"])
    if (arguments := configuration.get("resampling_fn_data_kwargs", {})).get("force_separate_z") is not None:
        raise ValueError(f"{where}: force_separate_z = {arguments['force_separate_z']} is not supported; None is")
    interpolation = _RESAMPLING[rule]
    if interpolation is not None:
        steps.append(
            Resample(
                spacing=(None,) * (3 - len(spacing)) + spacing,
                order=3 if interpolation == 3 else 1,
                anisotropic=True,
            )
        )
    return tuple(steps)


def _intensity(plans: Mapping[str, Any], configuration: Mapping[str, Any], where: str) -> Intensity:
    scheme = str(configuration["normalization_schemes"][0])
    if scheme == "CTNormalization":
        table = plans.get("foreground_intensity_properties_per_channel")
        table = table or plans["foreground_intensity_properties_by_modality"]
        seen = table["0"]
        return Intensity(
            rule="zscore",
            low=float(seen["percentile_00_5"]),
            high=float(seen["percentile_99_5"]),
            mean=float(seen["mean"]),
            std=max(float(seen["std"]), 1e-8),
        )
    if scheme == "ZScoreNormalization":
        masked = bool(configuration.get("use_mask_for_norm", [False])[0])
        return Intensity(rule="image_zscore", mask="filled" if masked else "none")
    if scheme == "NoNormalization":
        return Intensity(rule="none")
    if scheme == "RescaleTo01Normalization":
        return Intensity(rule="image_range")
    known = "CTNormalization, ZScoreNormalization, NoNormalization, RescaleTo01Normalization"
    raise ValueError(f"{where}: the normalisation {scheme!r} is not known for a CT; these are: {known}")


def _labels(dataset: Mapping[str, Any], where: str) -> tuple[dict[int, str], tuple[int, ...] | None]:
    """{id: name}, and the label that each region paints where the network was trained on regions."""
    named = {str(k): v for k, v in dataset["labels"].items() if k != "ignore"}
    if any(isinstance(value, list | tuple) and len(value) > 1 for value in named.values()):
        names = [k for k, v in named.items() if v not in (0, [0])]
        order = [int(index) for index in dataset.get("regions_class_order", ())]
        if len(order) != len(names) or sorted(order) != list(range(1, len(names) + 1)):
            raise ValueError(
                f"{where}: regions_class_order {order} does not give each of {len(names)} regions a label of its own"
            )
        return {0: "background"} | dict(sorted(zip(order, names, strict=True))), tuple(order)
    single = {k: v[0] if isinstance(v, list | tuple) else v for k, v in named.items()}
    if all(str(key).isdigit() for key in single):  # the older order, {id: name}
        return {int(key): str(value) for key, value in single.items()}, None
    return {int(value): str(key) for key, value in single.items()}, None


def split_path(path: Path) -> tuple[Path, str | None, str | None]:
    """A path inside a results folder as (results folder, fold, checkpoint): a fold or a checkpoint may be given."""
    if path.is_file() and path.parent.name.startswith("fold_") and (path.parents[1] / "plans.json").is_file():
        return path.parents[1], path.parent.name, path.name
    if path.is_dir() and path.name.startswith("fold_") and (path.parent / "plans.json").is_file():
        return path.parent, path.name, None
    return path, None, None
