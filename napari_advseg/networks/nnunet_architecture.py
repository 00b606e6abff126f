"""The networks that nnU-Net plans, built from the plan's own description with a closed list of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

_PREFIX = "dynamic_network_architectures."
_CLASSES = {
    f"{_PREFIX}architectures.unet.PlainConvUNet": "PlainConvUNet",
    f"{_PREFIX}architectures.unet.ResidualEncoderUNet": "ResidualEncoderUNet",
    f"{_PREFIX}architectures.unet.ResidualUNet": "ResidualUNet",
    f"{_PREFIX}architectures.residual_unet.ResidualEncoderUNet": "ResidualEncoderUNet",
}
_OPERATIONS = {
    name: getattr(nn, name)
    for name in (
        "Conv2d", "Conv3d", "InstanceNorm2d", "InstanceNorm3d", "BatchNorm2d", "BatchNorm3d", "GroupNorm",
        "Dropout", "Dropout2d", "Dropout3d", "LeakyReLU", "ReLU", "PReLU", "ELU", "GELU", "SiLU", "Mish",
    )
}  # fmt: skip
_BLOCKS = {f"{_PREFIX}building_blocks.residual.{name}": name for name in ("BasicBlockD", "BottleneckD")}
_MODULES = ("torch.nn.", "torch.nn.modules.")


def allowed_classes() -> tuple[str, ...]:
    """Names of the classes that a plan or a card may ask for."""
    return tuple(_CLASSES)


def build_nnunet(configuration: Mapping[str, Any], channels: int, where: str) -> nn.Module:
    """The network of a configuration of ``plans.json`` for one input and ``channels`` output channels.

    Raises
    ------
    ValueError
        A class or an operation that is not in the closed list, arguments that do not fit.
    ImportError
        dynamic-network-architectures is not installed.
    """
    if "architecture" in configuration:
        described = configuration["architecture"]
        return build_described(
            str(described["network_class_name"]),
            described["arch_kwargs"],
            tuple(described.get("_kw_requires_import", ())),
            channels,
            where,
        )
    return build_described(*_older_plan(configuration, where), channels, where)


def build_described(
    name: str, arguments: Mapping[str, Any], named: tuple[str, ...], channels: int, where: str
) -> nn.Module:
    """A U-Net of dynamic-network-architectures; ``named`` are the arguments that are names of operations."""
    if name not in _CLASSES:
        raise ValueError(f"{where} names the network class {name!r}; these are known: {', '.join(_CLASSES)}")
    resolved = {key: _operation(key, value, where) if key in named else value for key, value in arguments.items()}
    for key, value in resolved.items():
        if key not in named:
            _plain(key, value, where)
    try:
        from dynamic_network_architectures.architectures import unet
    except ImportError as fault:
        raise ImportError(
            f"{where} needs the package dynamic-network-architectures: pip install 'napari-advseg[nnunet]'"
        ) from fault
    try:
        module: nn.Module = getattr(unet, _CLASSES[name])(
            input_channels=1, num_classes=channels, deep_supervision=False, **resolved
        )
    except Exception as fault:  # the package checks its arguments with assertions and type errors
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise ValueError(f"{where}: {name} does not take these arguments: {reason}") from fault
    return module


def _operation(key: str, value: Any, where: str) -> Any:
    if value is None:
        return None
    short = str(value)
    if short in _BLOCKS:
        from dynamic_network_architectures.building_blocks import residual

        return getattr(residual, _BLOCKS[short])
    operation = short.rsplit(".", 1)[-1]
    if operation not in _OPERATIONS or not short.startswith(_MODULES):
        raise ValueError(
            f"{where} names {short!r} for {key}: only operations of torch.nn are known ({', '.join(_OPERATIONS)})"
        )
    return _OPERATIONS[operation]


def _plain(key: str, value: Any, where: str) -> None:
    """Numbers, booleans, None and nests of them; a string could only be a name to be imported."""
    if isinstance(value, Mapping):
        for inner, entry in value.items():
            _plain(f"{key}.{inner}", entry, where)
    elif isinstance(value, list | tuple):
        for entry in value:
            _plain(key, entry, where)
    elif not (value is None or isinstance(value, bool | int | float)):
        raise ValueError(f"{where}: the argument {key} may hold numbers only; got {value!r}")


def _older_plan(plan: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Plans from before 2.2 describe the U-Net by its stages; what they leave out was fixed then."""
    kind = str(plan.get("UNet_class_name"))
    if kind not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise ValueError(f"{where} names the network {kind!r}; PlainConvUNet and ResidualEncoderUNet are known")
    dimensions = len(plan["patch_size"])
    stages = len(plan["n_conv_per_stage_encoder"])
    widest, base = int(plan["unet_max_num_features"]), int(plan["UNet_base_num_features"])
    return (
        f"{_PREFIX}architectures.unet.{kind}",
        {
            "n_stages": stages,
            "features_per_stage": [min(base * 2**stage, widest) for stage in range(stages)],
            "conv_op": f"torch.nn.Conv{dimensions}d",
            "kernel_sizes": plan["conv_kernel_sizes"],
            "strides": plan["pool_op_kernel_sizes"],
            "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage": plan["n_conv_per_stage_encoder"],
            "n_conv_per_stage_decoder": plan["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": f"torch.nn.InstanceNorm{dimensions}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        ("conv_op", "norm_op", "dropout_op", "nonlin"),
    )
