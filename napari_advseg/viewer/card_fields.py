"""What the user types about a checkpoint without a model card, turned into the content of one; knows no Qt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

SizeKind = Literal["any", "fixed", "patch"]
Rule = Literal["none", "window", "zscore"]
_NETS = "monai.networks.nets."


@dataclass(frozen=True)
class CardFields:
    """The fields as typed; numbers that may be left out, and lists, are text.

    Parameters
    ----------
    labels
        One per line or separated by commas, the background first.
    spacing, size
        Numbers along the input's axes, separated by commas or spaces; ``size_kind`` says what ``size`` is.
    low, high
        The window, or what the z-score clips to, in HU.
    symmetric
        The window becomes -1 to 1 instead of 0 to 1.
    class_name, arguments
        For plain weights: the class of monai.networks.nets, and its arguments as JSON.
    """

    name: str = ""
    dimensions: Literal[2, 3] = 3
    labels: str = ""
    orientation: str = "SPL"
    spacing: str = ""
    size_kind: SizeKind = "any"
    size: str = ""
    divisible_by: int = 1
    rule: Rule = "none"
    low: str = ""
    high: str = ""
    symmetric: bool = False
    mean: str = "0"
    std: str = "1"
    output: Literal["logits", "probabilities"] = "logits"
    class_name: str = ""
    arguments: str = ""


def card_content(fields: CardFields, kind: str, sha256: str) -> dict[str, Any]:
    """The content of a model card, still to be checked as a whole.

    Raises
    ------
    ValueError
        One line on a field that cannot be read.
    """
    if not fields.name.strip():
        raise ValueError("name: give the network a name")
    labels = _labels(fields.labels)
    content: dict[str, Any] = {
        "name": fields.name.strip(),
        "dimensions": fields.dimensions,
        "labels": labels,
        "orientation": fields.orientation.strip().upper(),
        "divisible_by": fields.divisible_by,
        "intensity": _intensity(fields),
        "output": fields.output,
        "sha256": sha256,
    }
    if fields.spacing.strip():
        content["spacing"] = _numbers(fields.spacing, "voxel size")
    if fields.size_kind != "any":
        what = "input size" if fields.size_kind == "fixed" else "patch"
        sizes = _numbers(fields.size, what)
        if not all(size.is_integer() for size in sizes):
            raise ValueError(f"{what}: give whole numbers of voxels")
        content["input_size" if fields.size_kind == "fixed" else "patch"] = [int(size) for size in sizes]
    if kind == "weights":
        content["architecture"] = _architecture(fields)
    return content


def _labels(text: str) -> list[str]:
    names = [" ".join(part.split()) for part in re.split(r"[\n,]", text)]
    names = [name for name in names if name]
    if len(names) < 2:
        raise ValueError("labels: list every class, one per line, the background first")
    return names


def _intensity(fields: CardFields) -> dict[str, Any]:
    if fields.rule == "none":
        return {"rule": "none"}
    rule: dict[str, Any] = {"rule": fields.rule}
    for name, text in (("low", fields.low), ("high", fields.high)):
        if text.strip():
            rule[name] = _number(text, f"intensity, {name}")
    if fields.rule == "window":
        if fields.symmetric:
            rule["out_low"] = -1.0
        return rule
    return rule | {"mean": _number(fields.mean, "mean"), "std": _number(fields.std, "standard deviation")}


def _architecture(fields: CardFields) -> dict[str, Any]:
    name = fields.class_name.strip().removeprefix(_NETS)
    if not name.isidentifier():
        raise ValueError("class: name the class of monai.networks.nets that the weights belong to, such as UNet")
    try:
        arguments = json.loads(fields.arguments.strip() or "{}")
    except ValueError as fault:
        raise ValueError(f"arguments: no JSON ({fault})") from fault
    if not isinstance(arguments, dict):
        raise ValueError('arguments: give an object, such as {"spatial_dims": 3, "in_channels": 1}')
    return {"class": _NETS + name, "arguments": arguments}


def _numbers(text: str, what: str) -> list[float]:
    parts = [part for part in re.split(r"[\s,;x×]+", text.strip()) if part]
    if not parts:
        raise ValueError(f"{what}: give a number for each axis of the input")
    return [_number(part, what) for part in parts]


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{what}: '{text.strip()}' is no number") from None
