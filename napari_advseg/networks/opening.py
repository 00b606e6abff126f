"""From what the user has, a file, a folder or a name, to a network."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..volume import file_sha256
from .card import ModelCard, find_card, read_card
from .consent import ConsentNeededError, remember_trust, trusted
from .devices import pick_device
from .network import NetworkFormat, SegmentationNetwork, call_module
from .registry import PUBLISHED, SHIPPED, fetch, known_networks
from .weights import build_monai, fill, read_state_dict

_CARD_HELP = "a YAML card beside it, with name, dimensions, labels and, for plain weights, architecture"


@dataclass(frozen=True)
class Opened:
    """A module with its card, before it is put on a device."""

    module: nn.Module
    card: ModelCard
    source: str
    format: NetworkFormat


def open_network(
    checkpoint: str | Path, *, device: str = "auto", trust: bool = False, card: ModelCard | None = None
) -> SegmentationNetwork:
    """Open a segmentation network.

    Parameters
    ----------
    checkpoint
        The name of a shipped or published network (``known_networks()``), or a file: weights (.pth, .pt,
        .safetensors) whose card names a MONAI network class, or TorchScript with a card.
    device
        "auto", "cpu", "cuda", "cuda:1", "mps".
    trust
        Consent to load TorchScript, a format that can run code; remembered by SHA-256.
    card
        Used instead of the one beside the file.

    Raises
    ------
    ConsentNeededError
        The file is TorchScript and nobody has said that it is trusted.
    FileNotFoundError, ValueError, OSError
        One line each: nothing there, the checkpoint and its card do not fit, the download failed.
    """
    place = pick_device(device)
    name = str(checkpoint)
    if name in SHIPPED:
        opened = _open_weights(SHIPPED[name][0], None, place, "shipped")
    elif name in PUBLISHED:
        opened = _open_published(name, place)
    else:
        opened = _open_file(Path(checkpoint), card, trust, place)
    network = SegmentationNetwork(opened.module, opened.card, opened.source, place, opened.format)
    _probe(network)
    return network


def network_from_module(module: nn.Module, card: ModelCard, *, device: str = "auto") -> SegmentationNetwork:
    """Any torch module in the user's own code as a network: (batch, 1, *spatial) in, (batch, class, *spatial) out.

    The module is put on ``device`` and into evaluation mode, and its parameters no longer ask for gradients.
    """
    network = SegmentationNetwork(
        module, card.model_copy(update={"format": "module"}), type(module).__name__, pick_device(device)
    )
    _probe(network)
    return network


def _open_published(name: str, device: torch.device) -> Opened:
    entry = PUBLISHED[name]
    assert entry.card.sha256 is not None
    path = fetch(entry.file, entry.url, entry.card.sha256)
    module = fill(entry.build(), read_state_dict(path, device), str(path))
    return Opened(module, entry.card, name, "published")


def _open_file(path: Path, card: ModelCard | None, trust: bool, device: torch.device) -> Opened:
    if path.is_dir():
        raise ValueError(
            f"{path} is a folder: give a weights file (.pth, .pt, .safetensors) or a TorchScript file, with {_CARD_HELP}"
        )
    if not path.exists():
        raise FileNotFoundError(
            f"there is no checkpoint {path}, and no known network has that name ({', '.join(known_networks())})"
        )
    if path.suffix == ".pt2":
        raise ValueError(
            f"{path} is a torch.export program, which is not supported: save TorchScript, or the weights with {_CARD_HELP}"
        )
    if _is_torchscript(path):
        return _open_torchscript(path, card, trust, device)
    return _open_weights(path, card, device, "weights")


def _open_weights(path: Path, card: ModelCard | None, device: torch.device, kind: NetworkFormat) -> Opened:
    card = card or _card_beside(path)
    if card.architecture is None:
        raise ValueError(
            f"the card of {path} has no 'architecture': plain weights need the class of monai.networks.nets and its arguments"
        )
    sha256 = file_sha256([path])
    if card.sha256 is not None and card.sha256 != sha256:
        raise ValueError(
            f"{path} is not the file that its card describes: its SHA-256 is {sha256}, the card says {card.sha256}"
        )
    module = fill(build_monai(card.architecture, str(path)), read_state_dict(path, device), str(path))
    source = card.name if kind == "shipped" else str(path)
    return Opened(module, card.model_copy(update={"sha256": sha256, "format": kind}), source, kind)


def _open_torchscript(path: Path, card: ModelCard | None, trust: bool, device: torch.device) -> Opened:
    card = card or _card_beside(path)
    sha256 = file_sha256([path])
    if trust:
        remember_trust(sha256)
    if not trusted(sha256):
        raise ConsentNeededError(path, sha256, "TorchScript")
    try:
        with warnings.catch_warnings():  # torch announces TorchScript's end at every load
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location=device)
    except RuntimeError as fault:
        raise ValueError(f"{path} is no TorchScript file that can be read: {str(fault).splitlines()[0]}") from fault
    return Opened(module, card.model_copy(update={"sha256": sha256, "format": "torchscript"}), str(path), "torchscript")


def _card_beside(path: Path) -> ModelCard:
    found = find_card(path)
    if found is None:
        raise ValueError(f"{path} has no model card: put {_CARD_HELP}, named {path.with_suffix('.yaml').name}")
    return read_card(found)


def _is_torchscript(path: Path) -> bool:
    """TorchScript archives carry their code; looking at the zip's table of contents runs none of it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name or name.startswith("code/") for name in archive.namelist())


def _probe(network: SegmentationNetwork) -> None:
    """Run the module once on a small input, so that wrong channels are named when the network is opened."""
    card = network.card
    if card.input_size is not None:
        if card.format == "published":
            return  # card and weights are pinned together, and a full-size pass costs seconds
        size: tuple[int, ...] = card.input_size
    else:
        step = card.divisible_by if card.divisible_by > 1 else 16
        size = card.patch or (max(step, 32 if card.dimensions == 3 else 64),) * card.dimensions
        size = tuple(-(-n // card.divisible_by) * card.divisible_by for n in size)
    try:
        with torch.inference_mode():
            call_module(network.module, torch.zeros(1, 1, *size, device=network.device), card)
    except RuntimeError as fault:
        raise ValueError(
            f"the network '{card.name}' does not take an input of 1 channel and size {size}: {str(fault).splitlines()[0]}"
        ) from fault
