"""The main job for users of Python: one call from a CT and a network to a finding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..attacks import CancelToken, Progress
from ..networks import SegmentationNetwork, one_line
from ..volume import Volume, volume_from_array
from .request import AttackRequest, CaseRequest
from .run import Finding, complete_finding, finish, run, save_finding


def attack(
    ct: Volume | str | Path,
    network: SegmentationNetwork | str,
    drop: float = 0.3,
    *,
    reference: NDArray[np.integer[Any]] | str | Path | None = None,
    label_names: dict[int, str] | str | Path | None = None,
    organs: tuple[str, ...] | list[str] = (),
    region: str = "auto",
    max_displacement_mm: float | None = None,
    max_hu: float = 15.0,
    jacobian: tuple[float, float] = (0.5, 2.0),
    tolerance: float = 0.01,
    deformation: bool = True,
    appearance: bool = True,
    interpolation: Literal["bspline", "linear"] = "bspline",
    thorough: bool = False,
    attacker: str | Path = "search",
    generated: Literal["alone", "strength", "start"] = "strength",
    device: str = "auto",
    trust: bool = False,
    mirroring: bool = True,
    checkpointing: bool = False,
    half: bool = False,
    seed: int = 0,
    progress: Callable[[Progress], object] | None = None,
    cancel: CancelToken | None = None,
) -> Finding:
    """Find the smallest change of a CT that costs a segmentation network ``drop`` of its Dice.

    Parameters
    ----------
    ct
        A Volume, or what :func:`read_ct` reads.
    network
        From :func:`open_network` or :func:`network_from_module`, or what the former opens.
    drop
        Dice points of 1, mean over the organs.
    reference
        Labels: an array (z, y, x) on the CT's grid, or a file. None for the network's own clean prediction.
    label_names
        {id: name} or a JSON file; None where the ids are the network's.
    organs
        Names; all that can be scored by default.
    max_displacement_mm, max_hu, jacobian
        The budget: mm (None: 5 in 3-D, 3 in the plane), HU, and the range of the Jacobian determinants.
    thorough
        Search on for a smaller change, with up to five times the passes.
    attacker, generated
        "search", or the name ("phantom2d") or folder of a learned attacker, and what is done with its change; see
        :class:`AttackRequest`.
    trust, mirroring
        See :func:`open_network`.
    checkpointing, half
        See :class:`CaseRequest`.
    progress
        Called with each :class:`Progress`.
    cancel
        ``cancel.cancel()``, from another thread or from ``progress``, ends the run; the best so far is returned.

    Returns
    -------
    Finding
        ``finding.result`` and ``finding.evidence``; see :func:`save_bundle` and ``open_in_napari``.

    Raises
    ------
    ValueError, FileNotFoundError, OSError
        One line on what is wrong with the request.
    Cancelled
        Stopped before anything was measured.
    """
    volume = ct if isinstance(ct, Volume) else Path(ct)
    labels: Volume | Path | None = None
    if isinstance(reference, np.ndarray):
        if not isinstance(volume, Volume):
            raise ValueError("labels given as an array need the CT as a Volume: read it with read_ct first")
        grid = volume.grid
        if reference.shape != grid.shape:
            raise ValueError(f"the labels' shape {reference.shape} is not the CT's {grid.shape}")
        labels = volume_from_array(reference, spacing=grid.spacing, origin=grid.origin, direction=grid.direction)
    elif reference is not None:
        labels = Path(reference)
    try:
        case = CaseRequest(
            ct=volume,
            network=network,
            reference=labels,
            label_names=Path(label_names) if isinstance(label_names, str) else label_names,
            region=region,
            device=device,
            trust=trust,
            mirroring=mirroring,
            checkpointing=checkpointing,
            half=half,
        )
        wanted = AttackRequest(
            drop=drop,
            tolerance=tolerance,
            organs=tuple(organs),
            max_displacement_mm=max_displacement_mm,
            max_hu=max_hu,
            jacobian=jacobian,
            deformation=deformation,
            appearance=appearance,
            interpolation=interpolation,
            thorough=thorough,
            attacker=str(attacker),
            generated=generated,
            seed=seed,
        )
    except ValidationError as fault:
        raise ValueError(one_line(fault, "request")) from fault
    return finish(run(case, wanted, cancel or CancelToken()), progress)


def save_bundle(finding: Finding, folder: str | Path) -> Path:
    """Write the finding's bundle; measures the random control first where a cancelled run has not. Returns the folder."""
    return save_finding(finish(complete_finding(finding, CancelToken())), folder)
