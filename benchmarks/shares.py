"""Where the time of an attack step goes: torch's profiler, condensed to the step's parts.

Operators of the way there belong to the innermost marked part around them; those of the way back to the part whose
operators they undo, by the number that autograd gives both. What the profiler itself costs falls on the parts with many
small operators, so that shares of theirs are upper bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from torch.profiler import ProfilerActivity, profile, record_function

from napari_advseg.attacks.ascent import Ascent
from napari_advseg.attacks.target import Target
from napari_advseg.networks import PlacedNetwork, SegmentationNetwork
from napari_advseg.synthesis import Synthesis, synthesis

NETWORK, SCALING, WARP, FIELDS = "network", "HU scaling, windows, resampling", "warp", "fields"
DICE, JUDGING, STEPPING, OTHER = "soft Dice", "hard labels and Dice", "optimiser", "other"
PARTS = (NETWORK, SCALING, WARP, FIELDS, DICE, JUDGING, STEPPING, OTHER)
_MARK = "part: "
_BACK = "autograd::engine::evaluate_function: "
# What is marked; the innermost mark counts. ``fields`` are the velocity's integration and the appearance.
_MARKED: tuple[tuple[Any, str, str], ...] = (
    (Synthesis, "fields", FIELDS),
    (synthesis, "sample_spline", WARP),
    (Synthesis, "move_mask", WARP),
    (PlacedNetwork, "scores", SCALING),
    (SegmentationNetwork, "_variant", NETWORK),
    (Target, "_soft_dice", DICE),
    (Target, "_judge", JUDGING),
    (Ascent, "step", STEPPING),
    (Synthesis, "project", STEPPING),
)


def shares(step: Callable[[], None]) -> dict[str, float]:
    """Share of every part in the time of a step, 0 to 1."""
    with _marked(), profile(activities=[ProfilerActivity.CPU]) as profiler, record_function(_MARK + OTHER):
        step()
    events = [event for event in profiler.events() if event.cpu_parent is not None or event.name.startswith(_MARK)]
    part_of = {
        event.sequence_nr: _part(event)
        for event in events
        if event.sequence_nr >= 0 and not event.name.startswith(_BACK)
        and not _within_back(event)
    }  # fmt: skip
    total = dict.fromkeys(PARTS, 0.0)
    for event in events:
        total[_owner(event, part_of)] += event.self_cpu_time_total
    whole = sum(total.values())
    return {part: time / whole for part, time in total.items()}


def _part(event: Any) -> str:
    """The innermost mark around an event."""
    while event is not None:
        if event.name.startswith(_MARK):
            return str(event.name[len(_MARK) :])
        event = event.cpu_parent
    return OTHER


def _within_back(event: Any) -> bool:
    while event is not None:
        if event.name.startswith(_BACK):
            return True
        event = event.cpu_parent
    return False


def _owner(event: Any, part_of: dict[int, str]) -> str:
    """The part that an event's own time belongs to: a mark within the way back (windows that run again), else the part
    that is undone, else the mark around it."""
    here = event
    while here is not None:
        if here.name.startswith(_MARK):
            return str(here.name[len(_MARK) :])
        if here.name.startswith(_BACK) and here.sequence_nr in part_of:
            return part_of[here.sequence_nr]
        here = here.cpu_parent
    return OTHER


@contextmanager
def _marked() -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name, part in _MARKED:
            stack.enter_context(patch.object(owner, name, _mark(getattr(owner, name), part, name == "_variant")))
        yield


def _mark(function: Callable[..., Any], part: str, makes: bool) -> Callable[..., Any]:
    """The function inside a mark; where it ``makes`` a function, that one."""

    def run(*arguments: Any, **named: Any) -> Any:
        if makes:
            return _mark(function(*arguments, **named), part, False)
        with record_function(_MARK + part):
            return function(*arguments, **named)

    return run
