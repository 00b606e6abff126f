"""Training an attacker on the CTs that are open, and what is known of one: in the worker's thread."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .in_hand import TrainingEnd
from .layer_source import LayerSource
from .wishes import CaseWish, TrainingWish

if TYPE_CHECKING:
    from ..attacks import CancelToken, Progress
    from ..case import Case, CaseRequest, Trained, TrainingRequest


def train(
    wish: CaseWish, training: TrainingWish, case: Case | None, cancel: CancelToken
) -> Generator[Progress, None, TrainingEnd]:
    """Train until the steps are done or the user stops it; both leave the attacker so far in the folder."""
    from ..attacks import Progress
    from ..case import train_attacker

    yield Progress("Reading the CTs", 0.0)
    request = training_request(wish, training, case)
    trained = yield from train_attacker(request, cancel)
    return TrainingEnd(training.out, end_line(trained, request), finished=not trained.stopped)


def training_request(wish: CaseWish, training: TrainingWish, case: Case | None) -> TrainingRequest:
    """The checked request; ValueError, in one line, where something is missing or out of range."""
    from ..case import CaseRequest, TrainingRequest, cts_in
    from ..generator import TrainingSettings
    from .core import attack_request

    series = dict(training.series)

    def asked(ct: Path | LayerSource) -> CaseRequest:
        return CaseRequest(
            ct=ct.volume() if isinstance(ct, LayerSource) else ct,
            network=wish.network,
            device=wish.device,
            series=series.get(ct) if not isinstance(ct, LayerSource) else None,
            labels=dict(wish.labels) or None,
            card=wish.card,
        )

    cases = [
        _again(case) if case is not None and index == training.in_hand else asked(ct)
        for index, ct in enumerate(training.cts)
    ]
    if training.folder is not None:
        cases += [asked(path) for path in cts_in([training.folder])]
    if not cases:
        raise ValueError("there is no CT to train on: check an open one, or choose a folder of CTs")
    return TrainingRequest(
        cases=tuple(cases),
        network=wish.network if case is None else case.network,
        out=training.out,
        settings=TrainingSettings(steps=training.steps),
        attack=attack_request(training.attack),
    )


def _again(case: Case) -> CaseRequest:
    """The case in hand with the reference and the region that it was opened with, the reference in the network's ids."""
    from ..volume import Volume

    given = Volume(case.reference.astype(np.float32), case.ct.grid) if case.reference_given else None
    return case.request.model_copy(update={"ct": case.ct, "reference": given, "label_names": None})


def end_line(trained: Trained, request: TrainingRequest) -> str:
    """What a training came to, for the user."""
    card = trained.attacker.card
    if trained.stopped:
        return (
            f"Stopped after step {card.steps} of {request.settings.steps}: train into the same folder to go on. "
            f"The attacker so far is in {request.out}."
        )
    line = f"Trained for {card.steps} steps on {_cts(card.cases)}; the attacker is in {request.out}."
    if trained.misses:
        missed = [abs(miss) for misses in trained.misses.values() for miss in misses]
        kept_out = max(len(misses) for misses in trained.misses.values())
        line += f" On {_cts(kept_out)} kept out it missed the asked drop by {sum(missed) / len(missed):.2f} on average."
    return line


def attacker_line(attacker: str, case: Case | None) -> str:
    """Where a learned attacker comes from, and a warning where it is used on another network than its own.

    Raises
    ------
    ValueError
        One line: the folder holds no attacker, or it does not fit the case's network.
    """
    import torch

    from ..generator import Attacker
    from ..samples import attacker_folder

    loaded = Attacker.load(attacker_folder(attacker), torch.device("cpu"))
    card = loaded.card
    line = (
        f"Trained on {_cts(card.cases)} for '{card.network}' in {card.steps} steps, "
        f"for drops from {card.drops[0]:.2f} to {card.drops[1]:.2f}."
    )
    if case is None:
        return line
    loaded.fits(case.network.card, card.kind(None))
    warning = loaded.warning(case.network.card)
    return f"{line} {warning}." if warning else line


def _cts(count: int) -> str:
    return f"{count} CT" if count == 1 else f"{count} CTs"
