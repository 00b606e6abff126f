"""What the user has asked for in the dock, as frozen data that costs nothing to make; the core checks it later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .layer_source import LayerSource

if TYPE_CHECKING:
    from ..networks import ModelCard

Names = tuple[tuple[int, str], ...]  # ids and names of a network's labels


@dataclass(frozen=True)
class CaseWish:
    """Which CT, which network, which labels.

    Parameters
    ----------
    ct, reference
        A path, or what a layer held when the user asked.
    network
        A known name, or the path of a checkpoint.
    region
        "auto", or "z0:z1,y0:y1,x0:x1" in voxels of the CT's own array.
    series
        The UID of a DICOM series where the CT is a folder with several.
    labels
        The network's labels under the names that the user gave them; empty for the card's own.
    card
        A model card for a checkpoint that has none.
    """

    ct: Path | LayerSource
    network: str
    reference: Path | LayerSource | None = None
    label_names: Path | None = None
    region: str = "auto"
    device: str = "auto"
    series: str | None = None
    labels: Names = ()
    card: ModelCard | None = None

    def same_network(self, other: CaseWish) -> bool:
        """Whether both are about one network, on the same device and under the same names."""
        return all(getattr(self, name) == getattr(other, name) for name in ("network", "device", "labels", "card"))


@dataclass(frozen=True)
class AttackWish:
    """How the network is to be attacked.

    Parameters
    ----------
    attacker
        "search", the name of a shipped learned attacker, or the folder of one.
    generated
        What is done with a learned attacker's change: measured as it is ("alone"), set to the strength that costs the
        drop ("strength"), or taken as the search's start ("start").
    max_displacement_mm
        None for the default of the network's dimensions.
    draws
        Attacks with seeds ``seed``, ``seed + 1``, ...
    compute
        The Dask scheduler whose worker attacks, by its address or file; "" for this computer.
    """

    drop: float = 0.3
    organs: tuple[str, ...] = ()
    attacker: str = "search"
    generated: Literal["alone", "strength", "start"] = "strength"
    tolerance: float = 0.01
    max_displacement_mm: float | None = None
    max_hu: float = 15.0
    deformation: bool = True
    appearance: bool = True
    interpolation: Literal["bspline", "linear"] = "bspline"
    thorough: bool = False
    seed: int = 0
    draws: int = 1
    compute: str = ""


@dataclass(frozen=True)
class TrainingWish:
    """What an attacker is to be trained on, for the network of a case.

    Parameters
    ----------
    cts
        CTs that are open in the viewer.
    in_hand
        Which of them is the CT of the case in hand, whose reference and region it is given; None for none.
    folder
        All CTs in it as well; None for no other.
    out
        Folder of the attacker; a training that stopped there goes on.
    attack
        Organs and limits of the change.
    series
        UIDs of the DICOM series to be read, by folder.
    """

    cts: tuple[Path | LayerSource, ...]
    folder: Path | None
    out: Path
    in_hand: int | None = None
    steps: int = 4500
    attack: AttackWish = AttackWish()
    series: tuple[tuple[Path, str], ...] = ()
