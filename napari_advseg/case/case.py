"""The case in hand: a CT on which a network has been run, ready to be attacked."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..attacks import CancelToken, Organ, Progress, score_organs
from ..networks import PlacedNetwork, SegmentationNetwork, open_network
from ..volume import Grid, Region, Volume, match_labels, read_ct, read_label_names, read_labels
from .request import CaseRequest


class RegionNeededError(ValueError):
    """A network of fixed input size, no labels to put a box around, and no region given."""


@dataclass(frozen=True, eq=False)
class Case:
    """A CT, a network placed on it, the reference, and what the network makes of the clean CT.

    Parameters
    ----------
    placed
        The network on the CT's grid.
    region
        Where the CT may change.
    reference
        uint16 (z, y, x) on the whole CT, in the network's class ids.
    reference_given
        False where the reference is the network's own clean prediction.
    clean_labels
        The network's segmentation of the whole CT.
    organs
        Those that can be scored, with their clean Dice.
    seconds
        What opening took, the clean pass included.
    """

    request: CaseRequest
    ct: Volume
    network: SegmentationNetwork
    placed: PlacedNetwork
    region: Region
    reference: NDArray[np.uint16]
    reference_given: bool
    clean_labels: NDArray[np.uint16]
    organs: tuple[Organ, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


def open_case(request: CaseRequest, cancel: CancelToken) -> Generator[Progress, None, Case]:
    """Read the CT, open the network, run it on the clean CT and score the organs.

    Raises
    ------
    ConsentNeededError, RegionNeededError, SeveralSeriesError
        The user has to decide something.
    FileNotFoundError, ValueError, OSError
        One line each on what is wrong with the input.
    Cancelled
        The user asked to stop.
    """
    started = time.monotonic()
    yield Progress("Reading the CT", 0.0)
    ct = request.ct if isinstance(request.ct, Volume) else read_ct(request.ct, series=request.series)
    cancel.check()

    yield Progress("Opening the network", 0.2)
    network = request.network
    if isinstance(network, str):
        network = open_network(
            network, device=request.device, trust=request.trust, card=request.card, mirroring=request.mirroring
        )
    if request.labels is not None:  # a network that was handed in keeps its own names
        network = replace(network, card=network.card.renamed(request.labels))
    network.execution.ask_for(checkpointing=request.checkpointing, half=request.half)
    cancel.check()

    yield Progress("Reading the labels", 0.4)
    given = _given_reference(request, ct.grid, network.card.labels)
    region = _region(request.region, network, given, ct.grid)

    yield Progress("Segmenting the CT", 0.5)
    placed = network.on(ct.grid, region)
    with network.stopping_at(cancel.check):
        clean = placed.embed(placed.labels(_view(ct, placed)))
    reference = clean if given is None else given
    organs = score_organs(network.card.labels, clean, reference)
    return Case(
        request,
        ct,
        network,
        placed,
        region,
        reference,
        given is not None,
        clean,
        organs,
        ct.warnings,
        time.monotonic() - started,
    )


def _view(ct: Volume, placed: PlacedNetwork) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(ct.hu[placed.view.slices])).to(placed.network.device)


def _given_reference(request: CaseRequest, grid: Grid, wanted: dict[int, str]) -> NDArray[np.uint16] | None:
    """The given labels on the CT's grid in the network's ids, matched by name; None where none are given."""
    if request.reference is None:
        return None
    if isinstance(request.reference, Volume):
        if not request.reference.grid.matches(grid):
            raise ValueError(
                "the reference labels are on another grid than the CT: give them as a file, which is resampled"
            )
        labels = request.reference.hu.astype(np.int32)
    else:
        labels = read_labels(request.reference, grid)
    if request.label_names is None:
        known = [index for index in wanted if index]
        result = np.where(np.isin(labels, known), labels, 0).astype(np.uint16)
        if not result.any():
            raise ValueError(
                f"no label of the reference has an id of the network ({known}): "
                "give the names of its ids (--label-names in the shell)"
            )
        return result
    names = read_label_names(request.label_names) if isinstance(request.label_names, Path) else request.label_names
    matched = match_labels(names, wanted)
    if not matched:
        raise ValueError(
            f"no label name of the reference ({', '.join(list(names.values())[:6])}, ...) is an organ of the network "
            f"({', '.join(name for index, name in wanted.items() if index)})"
        )
    result = np.zeros(labels.shape, np.uint16)
    for index, own in matched.items():
        result[labels == index] = own
    return result


def _region(wanted: str, network: SegmentationNetwork, reference: NDArray[np.uint16] | None, grid: Grid) -> Region:
    if wanted != "auto":
        return Region.parse(wanted, grid)
    if not network.needs_region:
        return Region.whole(grid)
    if reference is None:
        size = " x ".join(str(n) for n in network.card.input_size or ())
        raise RegionNeededError(
            f"'{network.card.name}' looks at one box of {size} voxels and there are no reference labels to put it around: "
            "give the region (--region z0:z1,y0:y1,x0:x1, or draw a box in the viewer) or reference labels"
        )
    return network.auto_region(reference, grid)
