"""A core that answers at once, waits when told to, and fails when told to: for tests of the dock."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from napari_advseg.attacks import AttackResult, Cancelled, CancelToken, Cost, Organ, Progress
from napari_advseg.case import Case, CaseRequest, Finding
from napari_advseg.evidence import Evidence
from napari_advseg.networks import ModelCard
from napari_advseg.synthesis import Budget
from napari_advseg.viewer.core import CtRead, Offers, PackageCore, Saved
from napari_advseg.viewer.in_hand import TrainingEnd
from napari_advseg.viewer.layer_source import LayerSource
from napari_advseg.viewer.wishes import AttackWish, CaseWish, Names, TrainingWish
from napari_advseg.volume import Grid, Region, Volume, read_ct

LEARNED = "fake2d"  # the shipped attacker
SCALES = (1.0, 0.5, 0.8)  # of the change, by seed: the second draw's is the smallest
CARD = ModelCard(name="fake", dimensions=2, labels={0: "background", 1: "liver", 2: "kidney_left"})
FLIPPED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0)  # columns: x runs to P, y to R, z to I


def make_ct(direction: tuple[float, ...] | None = None) -> Volume:
    """A CT whose every voxel is different, on a grid with three different spacings."""
    shape = (6, 20, 24)
    hu = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 10 - 100
    if direction is None:
        return Volume(hu, Grid(shape, (4.0, 2.0, 1.5), (10.0, -20.0, 30.0)))
    return Volume(hu, Grid(shape, (4.0, 2.0, 1.5), (10.0, -20.0, 30.0), direction))


def make_labels(ct: Volume) -> np.ndarray:
    labels = np.zeros(ct.grid.shape, np.uint16)
    labels[1:4, 4:12, 4:10] = 1
    labels[2:5, 5:14, 14:20] = 2
    return labels


def make_case(ct: Volume, wish: CaseWish | None = None) -> Case:
    labels = make_labels(ct)
    names = dict(wish.labels) if wish is not None else {}
    return Case(
        request=CaseRequest(ct=ct, network="fake"),
        ct=ct,
        network=SimpleNamespace(card=CARD.renamed(names)),  # type: ignore[arg-type]
        placed=None,  # type: ignore[arg-type]
        region=Region.whole(ct.grid),
        reference=labels,
        reference_given=wish is not None and wish.reference is not None,
        clean_labels=labels.copy(),
        organs=(
            Organ(1, names.get(1, "liver"), 144, 0.95, 0.95),
            Organ(2, names.get(2, "kidney_left"), 162, 0.87, 0.87),
        ),
        warnings=ct.warnings,
    )


def make_result(case: Case, wish: AttackWish, drop: float, stopped: str = "") -> AttackResult:
    """A result with a displacement that differs from voxel to voxel, inside a view smaller than the CT."""
    view = Region((0, 2, 3), (6, 18, 21))
    displacement = np.zeros((3, *view.shape), np.float32)
    displacement[1] = 0.5 + np.arange(view.shape[2], dtype=np.float32) / 20
    displacement[2] = -0.25
    learned = wish.attacker != "search"
    displacement *= SCALES[wish.seed % 3] if learned else 1.0
    attacked = case.clean_labels.copy()
    attacked[3, 5 : 9 + wish.seed] = 0
    chosen = [organ for organ in case.organs if not wish.organs or organ.name in wish.organs]
    return AttackResult(
        ct=case.ct,
        region=view,
        organs=tuple(replace(organ, attacked=organ.clean - drop) for organ in chosen),
        target_drop=wish.drop,
        tolerance=wish.tolerance,
        perturbed=(case.ct.hu[view.slices] + 7 + wish.seed).astype(np.int16),
        displacement=displacement,
        appearance=np.full(view.shape, 7.0, np.float32),
        clean_labels=case.clean_labels,
        attacked_labels=attacked,
        reference=case.reference,
        moved_reference=case.reference.copy(),
        path=(),
        strength=0.8,
        parameters=torch.zeros(1),
        synthesis=SimpleNamespace(budget=Budget(3.0, wish.max_hu)),  # type: ignore[arg-type]
        cost=Cost(1, 1, 0.1, 1.0),
        seed=wish.seed,
        stopped=stopped,
        attacker="generator" if learned else "search",
    )


EVIDENCE = Evidence(0.006, (0.006,), 1.0, 0.99, 2.3, 0.5, 7.0, 7.0, 0.9, 1.1)


VOLUMES = ("perturbed", "displacement", "appearance", "moved_reference")


def unpacked(labels: bytes, like: AttackResult) -> np.ndarray:
    shape, kind = like.attacked_labels.shape, like.attacked_labels.dtype
    return np.frombuffer(zlib.decompress(labels), kind).reshape(shape).copy()


class FakeCore:
    """Attacks in ``steps`` steps, or until cancelled where ``endless``.

    ``fault`` is raised, once, by the next job; ``about`` is added to what is known of the network; the lists note
    what was asked. A learned attack misses by ``missed``; ``failing_at`` and ``endless_at`` are the numbers of the
    attack that fails and of one that goes on until it is cancelled.
    """

    def __init__(self, *, endless: bool = False, steps: int = 3, missed: float = 0.0) -> None:
        self.endless, self.steps, self.missed = endless, steps, missed
        self.endless_at: int | None = None
        self.failing_at: int | None = None
        self.trainings: list[tuple[CaseWish, TrainingWish, Case | None]] = []
        self.fault: BaseException | None = None
        self.trusted: list[str] = []
        self.withdrawn: list[str] = []
        self.about: dict[str, Any] = {}
        self.opened: list[CaseWish] = []
        self.attacked: list[AttackWish] = []
        self.stopped = threading.Event()
        self.released = threading.Event()
        self.results: dict[int, AttackResult] = {}  # by seed

    def offers(self) -> Offers:
        return Offers({"fake": "two organs"}, ("cpu",))

    def load_rest(self) -> None:
        return None

    def cancel_token(self) -> CancelToken:
        return CancelToken()

    def open_case(self, wish: CaseWish, cancel: CancelToken) -> Generator[Any, None, Case]:
        self.opened.append(wish)
        yield Progress("Reading the CT", 0.0)
        ct = wish.ct.volume() if isinstance(wish.ct, LayerSource) else read_ct(wish.ct)
        yield CtRead(ct)
        self._fail()
        cancel.check()
        return make_case(ct, wish)

    def attack_case(self, case: Case, wish: AttackWish, cancel: CancelToken) -> Generator[Progress, None, Finding]:
        self.attacked.append(wish)
        self._fail()
        count, step = len(self.attacked), 0
        if count == self.failing_at:
            raise ValueError("the device fell asleep")
        while self.endless or count == self.endless_at or step < self.steps:
            step += 1
            if cancel.cancelled:
                self.stopped.set()
                if step == 1:
                    raise Cancelled
                return Finding(case, make_result(case, wish, 0.1, "cancelled"), None)
            yield Progress("Looking for the change", min(0.9, step / 10), 0.1, 12.0)
            time.sleep(0.01)
        drop = wish.drop - (self.missed if wish.attacker != "search" else 0.0)
        self.results[wish.seed] = make_result(case, wish, drop)
        return Finding(case, self.results[wish.seed], EVIDENCE)

    def compute_line(self, scheduler: str) -> str:
        self._fail()
        return f"1 worker at {scheduler}"

    def restore(self, finding: Finding, labels: bytes) -> Finding:
        made, slim = self.results[finding.result.seed], finding.result
        whole = {name: getattr(made, name) for name in VOLUMES} | {"attacked_labels": unpacked(labels, made)}
        return replace(finding, result=replace(slim, **whole))

    def train(
        self, wish: CaseWish, training: TrainingWish, case: Case | None, cancel: CancelToken
    ) -> Generator[Progress, None, TrainingEnd]:
        """Goes on after the step that ``training.pt`` names, and ends after ``training.steps``."""
        self.trainings.append((wish, training, case))
        self._fail()
        training.out.mkdir(parents=True, exist_ok=True)
        state = training.out / "training.pt"
        step = int(state.read_text()) if state.exists() else 0
        while step < training.steps:
            if cancel.cancelled:
                self.stopped.set()
                return TrainingEnd(training.out, f"Stopped after step {step}", finished=False)
            step += 1
            state.write_text(str(step))
            (training.out / "attacker.yaml").write_text("fake")
            yield Progress(f"Step {step} of {training.steps}: asked 0.30, cost 0.21", step / training.steps, None, 700)
            time.sleep(0.01)
        return TrainingEnd(training.out, f"Trained for {step} steps", finished=True)

    def attackers(self, case: Case) -> tuple[str, ...]:
        return (LEARNED,)

    def attacker_line(self, attacker: str, case: Case | None) -> str:
        if attacker != LEARNED and not (Path(attacker) / "attacker.yaml").is_file():
            raise ValueError(f"{attacker} holds no learned attacker")
        return f"Trained for {'any' if case is None else case.network.card.name}."

    def save(self, finding: Finding, folder: Path, cancel: CancelToken) -> Generator[Progress, None, Saved]:
        self._fail()
        yield Progress("Writing the bundle", 0.9)
        folder.mkdir(exist_ok=True)
        (folder / "result.json").write_text("{}")
        return Saved(replace(finding, evidence=EVIDENCE), folder)

    def describe(self, case: Case) -> dict[str, Any]:
        return case.network.card.model_dump(mode="json", by_alias=True, exclude_none=True) | self.about

    def rename(self, case: Case, names: Names) -> Case:
        return PackageCore().rename(case, names)

    def make_card(self, content: dict[str, Any]) -> ModelCard:
        return PackageCore().make_card(content)

    def write_card(self, checkpoint: Path, card: ModelCard) -> Path:
        return PackageCore().write_card(checkpoint, card)

    def trust(self, sha256: str) -> None:
        self.trusted.append(sha256)

    def withdraw_trust(self, sha256: str) -> None:
        self.withdrawn.append(sha256)

    def release(self) -> None:
        self.released.set()

    def _fail(self) -> None:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
