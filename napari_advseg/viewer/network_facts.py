"""What is known of a network, in words for the dock; knows neither Qt nor torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .wishes import Names

RUNS_CODE = ("torchscript", "export")  # formats that are loaded only with the user's consent
_FORMATS = {
    "shipped": "weights that come with the plugin",
    "published": "published weights, downloaded",
    "weights": "plain weights",
    "torchscript": "TorchScript",
    "export": "torch.export program",
    "module": "module in memory",
    "nnunet": "nnU-Net model folder",
    "monai-bundle": "MONAI bundle",
}
_HASH_SHOWN = 12


@dataclass(frozen=True)
class Fact:
    """One line of the panel; ``whole`` is the tooltip where ``text`` is short for it."""

    title: str
    text: str
    whole: str = ""


def facts(about: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The lines for what ``describe`` says of a network; what it does not say has none."""
    lines = [
        _fact("Name", about.get("name")),
        _fact("Format", _FORMATS.get(str(about.get("format")), about.get("format"))),
        _fact("Class", about.get("class")),
        _fact("Parameters", _grouped(about.get("parameters"))),
        _fact("Works in", {2: "2-D, slice by slice", 3: "3-D"}.get(about.get("dimensions", 0))),
        _fact("Voxel size", _voxel_size(about)),
        _fact("Input size", _times(about.get("input_size"), "voxels")),
        _fact("Patch", _patch(about)),
        _fact("Steps", "; ".join(filter(None, map(_step, about.get("steps") or ())))),
        _fact("Intensity", None if about.get("steps") else intensity_in_words(about.get("intensity"))),
        _fact("Answers", _repeatable(about.get("random"))),
        _fact("Memory", _memory(about.get("memory_mb"))),
        _fact("Device", about.get("device")),
        _fact("Licence", about.get("licence")),
        _fact("Source", about.get("source")),
    ]
    if sha256 := about.get("sha256"):
        short = f"{sha256[:_HASH_SHOWN]}…" if len(sha256) > _HASH_SHOWN else sha256
        lines.append(Fact("SHA-256", short, sha256))
    lines.append(_fact("Missing", "; ".join(str(what) for what in about.get("missing") or ())))
    return tuple(line for line in lines if line is not None)


def names_of(about: Mapping[str, Any]) -> Names:
    """The ids and names of the labels, the background included; ids may be text, as in JSON."""
    return tuple(sorted((int(index), str(name)) for index, name in (about.get("labels") or {}).items()))


def with_name(names: Names, index: int, name: str) -> Names:
    """The labels with one of them renamed.

    Raises
    ------
    ValueError
        The name is empty, or means the organ of another label.
    """
    from ..volume import organ_key

    wanted = " ".join(name.split())
    if not wanted or not organ_key(wanted):
        raise ValueError("A label needs a name.")
    for other, taken in names:
        if other not in (0, index) and organ_key(taken) == organ_key(wanted):
            raise ValueError(f"'{wanted}' names the same organ as label {other}, '{taken}'.")
    return tuple((known, wanted if known == index else old) for known, old in names)


def intensity_in_words(rule: Mapping[str, Any] | None) -> str:
    """An intensity rule as a phrase."""
    if rule is None:
        return ""
    low, high = rule.get("low"), rule.get("high")
    out = f"{rule.get('out_low', 0.0):g} to {rule.get('out_high', 1.0):g}"
    kind = rule.get("rule", "none")
    if kind == "none":
        return "HU as they are"
    if kind == "window" and low is not None and high is not None:
        return f"{low:g} to {high:g} HU become {out}" + (", clipped" if rule.get("clip", True) else "")
    if kind == "zscore":
        clipped = f"clipped to {_bounds(low, high)} HU, " if (low, high) != (None, None) else ""
        return f"{clipped}minus {rule.get('mean', 0.0):g}, divided by {rule.get('std', 1.0):g}"
    where = {"nonzero": " of the voxels that are not 0", "filled": " of the body"}.get(rule.get("mask", ""), "")
    if kind == "image_zscore":
        return f"z-score by the image's own mean and deviation{where}"
    if kind == "image_range":
        return f"the image's own range becomes {out}"
    return str(kind)


def _fact(title: str, text: object) -> Fact | None:
    return Fact(title, str(text)) if text not in (None, "") else None


def _grouped(count: object) -> str:
    return f"{count:,}" if isinstance(count, int) else ""


def _times(sizes: Sequence[float | None] | None, unit: str) -> str:
    if not sizes:
        return ""
    return " × ".join("as is" if n is None else f"{n:g}" for n in sizes) + f" {unit}"


def _voxel_size(about: Mapping[str, Any]) -> str:
    if about.get("spacing"):
        return _times(about["spacing"], "mm")
    if about.get("steps") or about.get("input_size") or "dimensions" not in about:
        return ""  # said by the steps, or by the input size
    return "the CT's own"


def _patch(about: Mapping[str, Any]) -> str:
    if not about.get("patch"):
        return ""
    overlap = about.get("overlap")
    return _times(about["patch"], "voxels") + (f", overlapping by {overlap:.0%}" if overlap else "")


def _step(step: Mapping[str, Any]) -> str:
    kind = step.get("step")
    if kind == "orient":
        return f"axes to {step.get('axes', '?')}"
    if kind == "permute":
        return f"axes in the order {step.get('order')}"
    if kind == "crop":
        return "crop to what is not 0" if step.get("keep", "nonzero") == "nonzero" else "crop to what is above 0"
    if kind == "scale":
        return intensity_in_words(step.get("intensity"))
    if kind == "resample":
        size = _times(step.get("size"), "voxels") or _times(step.get("spacing"), "mm")
        return f"resample to {size}" if size else ""
    return str(kind or "")


def _repeatable(random: object) -> str:
    return {True: "random: they differ from pass to pass", False: "deterministic"}.get(random, "")  # type: ignore[call-overload]


def _memory(megabytes: object) -> str:
    if not isinstance(megabytes, int | float):
        return ""
    return f"{megabytes / 1024:.1f} GB a pass" if megabytes >= 1024 else f"{megabytes:.0f} MB a pass"


def _bounds(low: float | None, high: float | None) -> str:
    return f"{'−∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"
