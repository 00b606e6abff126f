"""Doing a task: read the case, open the network once per process and device, attack, measure, and tell what came of it.

The same function runs in the client's process and in a Dask worker.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from ...attacks import Cancelled, CancelToken, Progress
from ...case import Case, CaseRequest, Finding, attack_case, complete_finding, finish, open_case, save_finding
from ...elsewhere.worker_process import own_device
from ...evidence import blink, result_record
from ...networks import DeviceLost, OutOfMemory, SegmentationNetwork, open_network, ran_out
from ...volume import organ_key
from ..anonymity import without_identity
from ..identity import AttackJob, CaseHashes
from ..queue import FORESEEN, clean_dice, reason_of
from ..work_folder import without_paths_of
from .task import LETTERS, NetworkSpec, Task
from .task_record import TaskRecord, without_places

_PICTURE_WIDTH = 640  # pixels of the CT and the perturbed CT beside each other
_QUALITY = 75
_log = logging.getLogger(__name__)


@dataclass
class _Kept:
    """What this process keeps between tasks: the networks, and the last case that was opened."""

    networks: dict[tuple[NetworkSpec, str], SegmentationNetwork] = field(default_factory=dict)
    case_key: tuple[Any, ...] | None = None
    case: Case | None = None
    hashes: CaseHashes = field(default_factory=lambda: CaseHashes({}))

    def forget(self) -> None:
        self.networks.clear()
        self.case_key = self.case = None


_KEPT = _Kept()
_ONE_AT_A_TIME = threading.Lock()  # a network counts its passes and is stopped as a whole: threads must not share it


def run_task(
    task: Task,
    cancel: CancelToken,
    on_progress: Callable[[Progress], object] | None = None,
    worker: str = "",
) -> tuple[TaskRecord, bytes]:
    """Do a task in this process; a case that fails is a record with its reason.

    Parameters
    ----------
    worker
        Name of the worker, whose trailing number picks its GPU where several are visible.

    Returns
    -------
    The record, and the picture as WebP; no bytes where there is none.

    Raises
    ------
    Cancelled
        Stopped before the task was done.
    """
    with _ONE_AT_A_TIME:
        started = time.monotonic()
        threads = torch.get_num_threads()
        if threads != task.threads:
            torch.set_num_threads(task.threads)
        case: Case | None = None
        try:
            case = finish(_opened(task, cancel, worker), on_progress)
            record, picture = _attacked(task, case, cancel, on_progress)
        except Cancelled:
            raise
        except Exception as fault:
            if not isinstance(fault, FORESEEN):
                _log.exception("a task failed in a way that nobody foresaw")
            record, picture = _failed(task, case, fault), b""
        finally:
            _drop_worn(case)
            if threads != task.threads:
                torch.set_num_threads(threads)
        return record.model_copy(update={"seconds": round(time.monotonic() - started, 3)}), picture


def _opened(task: Task, cancel: CancelToken, worker: str) -> Generator[Progress, None, Case]:
    """The case on its network; the one that was opened last is kept for the next drop."""
    device = own_device(task.device, worker)
    key = (task.case_id, task.network, device, task.job.region)
    if _KEPT.case is not None and _KEPT.case_key == key:
        return _KEPT.case
    _KEPT.case_key = _KEPT.case = None  # before the next one needs its memory
    spec = task.network
    network = _KEPT.networks.get((spec, device))
    if network is None:
        network = open_network(spec.checkpoint, device=device, trust=spec.trust, mirroring=spec.mirroring)
        _KEPT.networks[spec, device] = network
    request: CaseRequest = task.case.request(
        network, region=task.job.region, checkpointing=spec.checkpointing, half=spec.half
    )
    case = yield from open_case(request, cancel)
    if _KEPT.hashes.digest(task.case)[:LETTERS] != task.case_id:
        raise ValueError("the files of the case have changed since the tasks were made: give the same command again")
    _KEPT.case_key, _KEPT.case = key, case
    return case


def _attacked(
    task: Task, case: Case, cancel: CancelToken, on_progress: Callable[[Progress], object] | None
) -> tuple[TaskRecord, bytes]:
    own = AttackJob.of(case.network, task.job.attack, region=task.job.region, half=task.network.half)
    if own.digest != task.job.digest:
        raise ValueError(
            f"the worker finds another network or attacker under {task.network.checkpoint} than the client: "
            "give all computers the same files"
        )
    wanted = task.job.attack.organs
    here = {organ_key(organ.name) for organ in case.organs}
    known = {organ_key(name) for name in case.network.card.organs.values()}
    if len(wanted) == 1 and organ_key(wanted[0]) in known - here:
        return _record(task, state="absent", reason=f"{wanted[0]} is in too few voxels of the reference"), b""
    finding = finish(attack_case(case, task.job.attack, cancel), on_progress)
    if finding.result.broken_off:
        raise ValueError(f"the attack was {finding.result.stopped}")
    if finding.result.stopped or cancel.cancelled:
        raise Cancelled
    finding = finish(complete_finding(finding, cancel), on_progress)
    if task.bundle is not None:
        task.bundle.parent.mkdir(parents=True, exist_ok=True)
        save_finding(without_paths_of(finding, task.case_id), task.bundle)
    return _done(task, finding), _picture(finding) if task.picture else b""


def _done(task: Task, finding: Finding) -> TaskRecord:
    assert finding.evidence is not None
    result = result_record(finding.result, finding.evidence, finding.case.network)
    result["ct"].pop("path", None)
    result["network"].pop("source", None)
    return _record(
        task, state="done", result=result, size=finding.result.size, clean_dice=finding.result.clean_dice,
        control_organs=finding.evidence.control_organ_drops,
    )  # fmt: skip


def _failed(task: Task, case: Case | None, fault: Exception) -> TaskRecord:
    passing = ran_out(fault) or isinstance(fault, OutOfMemory | DeviceLost | MemoryError)
    passing |= isinstance(fault, OSError) and not isinstance(fault, FileNotFoundError | FileExistsError)
    if passing:
        _KEPT.forget()  # what is kept takes memory, or lies on a device that is gone
    said = without_identity(reason_of(fault), task.case, task.root)
    return _record(
        task, state="failed", reason=said, passing=passing, clean_dice=None if case is None else clean_dice(case)
    )


def _record(task: Task, **content: Any) -> TaskRecord:
    return TaskRecord(id=task.id, case_id=task.case_id, job=without_places(task.job), **content)


def _drop_worn(case: Case | None) -> None:
    """Forget a network that gave way where memory was short: the next task begins as the first one did."""
    if case is not None and case.network.execution.notes:
        _KEPT.forget()


def _picture(finding: Finding) -> bytes:
    """The slice that lost most, CT and perturbed CT beside each other."""
    picture = blink(finding.result)
    frames = [Image.fromarray(picture.frames[index]) for index in (0, picture.extreme)]
    width, height = frames[0].size
    both = Image.new("RGB", (2 * width, height))
    for index, frame in enumerate(frames):
        both.paste(frame, (index * width, 0))
    both.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    out = io.BytesIO()
    both.save(out, format="WEBP", quality=_QUALITY)
    return out.getvalue()


def kept_networks() -> int:
    """How many networks this process keeps open."""
    return len(_KEPT.networks)


def forget_kept() -> None:
    """Close what this process keeps between tasks."""
    _KEPT.forget()
