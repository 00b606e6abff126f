"""A MONAI bundle's configuration as plain data, and its transforms as steps of a card; nothing in it is ever run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any, Literal

from pydantic import ValidationError

from .card import one_line
from .intensity import Intensity
from .steps import Crop, Orient, Resample, Scale, ScoresBack, Step

_REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")
_MOST_VALUES = 10_000  # a YAML file may repeat itself without end
_DEEPEST = 50
_SUFFIXES = ("", "Dict", "d", "D")
_NOTHING = ("LoadImage", "EnsureChannelFirst", "AddChannel", "EnsureType", "CastToType", "ToTensor", "ToDevice",
            "SelectItems", "Identity")  # fmt: skip
_IMAGE = ("Orientation", "Spacing", "ScaleIntensityRange", "NormalizeIntensity", "ScaleIntensity", "CropForeground")
_AFTER = ("Invert", "Activations", "AsDiscrete", "SaveImage", "EnsureType", "ToTensor", "ToDevice", "Identity")
_SPACING: dict[str, tuple[Any, ...]] = {
    "mode": ("bilinear", 1, 3),
    "padding_mode": ("border", "nearest"),  # grid_sample's and SciPy's word for the same
    "scale_extent": (False,),
    "diagonal": (False,),
    "recompute_affine": (False,),
    "min_pixdim": (None,),
    "max_pixdim": (None,),
}
_UNIMPORTANT = frozenset({
    "keys", "allow_missing_keys", "device", "image_only", "reader", "dtype", "track_meta", "meta_keys",
    "meta_key_postfix", "lazy", "channel_wise", "ensure_same_shape", "start_coord_key", "end_coord_key", "orig_keys",
    "orig_meta_keys", "to_tensor", "transform", "to_onehot",
})  # fmt: skip
Back = ScoresBack | Literal["labels"]


@dataclass
class BundleConfig:
    """A bundle's table of settings; ``where`` names the file.

    ``@name`` and ``@a#b`` are followed where they lead to plain data. A value that would have to be computed (``$``)
    or fetched from elsewhere (``%``) is refused where it is needed, and never looked at where it is not.
    """

    content: Mapping[str, Any]
    where: str
    _seen: int = field(default=0, init=False)

    def refuse(self, key: str, value: object, instead: str) -> ValueError:
        shown = repr(value)
        return ValueError(f"{self.where}: {key} is {shown if len(shown) <= 80 else shown[:77] + '...'}: {instead}")

    def count(self, key: str, depth: int) -> None:
        self._seen += 1
        if depth > _DEEPEST or self._seen > _MOST_VALUES:
            raise ValueError(f"{self.where}: {key} refers to itself, or holds more than a bundle's settings would")

    def look(self, value: Any, key: str, depth: int = 0) -> Any:
        """The value itself, references followed; what lies in it is left as it is."""
        while isinstance(value, str) and value[:1] in ("$", "%", "@"):
            self.count(key, depth)
            found = _REFERENCE.fullmatch(value)
            if found is None:
                raise self.refuse(key, value, "expressions are never run; write the value itself into the file")
            place: Any = self.content
            for part in re.split("#|::", found[1]):
                place = self.look(place, key, depth + 1)
                if isinstance(place, list) and part.isdigit() and int(part) < len(place):
                    place = place[int(part)]
                elif isinstance(place, Mapping) and part in place:
                    place = place[part]
                else:
                    raise self.refuse(key, value, "it refers to something that is not in the file")
            value = place
        return value

    def data(self, value: Any, key: str, depth: int = 0) -> Any:
        """The value and all that lies in it as plain data."""
        self.count(key, depth)
        value = self.look(value, key)
        if isinstance(value, list):
            return [self.data(entry, f"{key}#{index}", depth + 1) for index, entry in enumerate(value)]
        if isinstance(value, Mapping):
            for name in value:
                if str(name).startswith("_"):
                    raise self.refuse(f"{key}#{name}", value[name], "only plain values may stand here")
            return {name: self.data(entry, f"{key}#{name}", depth + 1) for name, entry in value.items()}
        return value

    def part(self, name: str, holder: str, inside: str) -> Any:
        """The setting ``name``; where there is none, what the setting ``holder`` names as its ``inside``; or None."""
        if name in self.content:
            return self.look(self.content[name], name)
        other = self.content.get(holder)
        return self.look(other.get(inside), f"{holder}#{inside}") if isinstance(other, Mapping) else None


@dataclass(frozen=True)
class Component:
    """A ``_target_`` with its arguments, looked at by name only."""

    config: BundleConfig
    key: str
    name: str
    arguments: Mapping[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        return self.config.data(self.arguments[name], f"{self.key}#{name}") if name in self.arguments else default

    def first(self, name: str, default: Any = None) -> Any:
        """An argument that may be a list with one entry per image."""
        value = self.get(name, default)
        return value[0] if isinstance(value, list) and value else value

    def only(self, *names: str, ignored: frozenset[str] = _UNIMPORTANT) -> None:
        """Refuse arguments that nobody here would heed."""
        for name in self.arguments:
            if name not in names and name not in ignored:
                raise self.refuse(name, f"only {', '.join(names) or 'no argument'} can be followed here")

    def refuse(self, name: str, instead: str) -> ValueError:
        return self.config.refuse(f"{self.key}#{name} of {self.name}", self.arguments.get(name), instead)


def read_component(config: BundleConfig, value: Any, key: str, package: str) -> Component | None:
    """A table with a ``_target_`` of ``package``; None where it is disabled."""
    value = config.look(value, key)
    target = config.look(value.get("_target_"), f"{key}#_target_") if isinstance(value, Mapping) else None
    if not isinstance(target, str):
        raise config.refuse(key, value, "expected a table with the name of a class as its _target_")
    if not re.fullmatch(rf"({re.escape(package)}\.(\w+\.)*)?\w+", target):
        raise config.refuse(f"{key}#_target_", target, f"expected a class of {package}")
    for name in value:
        if str(name).startswith("_") and name not in ("_target_", "_disabled_"):
            raise config.refuse(f"{key}#{name}", value[name], "only _target_ and _disabled_ may stand here")
    if str(config.look(value.get("_disabled_", False), f"{key}#_disabled_")).lower() == "true":
        return None
    arguments = {str(name): entry for name, entry in value.items() if not str(name).startswith("_")}
    return Component(config, key, target.rpartition(".")[2], arguments)


def _transforms(
    config: BundleConfig, value: Any, key: str, known: tuple[str, ...], depth: int = 0
) -> Iterator[Component]:
    """The transforms of a Compose or a list, in their order, by their names without the dictionary suffix."""
    config.count(key, depth)
    value = config.look(value, key)
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _transforms(config, entry, f"{key}#{index}", known, depth + 1)
        return
    found = read_component(config, value, key, "monai.transforms")
    if found is None:
        return
    if found.name == "Compose":
        found.only("transforms", ignored=frozenset({"lazy", "map_items", "unpack_items", "log_stats"}))
        yield from _transforms(config, found.arguments.get("transforms", []), f"{key}#transforms", known, depth + 1)
        return
    for suffix in _SUFFIXES:
        if found.name.endswith(suffix) and found.name.removesuffix(suffix) in known:
            yield Component(config, key, found.name.removesuffix(suffix), found.arguments)
            return
    raise ValueError(
        f"{config.where}: {key} is the transform {found.name!r}, which cannot be followed; supported: {', '.join(known)}"
    )


@dataclass(frozen=True)
class Answer:
    """What the post-processing makes of the network's scores, and how they come back to the CT's voxels."""

    activation: Literal["none", "softmax", "sigmoid"]
    back: Back
    threshold: float | None


def read_answer(config: BundleConfig) -> Answer:
    """Read the post-processing."""
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    back: Back | None = None
    threshold, decided = None, False
    value = config.part("postprocessing", "evaluator", "postprocessing")
    for one in _transforms(config, [] if value is None else value, "postprocessing", _AFTER):
        if one.name == "Activations":
            one.only("softmax", "sigmoid", "other")
            chosen = [name for name in ("softmax", "sigmoid") if one.first(name, False)]
            if len(chosen) != 1 or activation != "none" or decided or one.first("other") is not None:
                raise one.refuse("softmax", "expected one softmax or one sigmoid, before AsDiscrete")
            activation = "softmax" if chosen == ["softmax"] else "sigmoid"
        elif one.name == "AsDiscrete":
            one.only("argmax", "threshold", "rounding")
            threshold = one.first("threshold")
            if decided or bool(one.first("argmax", False)) == (threshold is not None) or one.first("rounding"):
                raise one.refuse("argmax", "expected either argmax or threshold, once")
            decided = True
        elif one.name == "Invert":
            one.only("nearest_interp")
            linear: Back = "labels" if decided else "scores" if activation == "none" else "probabilities"
            back = "nearest" if one.first("nearest_interp", True) else linear
    # Labels that stay on the network's voxels come back as SaveImage(resample) brings them: by the nearest voxel.
    return Answer(activation, back or "nearest", threshold)


def read_steps(config: BundleConfig, back: Back, channels: int) -> tuple[Step, ...]:
    """The preprocessing's transforms in their order, from a CT's (z, y, x)."""
    value = config.part("preprocessing", "dataset", "transform")
    if value is None:
        raise ValueError(f"{config.where} has no 'preprocessing': how the network wants its CT is not known")
    steps: list[Step] = [Orient(axes="xyz")]
    for one in _transforms(config, value, "preprocessing", _NOTHING + _IMAGE):
        if one.name in _NOTHING:
            if len(steps) > 1 and re.search("int|bool", str(one.arguments.get("dtype"))):
                raise one.refuse("dtype", "rounding to whole numbers cannot be followed")
            continue
        try:
            steps.append(_step(one, back, channels))
        except (ValidationError, TypeError, IndexError) as fault:
            reason = one_line(fault) if isinstance(fault, ValidationError) else f"an argument of a wrong kind ({fault})"
            raise ValueError(f"{config.where}: {one.key} ({one.name}): {reason}") from fault
    return tuple(steps)


def _step(one: Component, back: Back, channels: int) -> Step:
    if one.name == "Orientation":
        return _orientation(one)
    if one.name == "Spacing":
        return _spacing(one, back)
    if one.name == "CropForeground":
        one.only("margin", "allow_smaller", "k_divisible", "source_key", "mode")
        margin = one.first("margin", 0)
        if margin and not one.get("allow_smaller", False):
            raise one.refuse("allow_smaller", "a margin can be followed only where allow_smaller is true")
        if one.get("k_divisible", 1) != 1:
            raise one.refuse("k_divisible", "only 1 can be followed")
        if one.arguments.get("source_key") not in (None, *_listed(one.arguments.get("keys"))):
            raise one.refuse("source_key", "only the image itself can say what is cut")
        return Crop(keep="positive", margin=margin, background=channels > 1)
    return Scale(intensity=_intensity(one))


def _orientation(one: Component) -> Orient:
    one.only("axcodes", "as_closest_canonical", "labels")
    labels = one.get("labels")
    if labels is not None and [list(pair) for pair in labels] != [["L", "R"], ["P", "A"], ["I", "S"]]:
        raise one.refuse("labels", "only L-R, P-A and I-S can be followed")
    axes = "RAS" if one.get("as_closest_canonical", False) else one.get("axcodes")
    if axes not in {"".join(order) for pairs in product("LR", "AP", "SI") for order in permutations(pairs)}:
        raise one.refuse("axcodes", "expected one letter each of L/R, A/P and S/I, such as 'RAS'")
    return Orient(axes=axes)


def _spacing(one: Component, back: Back) -> Resample:
    one.only("pixdim", "align_corners", *_SPACING)  # align_corners makes no difference here
    for name, allowed in _SPACING.items():
        if one.first(name, allowed[0]) not in allowed:
            raise one.refuse(name, f"only {' or '.join(map(repr, allowed))} can be followed")
    if back == "labels":
        raise ValueError(
            f"{one.config.where}: postprocessing interpolates finished labels (Invert with nearest_interp false after "
            "AsDiscrete): put Invert before AsDiscrete, or set nearest_interp to true"
        )
    pixdim = _listed(one.get("pixdim"))
    if not 1 <= len(pixdim) <= 3 or not all(isinstance(mm, int | float) for mm in pixdim):
        raise one.refuse("pixdim", "expected one to three numbers, mm")
    spacing = tuple(float(mm) if mm > 0 else None for mm in (pixdim + pixdim[-1:] * 2)[:3])
    return Resample(spacing=spacing, order=3 if one.first("mode") == 3 else 1, alignment="first_voxel", back=back)


def _intensity(one: Component) -> Intensity:
    if one.name == "ScaleIntensityRange":
        one.only("a_min", "a_max", "b_min", "b_max", "clip")
        low, high = one.get("b_min"), one.get("b_max")
        if (low is None) != (high is None) or (low is not None and low >= high):
            raise one.refuse("b_min", "expected b_min below b_max, or neither")
        clips = bool(one.get("clip", False)) and low is not None  # MONAI clips to [b_min, b_max]
        low, high = (0.0, 1.0) if low is None else (low, high)
        window = one.get("a_min"), one.get("a_max")
        return Intensity(rule="window", low=window[0], high=window[1], out_low=low, out_high=high, clip=clips)
    if one.name == "ScaleIntensity":
        one.only("minv", "maxv")
        low, high = one.get("minv", 0.0), one.get("maxv", 1.0)
        if low is None or high is None:
            raise one.refuse("minv", "expected numbers as minv and maxv")
        return Intensity(rule="image_range", out_low=low, out_high=high)
    one.only("subtrahend", "divisor", "nonzero")
    mean, std, nonzero = one.first("subtrahend"), one.first("divisor"), bool(one.get("nonzero", False))
    if (mean is None) != (std is None) or (mean is not None and nonzero):
        raise one.refuse("subtrahend", "expected both subtrahend and divisor without nonzero, or neither of them")
    if mean is None:
        return Intensity(rule="image_zscore", mask="nonzero" if nonzero else "none")
    return Intensity(rule="zscore", mean=mean, std=std)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
