"""Before another case takes the dock: a result that is saved nowhere is asked about, and what shows it is put away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .in_and_out import remove_layers
from .later import later
from .layers import known, layers_of, sample_role
from .questions import ask_unsaved
from .state import Phase

if TYPE_CHECKING:
    from .dock import AttackDock


def may_leave(dock: AttackDock, kept: Callable[[str], bool], again: Callable[[], object]) -> bool:
    """Whether the result in the dock may go now.

    Parameters
    ----------
    kept
        Whether the results on a case, named by its id, are saved by themselves.
    again
        Called once the result is saved, where the user wants that first.
    """
    controller = dock.controller
    outcome = controller.outcome
    if outcome is None or controller.saved_to is not None or controller.phase.busy or kept(outcome.case_id):
        return True
    answer = ask_unsaved(dock)
    if answer == "save" and dock.save():

        def on_phase(phase: Phase) -> None:
            if phase.busy:
                return
            controller.phase_changed.disconnect(on_phase)
            if controller.saved_to is not None:
                later(dock, again)

        controller.phase_changed.connect(on_phase)
    return answer == "discard"


def shown_besides(dock: AttackDock, *ids: str | None) -> list[str]:
    """The cases in the viewer that the dock has in hand, and the samples, but for those with these ids."""
    controller, viewer = dock.controller, dock.viewer
    if controller.phase.busy:
        return []
    found = [known(layer)["case"] for layer in viewer.layers if sample_role(layer) == "ct"]
    if controller.in_hand is not None:
        found.append(controller.in_hand.id)
    if controller.outcome is not None:
        found.append(controller.outcome.case_id)
    return [one for one in dict.fromkeys(found) if one not in ids and layers_of(viewer, one)]


def remove_sample_labels(dock: AttackDock) -> None:
    """The organs that came with a sample, whose CT goes."""
    remove_layers(dock.viewer, [one for one in dock.viewer.layers if sample_role(one) == "sample labels"])
