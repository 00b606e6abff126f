"""What the user wants, as frozen, checked data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..synthesis import Budget
from ..volume import Volume


class CaseRequest(BaseModel):
    """Which CT, which network, which labels.

    Parameters
    ----------
    ct
        A file, a DICOM folder, or a Volume in memory.
    network
        A checkpoint (file or folder) or the name of a published or shipped network.
    reference
        Labels of the case, None for the network's own prediction on the clean CT.
    label_names
        A JSON file naming the ids of ``reference``, or {id: name}. None where the ids are the network's.
    region
        "auto", or "z0:z1,y0:y1,x0:x1" in voxels.
    device
        "auto", "cpu", "cuda", "cuda:1", "mps".
    trust
        Consent to a checkpoint format that can run code when it is loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    ct: Path | Volume
    network: str
    reference: Path | Volume | None = None
    label_names: Path | dict[int, str] | None = None
    series: str | int | None = None
    region: str = "auto"
    device: str = "auto"
    trust: bool = False


class AttackRequest(BaseModel):
    """How the network is to be attacked.

    Parameters
    ----------
    drop
        Dice points of 1 that the mean over the organs shall lose.
    organs
        Names; empty for all that can be scored.
    budget
        None for the default of the network's dimensions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    drop: float = Field(0.3, gt=0, le=1)
    tolerance: float = Field(0.01, gt=0, le=0.5)
    organs: tuple[str, ...] = ()
    budget: Budget | None = None
    deformation: bool = True
    appearance: bool = True
    interpolation: Literal["bspline", "linear"] = "bspline"
    seed: int = 0
