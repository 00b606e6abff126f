"""From a folder of CTs to a learned attacker, top to bottom: CTs -> cases -> targets -> training -> held-out misses."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..attacks import Cancelled, CancelToken, Progress, Target
from ..generator import Attacker, AttackerCard, TrainingSettings, draw_curves, train
from ..networks import SegmentationNetwork, open_network
from ..synthesis import Budget
from .case import open_case
from .request import AttackRequest, CaseRequest
from .run import make_target, scaled

VALIDATION = "validation.json"
_OPENING_SHARE, _TRAINING_SHARE = 0.1, 0.95
_PIXEL_MM = {2: 3.0, 3: 3.0}  # where the generator looks: as fine as its appearance lattice


class TrainingRequest(BaseModel):
    """What an attacker is to be trained on.

    Parameters
    ----------
    cases
        One per patient; all on the same network. Where a case gives no labels, the network's own clean prediction is
        the reference.
    out
        Folder of the attacker; a training that stopped there goes on.
    validation
        Share of the patients that are kept out of training.
    drops
        Least and greatest drop to learn, Dice points of 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    cases: tuple[CaseRequest, ...] = Field(min_length=1)
    network: str | SegmentationNetwork
    out: Path
    settings: TrainingSettings = TrainingSettings()
    attack: AttackRequest = AttackRequest()
    validation: float = Field(0.2, ge=0, lt=1)
    drops: tuple[float, float] = (0.02, 0.6)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained attacker and what it missed by on the patients kept out: {drop: misses}, generator alone."""

    attacker: Attacker
    misses: dict[float, list[float]]
    stopped: str = ""


def train_attacker(request: TrainingRequest, cancel: CancelToken) -> Generator[Progress, None, Trained]:
    """Open the CTs, train, and try the attacker on the patients kept out.

    Returns
    -------
    Trained
        After a cancel the attacker so far, ``stopped`` saying so; training goes on when asked for again.

    Raises
    ------
    ValueError
        No CT, or a folder that holds another training.
    Cancelled
        Stopped before training had begun.
    """
    network = request.network
    if isinstance(network, str):
        first = request.cases[0]
        network = open_network(
            network, device=first.device, trust=first.trust, card=first.card, mirroring=first.mirroring
        )
    targets: list[Target] = []
    for number, one in enumerate(request.cases):
        start, stop = (_OPENING_SHARE * n / len(request.cases) for n in (number, number + 1))
        case = yield from scaled(open_case(one.model_copy(update={"network": network}), cancel), start, stop)
        targets.append(make_target(case, request.attack))
    kept_out = round(request.validation * len(targets)) if len(targets) > 1 else 0
    order = np.random.default_rng(request.settings.seed).permutation(len(targets))
    learning = [targets[index] for index in order[kept_out:]]
    held_out = [targets[index] for index in order[:kept_out]]

    card = card_for(network, request)
    training = train(learning, card, request.settings, request.out, cancel)
    attacker = yield from scaled(training, _OPENING_SHARE, _TRAINING_SHARE)
    draw_curves(request.out)
    if cancel.cancelled:
        return Trained(attacker, {}, "cancelled")
    misses: dict[float, list[float]] = {}
    try:
        for number, target in enumerate(held_out):
            yield Progress("Trying it on patients kept out", _TRAINING_SHARE + 0.05 * number / len(held_out))
            for drop in _tried(request.drops):
                cancel.check()
                measured = target.measure(attacker.generate(target, drop, request.settings.seed))
                misses.setdefault(drop, []).append(measured.drop - drop)
    except Cancelled:
        return Trained(attacker, misses, "cancelled")
    content = {"patients": len(held_out), "missed_by": {f"{drop:g}": missed for drop, missed in misses.items()}}
    aside = request.out / f".{VALIDATION}"
    aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    aside.replace(request.out / VALIDATION)
    return Trained(attacker, misses)


def card_for(network: SegmentationNetwork, request: TrainingRequest) -> AttackerCard:
    """The card of an attacker that is to be trained for a network."""
    attack = request.attack
    budget: Budget = attack.budget(network.card.dimensions)
    if network.card.sha256 is None:
        raise ValueError(
            "the network has no SHA-256: give a checkpoint's path or name, so that the attacker can name it"
        )
    return AttackerCard(
        network=network.card.name,
        network_sha256=network.card.sha256,
        classes=len(network.card.labels),
        dimensions=network.card.dimensions,
        spacing_mm=_PIXEL_MM[network.card.dimensions],
        drops=request.drops,
        max_displacement_mm=budget.max_displacement_mm,
        max_hu=budget.max_hu,
        jacobian=budget.jacobian,
        deformation=attack.deformation,
        appearance=attack.appearance,
        critic=request.settings.realism > 0,
    )


def _tried(drops: tuple[float, float]) -> list[float]:
    return [drop for drop in (0.1, 0.2, 0.3, 0.5) if drops[0] <= drop <= drops[1]] or [drops[1]]
