"""An open case and an attack as a message and the pieces that go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import PurePath

from ..case import AttackRequest, Case
from ..generator import WEIGHTS, AttackerCard
from ..networks import portable_checkpoint
from ..samples import attacker_folder
from ..volume import Grid
from .messages import CaseMessage, GridMessage, JobMessage, NetworkMessage, OrganMessage
from .pieces import name_of, packed_hu, packed_labels

SENT = "sent"  # stands for a learned attacker whose files travel
_CARD = "attacker.yaml"
Pieces = dict[str, bytes]


def job_of(case: Case, request: AttackRequest) -> tuple[JobMessage, Pieces]:
    """What a worker needs for an attack; pieces by their names.

    Raises
    ------
    ValueError, OSError
        One line: the network or the attacker is no file that could travel, or has changed.
    """
    pieces: Pieces = {}

    def add(content: bytes, suffix: str = "") -> str:
        name = name_of(content, suffix)
        pieces[name] = content
        return name

    hu_type, hu = packed_hu(case.ct.hu)
    start, stop = case.region.start, case.region.stop
    told = CaseMessage(
        ct=add(hu),
        hu_type=hu_type,
        grid=GridMessage(**asdict(case.ct.grid)),
        reference=add(packed_labels(case.reference)),
        reference_given=case.reference_given,
        clean_labels=add(packed_labels(case.clean_labels)),
        region=(start, stop),
        region_given=case.request.region != "auto",
        organs=tuple(OrganMessage(**asdict(organ)) for organ in case.organs),
    )
    network = _network(case, add)
    attacker: dict[str, str] = {}
    folder = attacker_folder(request.attacker)
    if request.attacker != "search" and str(folder) == request.attacker:
        AttackerCard.read(folder)
        attacker = {name: add((folder / name).read_bytes(), PurePath(name).suffix) for name in (_CARD, WEIGHTS)}
        request = request.model_copy(update={"attacker": SENT})
    return JobMessage(case=told, network=network, attack=request, attacker=attacker), pieces


def _network(case: Case, add: Callable[[bytes, str], str]) -> NetworkMessage:
    network = case.network
    suffix, content = portable_checkpoint(network)
    card = network.card.model_copy(update={"source": ""})  # which may be a path
    known = network.source if network.format in ("shipped", "published") else ""
    return NetworkMessage(
        known=known,
        checkpoint=add(content, suffix) if content else "",
        format=network.format,
        card=card,
        checkpointing=case.request.checkpointing,
        half=network.execution.half,
    )


def grid_of(message: GridMessage) -> Grid:
    """The grid that a message tells of."""
    return Grid(message.shape, message.spacing, message.origin, message.direction)
