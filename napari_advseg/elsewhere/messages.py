"""What the viewer's computer and a worker tell each other; no path, no name of a file, no identity of a patient."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ..case import AttackRequest
from ..networks import ModelCard
from .pieces import HuType

Triple = tuple[int, int, int]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridMessage(_Message):
    """The fields of a :class:`Grid`, to the last bit."""

    shape: Triple
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


class OrganMessage(_Message):
    """The fields of an :class:`Organ`."""

    id: int
    name: str
    voxels: int
    clean: float
    attacked: float


class CaseMessage(_Message):
    """An open case; volumes by the names of their pieces.

    Parameters
    ----------
    hu_type
        How the HU of the piece ``ct`` are written.
    region
        Where the CT may change, start and stop.
    region_given
        Whether the user has given it.
    """

    ct: str
    hu_type: HuType
    grid: GridMessage
    reference: str
    reference_given: bool
    clean_labels: str
    region: tuple[Triple, Triple]
    region_given: bool
    organs: tuple[OrganMessage, ...]


class NetworkMessage(_Message):
    """How the worker opens the network.

    Parameters
    ----------
    known
        The name of a shipped or published network; "" for another.
    checkpoint
        The piece with its file; "" for a shipped network.
    card
        Its card as it is here.
    """

    known: str
    checkpoint: str
    format: str
    card: ModelCard
    checkpointing: bool
    half: bool


class JobMessage(_Message):
    """An attack on a case.

    Parameters
    ----------
    attack
        Its ``attacker`` is "search", a shipped one's name, or "sent".
    attacker
        Pieces of a learned attacker that is not shipped, by the names of its files.
    """

    case: CaseMessage
    network: NetworkMessage
    attack: AttackRequest
    attacker: dict[str, str]


class FoundMessage(_Message):
    """A finding: what it takes to have its volumes again, and all its figures.

    Parameters
    ----------
    parameters
        float32.
    attacked_labels
        From :func:`slimmed`.
    clean_labels
        Packed, where a random network's repeats have replaced the case's; else empty.
    evidence
        The fields of an :class:`Evidence`; None where it has not been measured.
    sha256
        Of the perturbed CT and of the moved reference, the volumes on which everything was measured.
    device, half, thorough
        Where it was computed, whether gradients came in half precision, and whether the search went on for a smaller change.
    """

    parameters: bytes
    strength: float
    organs: tuple[OrganMessage, ...]
    target_drop: float
    tolerance: float
    path: tuple[tuple[float, float], ...]
    cost: tuple[int, int, float, float]
    seed: int
    stopped: str
    attacker: str
    generated: str
    generator_sha256: str
    note: str
    repeats: tuple[float, ...] | None
    attacked_labels: bytes
    clean_labels: bytes
    evidence: dict[str, Any] | None
    sha256: str
    device: str
    half: bool
    thorough: bool
