"""What the worker's thread runs for a walk along the strength path."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .core import Core
from .scene import finding_scene
from .strength_walk import Step

if TYPE_CHECKING:
    from ..attacks import CancelToken
    from ..case import Finding


def measured(
    core: Core, finding: Finding, strength: float, case_id: str, token: CancelToken
) -> Generator[Any, None, Step]:
    """One synthesis and one prediction, and the layers of it."""
    yield from ()
    at = core.at_strength(finding, strength, token)
    return Step(at, finding_scene(at, case_id))


def tabulated(step: Step) -> Generator[Any, None, Step]:
    """The rows of the organs."""
    from ..evidence import organ_table

    yield from ()
    return replace(step, rows=organ_table(step.finding.result))


def completed(core: Core, step: Step, case_id: str, token: CancelToken) -> Generator[Any, None, Step]:
    """The random control and the evidence; other layers only where a random network's repeats show another result."""
    whole = yield from core.complete(step.finding, token)
    if whole.result.attacked_labels is step.finding.result.attacked_labels:
        return replace(step, finding=whole)
    return Step(whole, finding_scene(whole, case_id))
