"""What the user wants, as frozen, checked data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..networks import ModelCard, SegmentationNetwork
from ..synthesis import Budget
from ..volume import Volume


class CaseRequest(BaseModel):
    """Which CT, which network, which labels.

    Parameters
    ----------
    ct
        A file, a DICOM folder, or a Volume in memory.
    network
        A checkpoint (file or folder), the name of a published or shipped network, or a network that is open.
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
    mirroring
        Show an nnU-Net the mirrored CT too, as its own predictor does by default.
    checkpointing
        Keep only the inputs of the network's blocks for the way back, and run the blocks again: less memory, slower.
    half
        Gradients of the network in half precision (autocast); result.json says so. What is measured is not.
    labels
        The network's labels under other names, {id: name}, every id of the card; None for the card's own. They are
        what the reference's names are matched with.
    card
        The model card of a checkpoint that has none beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    ct: Path | Volume
    network: str | SegmentationNetwork
    reference: Path | Volume | None = None
    label_names: Path | dict[int, str] | None = None
    series: str | int | None = None
    region: str = "auto"
    device: str = "auto"
    trust: bool = False
    mirroring: bool = True
    checkpointing: bool = False
    half: bool = False
    labels: dict[int, str] | None = None
    card: ModelCard | None = None


class AttackRequest(BaseModel):
    """How the network is to be attacked.

    Parameters
    ----------
    drop
        Dice points of 1 that the mean over the organs shall lose.
    organs
        Names; empty for all that can be scored.
    attacker
        "search", the name of a shipped learned attacker ("phantom2d"), or the folder of one.
    generated
        What is done with the learned attacker's change: measured as it is ("alone"), set to the strength that costs the
        drop ("strength"), or taken as the search's start ("start").
    max_displacement_mm
        None for the default of the network's dimensions: 5 mm in 3-D, 3 mm in the plane.
    max_hu
        Greatest intensity change, HU.
    jacobian
        Range of the one-sided Jacobian determinants.
    thorough
        Let the search, also one that sets out from a learned attacker's change, go on for a smaller change, with up to five
        times the passes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop: float = Field(0.3, gt=0, le=1)
    tolerance: float = Field(0.01, gt=0, le=0.5)
    organs: tuple[str, ...] = ()
    attacker: str = "search"
    generated: Literal["alone", "strength", "start"] = "strength"
    max_displacement_mm: float | None = None
    max_hu: float = 15.0
    jacobian: tuple[float, float] = (0.5, 2.0)
    deformation: bool = True
    appearance: bool = True
    interpolation: Literal["bspline", "linear"] = "bspline"
    thorough: bool = False
    seed: int = Field(0, ge=0, lt=2**63)

    @property
    def searches(self) -> bool:
        """Whether there is a search; else a learned attacker's change is taken as it is, but for its strength."""
        return self.attacker == "search" or self.generated == "start"

    def budget(self, dimensions: int) -> Budget:
        """The budget for a network of 2 or 3 ``dimensions``."""
        default = 5.0 if dimensions == 3 else 3.0
        return Budget(
            default if self.max_displacement_mm is None else self.max_displacement_mm, self.max_hu, self.jacobian
        )
