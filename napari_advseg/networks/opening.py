"""From what the user has, a file, a folder or a name, to a network."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..volume import file_sha256
from .archive import Archive
from .card import ModelCard, find_card, read_card
from .devices import pick_device
from .execution import ran_out
from .exported import exported_kind, load_exported
from .monai_bundle import is_bundle, read_bundle
from .network import NetworkFormat, SegmentationNetwork, call_module
from .nnunet import find_trained, read_nnunet, split_path
from .nnunet_architecture import allowed_classes, build_described
from .registry import PUBLISHED, SHIPPED, fetch, known_networks
from .weights import build_and_fill, build_monai, fill, read_state_dict

_CARD_HELP = "a YAML card beside it, with name, dimensions, labels and, for plain weights, architecture"


class CardNeededError(ValueError):
    """The checkpoint does not say how it is to be fed: a model card is needed."""

    def __init__(self, path: Path, kind: str, sha256: str) -> None:
        self.path, self.kind, self.sha256 = path, kind, sha256
        super().__init__(f"{path} has no model card: put {_CARD_HELP}, named {path.with_suffix('.yaml').name}")


@dataclass(frozen=True)
class Opened:
    """A module with its card, before it is put on a device."""

    module: nn.Module
    card: ModelCard
    source: str
    format: NetworkFormat


def open_network(
    checkpoint: str | Path,
    *,
    device: str = "auto",
    trust: bool = False,
    card: ModelCard | None = None,
    mirroring: bool = True,
) -> SegmentationNetwork:
    """Open a segmentation network.

    Parameters
    ----------
    checkpoint
        The name of a shipped or published network (``known_networks()``); an nnU-Net v2 results folder, a fold or a
        checkpoint in it, or a zip of it; a MONAI bundle, folder or zip; weights (.pth, .pt, .safetensors) whose card
        names the network's class; TorchScript or torch.export (.pt2) with a card.
    device
        "auto", "cpu", "cuda", "cuda:1", "mps".
    trust
        Consent to load TorchScript or .pt2, formats that can run code; remembered by SHA-256.
    card
        Used instead of the one beside the file.
    mirroring
        Show an nnU-Net the mirrored CT too where it was trained for that, as its own predictor does by default.

    Raises
    ------
    ConsentNeededError
        The file can run code when it is loaded and nobody has said that it is trusted.
    CardNeededError
        The file needs a model card and has none.
    FileNotFoundError, ValueError, OSError, ImportError
        One line each: nothing there, the checkpoint and its card do not fit, the download failed, a package is missing.
    """
    place = pick_device(device)
    name = str(checkpoint)
    if name in SHIPPED:
        opened = _open_weights(SHIPPED[name][0], None, place, "shipped")
    elif name in PUBLISHED:
        opened = _open_published(name, place)
    else:
        opened = _open_path(Path(checkpoint), card, trust, place, mirroring)
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


def _open_path(path: Path, card: ModelCard | None, trust: bool, device: torch.device, mirroring: bool) -> Opened:
    try:
        exists = path.exists()
    except OSError:  # a name that is too long
        exists = False
    if not exists:
        raise FileNotFoundError(
            f"there is no checkpoint {path}, and no known network has that name ({', '.join(known_networks())})"
        )
    root, fold, checkpoint = split_path(path)
    if root.is_dir() or path.suffix == ".zip" or zipfile.is_zipfile(path):
        archive = Archive(root)
        trained = find_trained(archive, fold, checkpoint)
        if trained is not None:
            module, own = read_nnunet(archive, trained, device, mirroring)
            return Opened(module, own, str(path), "nnunet")
        bundle = is_bundle(archive)
        if bundle is not None:
            module, own = read_bundle(archive, bundle, device)
            return Opened(module, own, str(path), "monai-bundle")
    if path.is_dir() or path.suffix == ".zip":
        raise ValueError(
            f"{path} is neither an nnU-Net v2 results folder (plans.json, dataset.json, fold_*) nor a MONAI bundle "
            "(configs/inference.json, models/model.pt)"
        )
    kind = exported_kind(path)
    if kind is not None:
        card = card or _card_beside(path, kind)
        module = load_exported(path, kind, card, trust, device)
        card = card.model_copy(update={"sha256": file_sha256([path]), "format": kind})
        return Opened(module, card, str(path), kind)
    return _open_weights(path, card, device, "weights")


def _open_weights(path: Path, card: ModelCard | None, device: torch.device, kind: NetworkFormat) -> Opened:
    card = card or _card_beside(path, "weights")
    if card.architecture is None:
        raise ValueError(
            f"the card of {path} has no 'architecture': plain weights need the network's class, one of "
            "monai.networks.nets or of dynamic_network_architectures, and its arguments"
        )
    sha256 = file_sha256([path])
    if card.sha256 is not None and card.sha256 != sha256:
        raise ValueError(
            f"{path} is not the file that its card describes: its SHA-256 is {sha256}, the card says {card.sha256}"
        )
    module = build_and_fill(lambda: _build(card, str(path)), read_state_dict(path, device), str(path))
    source = card.name if kind == "shipped" else str(path)
    return Opened(module, card.model_copy(update={"sha256": sha256, "format": kind}), source, kind)


def _build(card: ModelCard, where: str) -> nn.Module:
    assert card.architecture is not None
    name, arguments = card.architecture.class_name, card.architecture.arguments
    if name not in allowed_classes():
        return build_monai(card.architecture, where)
    named = tuple(key for key, value in arguments.items() if isinstance(value, str))
    return build_described(name, arguments, named, card.channels, where)


def _card_beside(path: Path, kind: str) -> ModelCard:
    found = find_card(path)
    if found is None:
        raise CardNeededError(path, kind, file_sha256([path]))
    return read_card(found)


def probe_size(card: ModelCard) -> tuple[int, ...]:
    """The smallest input that tells whether a network works, along its axes."""
    if card.input_size is not None:
        return card.input_size
    step = card.divisible_by if card.divisible_by > 1 else 16
    if card.patch is not None:
        # nnU-Net's networks take any multiple of their strides, others may be made for their patch alone.
        return card.patch if card.tiling == "monai" else tuple(min(n, 2 * card.divisible_by) for n in card.patch)
    size = (max(step, 32 if card.dimensions == 3 else 64),) * card.dimensions
    return tuple(-(-n // card.divisible_by) * card.divisible_by for n in size)


def _probe(network: SegmentationNetwork) -> None:
    """Run the module twice on a small input: wrong channels are named now, and randomness is noticed."""
    card = network.card
    if card.input_size is not None and card.format == "published":
        return  # card and weights are pinned together, and a full-size pass costs seconds
    size = probe_size(card)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 1, *size, generator=generator).to(network.device)
    try:
        with torch.inference_mode(), torch.random.fork_rng():
            answers = []
            for seed in range(2):
                torch.manual_seed(seed)
                answers.append(call_module(network.module, image, card))
    except (RuntimeError, TypeError, AssertionError) as fault:
        if ran_out(fault):
            raise
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise ValueError(
            f"the network '{card.name}' does not take an input of 1 channel and size {size}: {reason}"
        ) from fault
    first, second = answers
    if not torch.isfinite(first).all():
        raise ValueError(f"the network '{card.name}' answers with NaN or infinite scores: its weights are damaged")
    network.random = float((first - second).abs().max()) > 1e-5 * float(first.abs().max())
