"""From CTs to a learned attacker, top to bottom: CTs -> cases -> slabs -> targets -> training -> held-out misses."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..attacks import Cancelled, CancelToken, Measured, Progress, Target
from ..evidence import draw_examples
from ..generator import Attacker, AttackerCard, Crew, TrainingSettings, draw_curves, train
from ..networks import ModelCard, SegmentationNetwork, open_network
from ..samples import attacker_folder
from ..synthesis import Budget
from ..volume import organ_key
from .case import Case, open_case
from .request import AttackRequest, CaseRequest
from .run import make_target, scaled
from .slabs import slabs

VALIDATION = "validation.json"
_TRIED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # drops that the patients kept out are asked for
_OPENING_SHARE, _TRAINING_SHARE = 0.1, 0.95
# Where the generator looks, unless a network of slices names its own pixels: in the plane as fine as the appearance
# lattice, in space as time allows.
_PIXEL_MM = {2: 3.0, 3: 5.0}
_OWN_PIXELS_MM = (2.0, 4.0)  # a network's that the generator takes over: finer ones take too long


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
    conditioned
        False for a comparison: the generator is not told the drop.
    start_from
        A learned attacker, its folder or the name of a shipped one, whose generator this one sets out from: an attacker
        of another network of the same classes needs fewer steps than a new one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    cases: tuple[CaseRequest, ...] = Field(min_length=1)
    network: str | SegmentationNetwork
    out: Path
    settings: TrainingSettings = TrainingSettings()
    attack: AttackRequest = AttackRequest()
    validation: float = Field(0.2, ge=0, lt=1)
    drops: tuple[float, float] = (0.02, 0.8)
    conditioned: bool = True
    start_from: str | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained attacker and what it missed by on the patients kept out: {drop: misses}, generator alone."""

    attacker: Attacker
    misses: dict[float, list[float]]
    stopped: str = ""


def train_attacker(
    request: TrainingRequest, cancel: CancelToken, crew: Crew | None = None
) -> Generator[Progress, None, Trained]:
    """Open the CTs, train, and try the attacker on the patients kept out.

    Parameters
    ----------
    crew
        The processes that train together: each opens its share of the patients, the first one alone tries the attacker.
        None for this process alone.

    Returns
    -------
    Trained
        After a cancel the attacker so far, ``stopped`` saying so; training goes on when asked for again.

    Raises
    ------
    ValueError
        No CT with anything to score, fewer patients than processes, or a folder that holds another training.
    Cancelled
        Stopped before training had begun.
    """
    network = _network(request, crew)
    crew = crew or Crew.alone(network.device)
    kept_out = round(request.validation * len(request.cases)) if len(request.cases) > 1 else 0
    order = np.random.default_rng(request.settings.seed).permutation(len(request.cases))
    if len(order) - kept_out < crew.size:
        raise ValueError(
            f"{len(order) - kept_out} patients to learn from are too few for {crew.size} processes: each needs one"
        )
    own = [request.cases[index] for index in order[kept_out:][crew.rank :: crew.size]]
    kept = [request.cases[index] for index in order[:kept_out]] if crew.rank == 0 else []
    cases: list[Case] = []
    for number, one in enumerate([*own, *kept]):
        span = (_OPENING_SHARE * n / len(own + kept) for n in (number, number + 1))
        cases.append((yield from scaled(open_case(one.model_copy(update={"network": network}), cancel), *span)))
    learning = _targets([slab for case in cases[: len(own)] for slab in slabs(case)], request.attack)
    held_out = _targets(cases[len(own) :], request.attack)

    card = card_for(network, request).model_copy(update={"cases": len(order) - kept_out})
    start = None if request.start_from is None else Attacker.load(attacker_folder(request.start_from), crew.device)
    training = train(learning, card, request.settings, request.out, cancel, crew, start)
    attacker = yield from scaled(training, _OPENING_SHARE, _TRAINING_SHARE)
    if crew.rank > 0:
        return Trained(attacker, {})
    draw_curves(request.out)
    if cancel.cancelled:
        return Trained(attacker, {}, "cancelled")
    misses: dict[float, list[float]] = {}
    try:
        for number, target in enumerate(held_out):
            yield Progress("Trying it on patients kept out", _TRAINING_SHARE + 0.05 * number / len(held_out))
            measured: dict[float, Measured] = {}
            for drop in _tried(request.drops):
                cancel.check()
                measured[drop] = target.measure(attacker.generate(target, drop, request.settings.seed))
                misses.setdefault(drop, []).append(measured[drop].drop - drop)
            if number == 0:
                # Every other one: a column each.
                draw_examples(target, {drop: measured[drop] for drop in [*measured][::2]}, request.out)
    except Cancelled:
        return Trained(attacker, misses, "cancelled")
    attacker = attacker.calibrated({drop: float(np.mean(missed)) for drop, missed in misses.items()})
    attacker.save(request.out)
    content = {"patients": len(held_out), "missed_by": {f"{drop:g}": missed for drop, missed in misses.items()}}
    aside = request.out / f".{VALIDATION}"
    aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    aside.replace(request.out / VALIDATION)
    return Trained(attacker, misses)


def _network(request: TrainingRequest, crew: Crew | None) -> SegmentationNetwork:
    """The network that is to be attacked, on this process's device."""
    if not isinstance(request.network, str):
        return request.network
    first = request.cases[0]
    device = first.device if crew is None else str(crew.device)
    network = open_network(
        request.network, device=device, trust=first.trust, card=first.card, mirroring=first.mirroring
    )
    if first.labels is not None:
        network = replace(network, card=network.card.renamed(first.labels))
    return network


def _targets(cases: list[Case], attack: AttackRequest) -> list[Target]:
    """What the cases are attacked on; one without any of the organs asked for is left out."""
    wanted = {organ_key(name) for name in attack.organs}
    found = []
    for case in cases:
        here = tuple(organ.name for organ in case.organs if not wanted or organ_key(organ.name) in wanted)
        if here:
            found.append(make_target(case, attack.model_copy(update={"organs": here})))
    if cases and not found:
        raise ValueError(
            f"no CT shows anything to score ({', '.join(attack.organs) or 'each organ needs at least 50 voxels'}): "
            "check the network's window and spacing, or give reference labels"
        )
    return found


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
        spacing_mm=_pixel_mm(network.card),
        drops=request.drops,
        max_displacement_mm=budget.max_displacement_mm,
        max_hu=budget.max_hu,
        jacobian=budget.jacobian,
        deformation=attack.deformation,
        appearance=attack.appearance,
        conditioned=request.conditioned,
        critic=request.settings.realism > 0,
    )


def _pixel_mm(network: ModelCard) -> float:
    """Pixel size at which the generator looks: where it can, the network's own, as an attack also depends on where a pixel
    lies among those that the network pools."""
    if network.dimensions == 2 and network.spacing is not None and len(set(network.spacing)) == 1:
        low, high = _OWN_PIXELS_MM
        if low <= network.spacing[0] <= high:
            return network.spacing[0]
    return _PIXEL_MM[network.dimensions]


def _tried(drops: tuple[float, float]) -> list[float]:
    return [drop for drop in _TRIED if drops[0] <= drop <= drops[1]] or [drops[1]]
