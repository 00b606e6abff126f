"""What is known of a learned attacker: for which network it was made, how, and what it may change."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..networks import one_line
from ..networks.plain_yaml import parse_yaml
from ..synthesis import Budget, Kind

FILE = "attacker.yaml"


class AttackerCard(BaseModel):
    """A learned attacker.

    Parameters
    ----------
    network, network_sha256, classes
        The network that it was trained against, and how many classes that one has.
    dimensions
        2 for a network of slices, 3 for one of volumes.
    spacing_mm
        In-plane pixel (2-D) or voxel (3-D) size at which the generator looks at a CT, mm; nearly, so that its levels fit.
    neighbours
        Slices on each side that a 2-D generator is shown beside the one it changes.
    width, noise
        Channels at the finest level, and numbers of the noise vector.
    drops
        Least and greatest drop that were asked for in training, Dice points of 1.
    max_displacement_mm, max_hu, jacobian
        The budget in training.
    conditioned
        False for a generator that is not told the drop, a comparison: it gives one strength for all.
    calibration
        (Asked, cost) means of the generator alone over the patients kept out, Dice points of 1, both rising; empty where
        none were, or where the cost does not rise with what is asked.
    cases, steps, critic
        Training CTs, steps taken, and whether a critic took part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    network: str
    network_sha256: str
    classes: int = Field(ge=2)
    dimensions: Literal[2, 3]
    spacing_mm: float = Field(gt=0)
    neighbours: int = Field(1, ge=0, le=4)
    width: int = Field(24, ge=4)
    noise: int = Field(8, ge=1)
    drops: tuple[float, float] = (0.02, 0.8)
    max_displacement_mm: float
    max_hu: float
    jacobian: tuple[float, float] = (0.5, 2.0)
    deformation: bool = True
    appearance: bool = True
    velocity_mm: float = 12.0
    appearance_mm: tuple[float, ...] = (3.0,)
    conditioned: bool = True
    calibration: tuple[tuple[float, float], ...] = ()
    cases: int = 0
    steps: int = 0
    critic: bool = True

    @field_validator("calibration")
    @classmethod
    def _rises(cls, points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        for (asked, cost), (more, costs) in pairwise(((0.0, 0.0), *points)):
            if not (asked < more and cost < costs):
                raise ValueError(f"the calibration must rise in both numbers from 0 on; got {list(points)}")
        return points

    @property
    def budget(self) -> Budget:
        return Budget(self.max_displacement_mm, self.max_hu, self.jacobian)

    def kind(self, still_axis: int | None) -> Kind:
        """What may change, where slices run along ``still_axis``."""
        return Kind(
            deformation=self.deformation,
            appearance=self.appearance,
            still_axis=still_axis,
            velocity_mm=self.velocity_mm,
            appearance_mm=self.appearance_mm,
        )

    def asked_for(self, drop: float) -> float:
        """What to ask the generator for, so that a new patient is likely to lose ``drop``."""
        if not self.calibration:
            return drop
        (asked, cost), (before, less) = self.calibration[-1], ((0.0, 0.0), *self.calibration)[-2]
        if drop > cost:
            wanted = asked + (drop - cost) * (asked - before) / (cost - less)
        else:
            points = ((0.0, 0.0), *self.calibration)
            wanted = float(np.interp(drop, [cost for _, cost in points], [asked for asked, _ in points]))
        return min(wanted, max(drop, self.drops[1]))

    @property
    def channels(self) -> int:
        """Channels of the generator's input: the CT and the clean scores, of every slice shown."""
        slices = 1 + 2 * self.neighbours if self.dimensions == 2 else 1
        return slices * (1 + self.classes)

    @property
    def fields(self) -> tuple[int, int]:
        """Components of the velocity and of the appearance that the generator gives."""
        return (self.dimensions if self.deformation else 0, len(self.appearance_mm) if self.appearance else 0)

    def write(self, folder: Path) -> None:
        """Write ``attacker.yaml``, aside first."""
        aside = folder / f".{FILE}"
        aside.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
        aside.replace(folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> AttackerCard:
        """Read ``attacker.yaml``; a ValueError of one line where it is missing or wrong."""
        path = folder / FILE
        if not path.is_file():
            raise ValueError(
                f"{folder} holds no learned attacker ({FILE} is missing): the attacker is 'search', 'phantom2d' or "
                "a folder that 'napari-advseg train' wrote"
            )
        try:
            return cls.model_validate(parse_yaml(path.read_text(encoding="utf-8-sig")))
        except ValidationError as fault:
            raise ValueError(f"{path} is not an attacker's card: {one_line(fault)}") from fault
        except (yaml.YAMLError, ValueError) as fault:
            raise ValueError(f"{path} is not an attacker's card: {str(fault).splitlines()[0]}") from fault
