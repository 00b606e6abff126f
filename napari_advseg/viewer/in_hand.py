"""What the worker hands over: the CT of a case, the open case, what a run found, the end of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .scene import LayerPlan, Scene
from .wishes import AttackWish, CaseWish

if TYPE_CHECKING:
    from ..case import Case, Finding


@dataclass(frozen=True, eq=False)
class CtToShow:
    """The CT of the case being opened, as a layer."""

    case_id: str
    plan: LayerPlan


@dataclass(frozen=True, eq=False)
class CaseInHand:
    """An open case, the wish it came from, its layers, what is known of its network, and a line for the user.

    ``attackers`` are the shipped learned attackers for the network.
    """

    id: str
    wish: CaseWish
    case: Case
    scene: Scene
    about: dict[str, Any]
    note: str = ""
    attackers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Draw:
    """One of several attacks on the same case; only the one that is shown holds its volumes.

    Parameters
    ----------
    number
        Counted from 1.
    finding
        Without its volumes where there are ``labels``.
    picture
        uint8 RGB (height, width, 3), the same slice of the case for every draw.
    largest_mm, largest_hu
        Greatest displacement and intensity change.
    size
        Root mean square of the change in the region, in units of the budget.
    labels
        What the volumes are had again from, beside the finding.
    """

    number: int
    finding: Finding
    picture: NDArray[np.uint8]
    largest_mm: float
    largest_hu: float
    size: float
    labels: bytes = b""

    def slim(self) -> Draw:
        """The same without its volumes."""
        from ..case import slimmed

        if self.labels:
            return self
        finding, labels = slimmed(self.finding)
        return replace(self, finding=finding, labels=labels)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found, and its layers.

    Parameters
    ----------
    attack
        What was asked for.
    draws
        All draws of the run; empty where there was only one attack.
    picked, best
        The draw that ``finding`` is of, and the smallest change that reached the drop, else the nearest.
    note
        A line for the user; "" for nothing.
    live
        Whether the finding's network can be run; False for one that was read from a bundle.
    found
        What the run found, where ``finding`` is at another strength of its path.
    """

    case_id: str
    finding: Finding
    scene: Scene
    attack: AttackWish
    draws: tuple[Draw, ...] = ()
    picked: int = 0
    best: int = 0
    note: str = ""
    live: bool = True
    found: Finding | None = None

    def picking(self, shown: DrawShown) -> Outcome:
        """Another draw."""
        picked = shown.index
        finding = shown.draws[picked].finding
        return replace(self, finding=finding, scene=shown.scene, draws=shown.draws, picked=picked, found=None)

    def walked(self, found: Finding, finding: Finding, scene: Scene) -> Outcome:
        """The same at another strength of the path through ``found``."""
        generated = "strength" if self.attack.generated == "alone" else self.attack.generated
        attack = replace(self.attack, drop=finding.result.target_drop, generated=generated)
        return replace(self, finding=finding, scene=scene, attack=attack, found=found)

    def changed(self, change: Callable[[Finding], Finding]) -> Outcome:
        """The same draws with their findings changed."""
        draws = tuple(replace(draw, finding=change(draw.finding)) for draw in self.draws)
        finding = draws[self.picked].finding if draws and self.found is None else change(self.finding)
        return replace(self, finding=finding, draws=draws, found=None if self.found is None else change(self.found))

    def completed(self, finding: Finding) -> Outcome:
        """What is shown has been measured to its end."""
        if self.found is not None:
            return replace(self, finding=finding)
        draws = tuple(
            replace(draw, finding=finding) if index == self.picked else draw for index, draw in enumerate(self.draws)
        )
        return replace(self, finding=finding, draws=draws)


@dataclass(frozen=True, eq=False)
class DrawShown:
    """The layers of one draw, and all draws, of which it is the one with volumes."""

    index: int
    scene: Scene
    draws: tuple[Draw, ...]


@dataclass(frozen=True)
class AttackerNote:
    """A line on a learned attacker; ``usable`` is False where it cannot attack the network in hand, or is none."""

    attacker: str
    line: str
    usable: bool = True


@dataclass(frozen=True)
class TrainingEnd:
    """A training has come to its end, or was stopped; ``line`` tells the user."""

    folder: Path
    line: str
    finished: bool


def best_draw(draws: Sequence[Draw]) -> int:
    """The smallest change among those that reached the drop; the nearest where none did."""
    reached = [index for index, draw in enumerate(draws) if draw.finding.result.reached]
    if reached:
        return min(reached, key=lambda index: draws[index].size)
    results = [draw.finding.result for draw in draws]
    return min(range(len(draws)), key=lambda index: abs(results[index].achieved_drop - results[index].target_drop))


def opening_notes(in_hand: CaseInHand, *, oblique: bool) -> str:
    """What the user should know of a case that was just opened."""
    case = in_hand.case
    given = "the reference labels" if case.reference_given else "the network's own segmentation"
    notes = [f"The case is open; Dice is measured against {given}.", in_hand.note, *case.warnings]
    scored = {organ.id for organ in case.organs}
    left_out = [name for index, name in in_hand.wish.labels if index and index not in scored]
    if left_out and case.reference_given:
        notes.append(f"Not scored, as the reference has too little or nothing of that name: {', '.join(left_out)}.")
    if oblique:
        notes.append("The CT is oblique: it is shown along its own axes, and saved exactly where it lies.")
    return " ".join(note for note in notes if note)
