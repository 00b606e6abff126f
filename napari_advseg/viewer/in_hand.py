"""What the worker hands over: the CT of a case, the open case, what a run found, each with its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .scene import LayerPlan, Scene
from .wishes import CaseWish

if TYPE_CHECKING:
    from ..case import Case, Finding


@dataclass(frozen=True, eq=False)
class CtToShow:
    """The CT of the case being opened, as a layer."""

    case_id: str
    plan: LayerPlan


@dataclass(frozen=True, eq=False)
class CaseInHand:
    """An open case, the wish it came from, its layers, what is known of its network, and a line for the user."""

    id: str
    wish: CaseWish
    case: Case
    scene: Scene
    about: dict[str, Any]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found, and its layers."""

    case_id: str
    finding: Finding
    scene: Scene


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
