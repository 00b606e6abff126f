"""The model card: what must be known about a network to feed it a CT and read its answer."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..volume import Grid, organ_key, parse_json, reorient_grid
from .intensity import Intensity
from .plain_yaml import parse_yaml
from .steps import Orient, Permute, Resample, Scale, Step

Margin = Annotated[float, Field(ge=0)]
_MOST_VOXELS = 2**28  # of one input: 1 GB before the first layer; 512 x 512 x 512 is half of it


def _labels(value: Any) -> Any:
    """{name: id}, {id: name} and a list of names all become {id: name}."""
    if isinstance(value, list):
        return {index: str(name) for index, name in enumerate(value)}
    if isinstance(value, dict) and value and all(isinstance(v, int) for v in value.values()):
        return {int(v): str(k) for k, v in value.items()}
    return value


class Architecture(BaseModel):
    """A network class and its arguments, as data: ``class`` must be one of monai.networks.nets."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    class_name: str = Field(alias="class")
    arguments: dict[str, Any] = {}


class ModelCard(BaseModel):
    """What is known about a network.

    Parameters
    ----------
    dimensions
        2 (slice by slice) or 3.
    labels
        Class ids and names, 0 being the background; one per output channel.
    orientation
        Where the input's spatial axes run to, first axis first: "SPL" is an array (z, y, x) of an LPS image,
        "RAS" a NIfTI array as nibabel gives it. A 2-D network's first letter is the axis that it is run along.
    spacing
        Voxel size that the network was trained at, in mm along the input's axes (two for a 2-D network); None: as is.
    input_size
        Fixed input size along the input's axes; the region is resampled to fill it.
    divisible_by
        Pad the input at its end to a multiple of this.
    patch, overlap, tiling, weights
        Sliding-window size along the input's axes for networks that work on patches, the part of it that neighbours
        share, whose rule places the windows (MONAI's or nnU-Net's), and how a window's voxels count.
    mirror_axes
        Input axes over which the network is also shown mirrored; the answers are averaged.
    steps
        Pre-processing step by step, instead of ``orientation``, ``spacing``, ``input_size`` and ``intensity``.
    regions
        For networks whose channels are sigmoids of regions: the label that each channel paints, later ones over
        earlier ones. A single channel is (1,).
    region_margin_mm
        What a fixed-size network is shown around the organs, in mm: (superior-inferior, antero-posterior, left-right).
    output
        Whether the network gives logits or probabilities.
    batch
        Slices (2-D) or windows (3-D) per call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    dimensions: Literal[2, 3]
    labels: Annotated[dict[int, str], BeforeValidator(_labels)]
    orientation: str = "SPL"
    spacing: tuple[float, ...] | None = None
    input_size: tuple[int, ...] | None = None
    divisible_by: int = Field(1, ge=1, le=1024)
    patch: tuple[int, ...] | None = None
    overlap: float = Field(0.5, ge=0, lt=1)
    tiling: Literal["monai", "nnunet"] = "monai"
    weights: Literal["gaussian", "constant"] = "gaussian"
    mirror_axes: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()
    regions: tuple[int, ...] | None = None
    region_margin_mm: tuple[Margin, Margin, Margin] = (10.0, 25.0, 25.0)
    intensity: Intensity = Intensity()
    output: Literal["logits", "probabilities"] = "logits"
    batch: int = Field(8, ge=1)
    architecture: Architecture | None = None
    source: str = ""
    licence: str = "unknown"
    sha256: str | None = None
    format: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        if sorted(self.labels) != list(range(len(self.labels))) or len(self.labels) < 2:
            raise ValueError(
                f"labels need ids 0, 1, 2, ... without gaps, 0 being the background; got {sorted(self.labels)}"
            )
        keys = [organ_key(name) for index, name in self.labels.items() if index]
        if len(set(keys)) != len(keys):
            raise ValueError(f"two labels name the same organ: {sorted(self.labels.values())}")
        if (
            {"LR".find(c) >= 0 for c in self.orientation} != {True, False}
            or len(self.orientation) != 3
            or [sum(c in pair for c in self.orientation) for pair in ("LR", "AP", "SI")] != [1, 1, 1]
        ):
            raise ValueError(
                f"orientation has one letter each of L/R, A/P and S/I, such as 'SPL'; got {self.orientation!r}"
            )
        for name in ("spacing", "input_size", "patch"):
            value = getattr(self, name)
            if value is not None and (len(value) != self.dimensions or min(value) <= 0):
                raise ValueError(
                    f"{name} needs {self.dimensions} positive numbers for a {self.dimensions}-D network; got {value}"
                )
            if value is not None and name != "spacing" and math.prod(value) > _MOST_VOXELS:
                raise ValueError(f"{name} has {math.prod(value)} voxels: expected at most {_MOST_VOXELS}")
        if any(axis not in range(self.dimensions) for axis in self.mirror_axes):
            raise ValueError(f"mirror_axes are input axes, 0 to {self.dimensions - 1}; got {self.mirror_axes}")
        if self.regions is not None and sorted(self.regions) != list(range(1, len(self.labels))):
            raise ValueError(f"regions name each label but the background once; got {self.regions}")
        return self

    @property
    def channels(self) -> int:
        """How many channels the network's output has."""
        return len(self.labels) if self.regions is None else len(self.regions)

    def pipeline(self) -> tuple[Step, ...]:
        """The steps from the CT's voxels to the network's input."""
        if self.steps:
            return self.steps
        still = (None,) * (3 - self.dimensions)  # a 2-D network keeps its slices
        resample = Resample(
            spacing=None if self.spacing is None else still + self.spacing,
            size=None if self.input_size is None else still + self.input_size,
        )
        return Orient(axes=self.orientation), resample, Scale(intensity=self.intensity)

    def renamed(self, labels: dict[int, str]) -> ModelCard:
        """The same card with some labels under other names.

        Raises
        ------
        ValueError
            An id that is not there, an empty name, two names for one organ.
        """
        unknown = sorted(set(labels) - set(self.labels))
        if unknown:
            raise ValueError(f"the network has no label {unknown[0]}; it has {', '.join(map(str, self.labels))}")
        if not all(name.strip() for name in labels.values()):
            raise ValueError("a label's name may not be empty")
        renamed = self.labels | {index: name.strip() for index, name in labels.items()}
        return make_card(self.model_dump(by_alias=True) | {"labels": renamed})

    def slice_axis(self, grid: Grid) -> int | None:
        """The array axis of a CT on ``grid`` along which a 2-D network is run slice by slice; None in 3-D."""
        if self.dimensions == 3:
            return None
        order = [0, 1, 2]
        for step in self.pipeline():
            if isinstance(step, Orient | Permute):
                change = step.change(grid)
                order, grid = [order[axis] for axis in change.order], reorient_grid(grid, change)
        return order[0]

    @property
    def organs(self) -> dict[int, str]:
        """{id: name} without the background."""
        return {index: name for index, name in self.labels.items() if index}


def read_card(path: Path) -> ModelCard:
    """Read a YAML or JSON model card.

    Raises
    ------
    ValueError
        Naming the file and each field that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = parse_json(text) if path.suffix == ".json" else parse_yaml(text)
    except (OSError, ValueError, yaml.YAMLError) as fault:
        raise ValueError(f"{path} is no YAML or JSON that can be read: {str(fault).splitlines()[0]}") from fault
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no model card: expected fields such as name, dimensions, labels")
    try:
        return make_card(content)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from fault


def make_card(content: dict[str, Any]) -> ModelCard:
    """The checked card; ValueError, in one line, where the content is not valid."""
    try:
        return ModelCard.model_validate(content)
    except ValidationError as fault:
        raise ValueError(one_line(fault)) from fault


def write_card(checkpoint: Path, card: ModelCard) -> Path:
    """Put a card beside its checkpoint, where :func:`find_card` finds it.

    Raises
    ------
    FileExistsError
        A card is there already; it is never written over.
    OSError
        It cannot be written.
    """
    target = checkpoint.with_suffix(".yaml")
    if target.exists():
        raise FileExistsError(errno.EEXIST, f"there is a {target.name} already", str(target))
    content = card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    content["labels"] = [name for _, name in sorted(card.labels.items())]
    aside = target.with_name(f"{target.name}.writing")
    try:
        aside.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def find_card(checkpoint: Path) -> Path | None:
    """The card beside a checkpoint: same name with .yaml, .yml or .json."""
    for suffix in (".yaml", ".yml", ".json"):
        candidate = checkpoint.with_suffix(suffix)
        if candidate.is_file() and candidate != checkpoint:
            return candidate
    return None


def one_line(fault: ValidationError, whole: str = "card") -> str:
    """What is wrong with the fields of a model; ``whole`` is what it is called where no single field is to blame."""
    said = "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or whole}: {error['msg'].removeprefix('Value error, ')}"
        for error in fault.errors()
    )
    return " ".join(said.split())  # names of fields, and what is quoted, are the file's own and may break the line
