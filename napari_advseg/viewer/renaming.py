"""A case and its result under other names of the network's labels; ids and measurements stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .layer_source import KEY, LayerSource
from .wishes import CaseWish, Names

if TYPE_CHECKING:
    from ..attacks import Organ
    from ..case import Case, Finding


def matched_by_name(wish: CaseWish) -> bool:
    """Whether the names of the network's labels decide how the reference is read."""
    reference = wish.reference
    names = reference.names if isinstance(reference, LayerSource) else None
    return reference is not None and (wish.label_names is not None or names is not None)


def renamed_case(case: Case, names: Names) -> Case:
    """The case with its organs under other names; the network's card is not touched."""
    request = case.request.model_copy(update={"labels": dict(names)})
    return replace(case, request=request, organs=renamed_organs(case.organs, names))


def renamed_finding(finding: Finding, case: Case, names: Names) -> Finding:
    """What was found, on the renamed ``case``."""
    return replace(
        finding, case=case, result=replace(finding.result, organs=renamed_organs(finding.result.organs, names))
    )


def renamed_organs(organs: tuple[Organ, ...], names: Names) -> tuple[Organ, ...]:
    known = dict(names)
    return tuple(replace(organ, name=known.get(organ.id, organ.name)) for organ in organs)


def organ_features(organs: dict[int, str]) -> dict[str, list[Any]]:
    """The features of a labels layer, which the viewer shows under the pointer."""
    return {"index": [0, *organs], "organ": ["background", *(name.replace("_", " ") for name in organs.values())]}


def rename_options(options: dict[str, Any], organs: dict[int, str]) -> None:
    """The options of a planned labels layer under other names, in place."""
    if "features" in options and "names" in options["metadata"].get(KEY, {}):
        options["features"] = organ_features(organs)
        options["metadata"][KEY]["names"] = dict(organs)
