"""What the worker's thread runs for the controller: from a wish to something that can be shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import first_layers
from .core import Core, CtRead, Offers
from .faults import fault_line
from .import_gate import imports_wait_while
from .in_hand import AttackerNote, CaseInHand, CtToShow, Draw, DrawShown, Outcome, best_draw
from .layer_source import LayerSource
from .scene import case_scene, ct_plan, finding_scene
from .thumbnails import largest, size, thumbnail
from .wishes import AttackWish, CaseWish

if TYPE_CHECKING:
    from pint import UnitRegistry

    from ..attacks import CancelToken, Progress
    from ..case import Case, Finding


class Jobs:
    """Each method gives the steps of one job."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def warm_up(self, busy: Callable[[], bool]) -> Generator[UnitRegistry[Any] | Offers | None, None, None]:
        """What the first layer needs, then what can be chosen, as soon as it is known; then the rest of the package.

        It waits while ``busy`` says that the dock or layers are being shown.
        """
        with imports_wait_while(busy):
            yield first_layers.load()
            yield self._core.offers()
            self._core.load_rest()

    def opening(self, wish: CaseWish, case_id: str, token: CancelToken) -> Generator[Any, None, CaseInHand]:
        """The CT as soon as it is read, then the open case."""
        steps = self._core.open_case(wish, token)
        taken_from = wish.ct.layer if isinstance(wish.ct, LayerSource) else None
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                case: Case = end.value
                about, attackers = self._core.describe(case), self._core.attackers(case)
                return CaseInHand(case_id, wish, case, case_scene(case, case_id), about, attackers=attackers)
            yield CtToShow(case_id, ct_plan(step.ct, case_id, taken_from)) if isinstance(step, CtRead) else step

    def attacking(self, in_hand: CaseInHand, wish: AttackWish, token: CancelToken) -> Generator[Any, None, Outcome]:
        """One attack, or as many as there are draws; those already found outlive a cancel and a fault."""
        if wish.draws == 1:
            finding = yield from self._core.attack_case(in_hand.case, wish, token)
            return Outcome(
                in_hand.id, finding, finding_scene(finding, in_hand.id), wish, note=_broken_off(finding, wish)
            )
        draws: list[Draw] = []
        best = 0
        fault_told, started = "", time.monotonic()
        while len(draws) < wish.draws:
            one = replace(wish, seed=wish.seed + len(draws), draws=1)
            try:
                steps = self._core.attack_case(in_hand.case, one, token)
                finding = yield from _counted(steps, len(draws), wish.draws, started)
            except Exception as fault:
                if not draws:
                    raise
                fault_told = "" if type(fault).__name__ == "Cancelled" else fault_line(fault)
                break
            fault_told = _broken_off(finding, wish)
            if finding.result.stopped and draws:  # the best so far of a draw counts only where there is no other
                break
            draws.append(_draw(finding, len(draws) + 1))
            best = best_draw(draws)  # one that is not will not be with more draws either
            draws = [draw if index == best else draw.slim() for index, draw in enumerate(draws)]
            if finding.result.stopped:
                break
        finding = draws[best].finding
        scene = finding_scene(finding, in_hand.id)
        note = f"Stopped after {len(draws)} of {wish.draws} draws. {fault_told}" if len(draws) < wish.draws else ""
        return Outcome(in_hand.id, finding, scene, wish, tuple(draws), best, best, note.strip())

    def opening_and_attacking(
        self, wish: CaseWish, case_id: str, attack: AttackWish, token: CancelToken
    ) -> Generator[Any, None, Outcome]:
        in_hand = yield from self.opening(wish, case_id, token)
        yield in_hand
        return (yield from self.attacking(in_hand, attack, token))

    def showing(self, outcome: Outcome, index: int) -> Generator[Any, None, DrawShown]:
        """The layers of another draw, synthesised again."""
        yield from ()
        wanted = outcome.draws[index]
        finding = self._core.restore(wanted.finding, wanted.labels) if wanted.labels else wanted.finding
        draws = tuple(
            replace(wanted, finding=finding, labels=b"") if place == index else draw.slim()
            for place, draw in enumerate(outcome.draws)
        )
        return DrawShown(index, finding_scene(finding, outcome.case_id), draws)

    def noting(self, attacker: str, case: Case | None) -> Generator[Any, None, AttackerNote]:
        """What is known of a learned attacker, or what is wrong with it."""
        yield from ()
        try:
            return AttackerNote(attacker, self._core.attacker_line(attacker, case))
        except (ValueError, OSError) as fault:
            return AttackerNote(attacker, fault_line(fault), usable=False)


def _broken_off(finding: Finding, wish: AttackWish) -> str:
    """What to tell where a fault ended the attack; "" where none did."""
    if not finding.result.broken_off:
        return ""
    advice = " Run again, or choose 'This computer' under Compute." if wish.compute else ""
    return f"The attack was {finding.result.stopped}. The best until then is shown.{advice}"


def _counted(
    steps: Generator[Progress, None, Finding], done: int, draws: int, started: float
) -> Generator[Progress, None, Finding]:
    """The steps of one draw as a part of all of them."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        fraction = (done + step.fraction) / draws
        left = (time.monotonic() - started) / fraction * (1 - fraction) if done else None
        yield replace(step, text=f"Draw {done + 1} of {draws}: {step.text}", fraction=fraction, seconds_left=left)


def _draw(finding: Finding, number: int) -> Draw:
    return Draw(number, finding, thumbnail(finding), *largest(finding.result), size(finding.result))
