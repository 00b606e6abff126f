"""What result.json holds inside its fields: checked once, before anybody counts with it or prints it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..networks import one_line

Dice = Annotated[float, Field(ge=0, le=1)]
Drop = Annotated[float, Field(ge=-1, le=1)]  # a change may also help the network
Size = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    """A part of the record; what later versions add to it does not matter."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Ct(_Part):
    path: str | None = None
    sha256: str | None = None


class _Network(_Part):
    name: str
    source: str | None = None
    sha256: str | None = None
    format: str | None = None
    mirror_axes: list[int] = []
    fell_back: list[str] = []


class _Dice(_Part):
    clean: Dice
    attacked: Dice


class _Organ(_Part):
    id: Annotated[int, Field(ge=0, le=65535)]
    name: str
    clean: Dice
    attacked: Dice
    voxels: Count


class _Repeats(_Part):
    drops: Annotated[list[Drop], Field(min_length=2)]  # one has no standard error
    mean: Drop
    standard_error: Size


class _Control(_Part):
    drop: Drop
    drops: list[Drop] = []


class _Budget(_Part):
    max_displacement_mm: Size
    max_hu: Size
    jacobian: Annotated[list[float], Field(min_length=2, max_length=2)]


class _Change(_Part):
    max_displacement_mm: Size
    mean_displacement_mm: Size
    max_hu: Size
    rms_hu: Size
    min_jacobian: float
    max_jacobian: float
    noise_ratio: Size
    ssim: float


class _Cost(_Part):
    forward: Count
    backward: Count
    seconds: Size
    peak_memory_mb: Size | None = None


class Claims(_Part):
    """What a bundle claims, but for its random control, which a verification holds against the files' own rule."""

    ct: _Ct
    network: _Network
    target_drop: Annotated[float, Field(gt=0, le=1)]
    tolerance: Size
    achieved_drop: Drop
    stopped: str = ""
    dice: _Dice
    organs: Annotated[list[_Organ], Field(min_length=1)]
    repeats: _Repeats | None = None
    budget: _Budget
    strength: Size
    strength_path: list[Annotated[list[float], Field(min_length=2, max_length=2)]]
    generated: str = ""
    generator_sha256: str = ""
    attacker_note: str = ""
    interpolation: Literal["bspline", "linear"]
    device: str = "cpu"
    half_precision: bool = False
    thorough: bool = False


class Told(Claims):
    """All that a report tells."""

    control: _Control
    change: _Change
    cost: _Cost
    device: str
    versions: dict[str, str]


def check_claims(record: dict[str, Any], path: Path, kind: type[Claims] = Told) -> None:
    """Raise a ValueError of one line where a record's fields do not hold what an attack writes."""
    try:
        kind.model_validate(record)
    except ValidationError as fault:
        raise ValueError(f"{path} is not what an attack writes ({one_line(fault, 'record')}): attack anew") from fault
