"""Weights into a module: safe reading, and errors that name what does not fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from .archive import LARGEST_ENTRY
from .card import Architecture
from .execution import ran_out

_NESTED_UNDER = ("state_dict", "model_state_dict", "network_weights", "model", "net", "network")
_PREFIXES = ("module.", "_orig_mod.")
_FETCHING = ("pretrained_url", "pretrained_state_dict_key", "weights")  # arguments of MONAI's classes
_MONAI_NETS = "monai.networks.nets."


def read_state_dict(path: Path, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth or .pt file by name; never runs code that the file holds."""
    with path.open("rb") as stream:
        return read_weights(stream, path.suffix, device, str(path))


def read_weights(stream: BinaryIO, suffix: str, device: torch.device, where: str) -> dict[str, Tensor]:
    """:func:`read_state_dict` of an open file, which may lie in an archive."""
    if suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return {name: tensor.to(device) for name, tensor in load(stream.read()).items()}
        except (SafetensorError, OSError) as fault:
            raise ValueError(f"{where} is no safetensors file that can be read: {fault}") from fault
    try:
        content = torch.load(stream, map_location=device, weights_only=True)
    except Exception as fault:  # a damaged file raises whatever its unpickling trips over
        if ran_out(fault):
            raise
        raise ValueError(
            f"{where} does not load as plain weights: save the network's state_dict() with torch.save, or as "
            f"safetensors ({str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__})"
        ) from fault
    for key in _NESTED_UNDER:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"{where} holds no table of weights (a state_dict): got {type(content).__name__}")
    return plain_names(content)


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without the prefixes that wrappers (DataParallel, torch.compile) put before their names."""
    return {_plain(str(name)): tensor for name, tensor in weights.items()}


def build_and_fill(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], where: str) -> nn.Module:
    """Build a network and load its weights, once a sketch without memory has shown that they fit.

    A description may ask for a network of any size; the weights at hand say what is meant.
    """
    try:
        with torch.device("meta"):
            sketch = make()
    except ValueError:
        pass  # some networks cannot be sketched; arguments that are wrong fail again below
    else:
        _check_fit(sketch, weights, where)
    total = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if total > LARGEST_ENTRY:  # one number can be viewed as any number of weights
        raise ValueError(f"{where} declares {total} bytes of weights, more than the {LARGEST_ENTRY} that are loaded")
    return fill(make(), weights, where)


def fill(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> nn.Module:
    """Load ``weights`` into ``module``; every name and shape must fit."""
    _check_fit(module, weights, where)
    module.load_state_dict(dict(weights), strict=False)
    return module


def _check_fit(module: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    own = module.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    extra = [name for name in weights if name not in own]
    shapes = [
        f"{name}: file {tuple(weights[name].shape)}, network {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    odd = [name for name in own if name in weights and not _is_plain(weights[name])]
    faults = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for names, what in (
            (missing, "weights missing in the file"),
            (extra, "weights that the network does not have"),
            (shapes, "weights of another shape"),
            (odd, "weights that are no real numbers"),
        )
        if names
    ]
    if faults:
        raise ValueError(f"{where} does not fit the network {type(module).__name__}: {'; '.join(faults)}")


def _is_plain(tensor: Tensor) -> bool:
    return not (tensor.is_complex() or tensor.is_meta or tensor.is_quantized) and tensor.layout == torch.strided


def load_architectures() -> None:
    """Import what networks are built of, which takes seconds the first time."""
    import monai.networks.nets  # noqa: F401


def build_monai(architecture: Architecture, where: str) -> nn.Module:
    """A network class of monai.networks.nets with plain-data arguments; anything else is refused."""
    name = architecture.class_name
    if not name.startswith(_MONAI_NETS) or "." in name.removeprefix(_MONAI_NETS):
        raise ValueError(
            f"{where}: the card's class must be one of {_MONAI_NETS}*, such as {_MONAI_NETS}UNet; got {name!r}"
        )
    _plain_data(architecture.arguments, where)
    import monai.networks.nets as nets

    found = getattr(nets, name.removeprefix(_MONAI_NETS), None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"{where}: this MONAI has no network class {name!r}")
    arguments = _nothing_fetched(found, architecture.arguments, f"{where}: {name}")
    try:
        return found(**arguments)
    except Exception as fault:  # MONAI checks its arguments with many exception types
        raise ValueError(
            f"{where}: {name} does not take these arguments: {str(fault).splitlines()[0] if str(fault) else fault!r}"
        ) from fault


def _nothing_fetched(found: type[nn.Module], arguments: dict[str, Any], what: str) -> dict[str, Any]:
    """The arguments with which the class fetches nothing: the weights are those of the checkpoint.

    Some of MONAI's classes download weights where they are built, from an address that a stranger's card may choose.
    """
    known = inspect.signature(found).parameters
    if "path_or_repo_id" in known:
        raise ValueError(f"{what} fetches a model from elsewhere when it is built, and is not opened")
    asked = [name for name in _FETCHING if arguments.get(name)]
    if asked:
        raise ValueError(
            f"{what} is given {asked[0]!r}, which fetches weights from elsewhere: take it out, the weights are those of "
            "the checkpoint"
        )
    return arguments | ({"pretrained": False} if "pretrained" in known else {})


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _plain_data(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, entry in value.items():
            if str(key).startswith("_"):
                raise ValueError(f"{where}: the card's arguments may not hold the key {key!r}")
            _plain_data(entry, where)
    elif isinstance(value, list):
        for entry in value:
            _plain_data(entry, where)
    elif isinstance(value, str) and value[:1] in ("$", "@", "%"):
        raise ValueError(f"{where}: the card's arguments may hold plain values only; got {value!r}")
