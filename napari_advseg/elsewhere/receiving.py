"""The case of a message, open on a worker: its network is kept for the next attack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..attacks import Organ
from ..case import AttackRequest, Case, CaseRequest
from ..networks import SegmentationNetwork, cache_folder, open_network, trusting
from ..networks.registry import PUBLISHED
from ..volume import Region, Volume
from .messages import CaseMessage, JobMessage, NetworkMessage
from .pieces import unpacked_hu, unpacked_labels
from .sending import grid_of
from .store import PieceStore

_OWN = {"name", "source", "licence", "labels"}  # of a card: what does not change the computation
_kept: dict[tuple[str, str], SegmentationNetwork] = {}  # by what was asked for, and the device; the last one alone


def opened_case(message: CaseMessage, network: SegmentationNetwork, store: PieceStore) -> Case:
    """The case as it was open where it came from; the clean CT is not segmented again."""
    grid = grid_of(message.grid)
    region = Region(*message.region)
    ct = Volume(unpacked_hu(message.hu_type, store.read(message.ct), grid.shape), grid)
    reference = unpacked_labels(store.read(message.reference), grid.shape)
    clean = unpacked_labels(store.read(message.clean_labels), grid.shape)
    organs = tuple(Organ(**organ.model_dump()) for organ in message.organs)
    request = CaseRequest(ct=ct, network=network, region=str(region) if message.region_given else "auto")
    placed = network.on(grid, region)
    return Case(request, ct, network, placed, region, reference, message.reference_given, clean, organs)


def opened_network(message: NetworkMessage, store: PieceStore, device: str) -> SegmentationNetwork:
    """The network of a message; the one that was opened last is kept.

    Raises
    ------
    ValueError, OSError, ImportError
        One line: it cannot be opened here, or is read in another way than where it came from.
    """
    key = (message.model_dump_json(), device)
    if key not in _kept:
        forget_network()  # before the next one needs its memory
        network = _open(message, store, device)
        network.execution.ask_for(checkpointing=message.checkpointing, half=message.half)
        _kept[key] = network
    return _kept[key]


def forget_network(worn: SegmentationNetwork | None = None) -> None:
    """Close the network that is kept; ``worn``: only where that one gave way as memory was short, so that the next attack
    begins as the first one did."""
    if worn is None or worn.execution.notes:
        _kept.clear()


def attack_of(message: JobMessage, store: PieceStore, folder: Path) -> AttackRequest:
    """The attack; a learned attacker that was sent is put into ``folder``."""
    if not message.attacker:
        return message.attack
    for name, piece in message.attacker.items():
        shutil.copyfile(store.path(piece), folder / Path(name).name)
    return message.attack.model_copy(update={"attacker": str(folder)})


def _open(message: NetworkMessage, store: PieceStore, device: str) -> SegmentationNetwork:
    wanted = message.card
    if message.known:
        if message.known in PUBLISHED:
            _into_cache(message, store)
        network = open_network(message.known, device=device)
    else:
        path = store.path(message.checkpoint)
        apart = None if message.format in ("nnunet", "monai-bundle") else wanted
        with trusting(path.name.partition(".")[0]):  # who sends it may run any code here anyway
            network = open_network(path, device=device, card=apart, mirroring=bool(wanted.mirror_axes))
    here, there = (card.model_dump(exclude=_OWN) for card in (network.card, wanted))
    if different := [name for name in here if here[name] != there[name]]:
        raise ValueError(
            f"the worker reads the network '{wanted.name}' differently ({', '.join(different)}): give both computers the "
            "same version of napari-advseg"
        )
    network.card = wanted
    return network


def _into_cache(message: NetworkMessage, store: PieceStore) -> None:
    """A published network that was sent needs no download."""
    target = cache_folder() / PUBLISHED[message.known].file
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(store.path(message.checkpoint), aside)
        aside.replace(target)
