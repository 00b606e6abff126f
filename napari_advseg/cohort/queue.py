"""Attack all: every case that is not done is opened, attacked, completed, saved and remembered."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..attacks import Cancelled, CancelToken, Progress
from ..case import AttackRequest, Case, Finding, attack_case, complete_finding, open_case
from ..case.run import scaled
from ..elsewhere.attacking import Attacking
from ..elsewhere.connecting import ClusterLostError
from ..networks import DeviceLost, ModelCard, OutOfMemory, SegmentationNetwork, open_network
from ..volume import SeveralSeriesError
from .identity import AttackJob
from .listed import ListedCase
from .status import CaseStatus
from .work_folder import WorkFolder

_SURVEY_SHARE = 0.02  # of the progress bar
_OPENING_SHARE = 0.1  # of a case's
FORESEEN = (ValueError, OSError, OutOfMemory, DeviceLost)
T = TypeVar("T")
_log = logging.getLogger(__name__)


class CohortRequest(BaseModel):
    """Which cases are to be attacked, and how; the fields that a :class:`CaseRequest` has too mean what they mean there.

    Parameters
    ----------
    attacks
        Each is made on every case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    cases: tuple[ListedCase, ...] = Field(min_length=1)
    network: str | SegmentationNetwork
    attacks: tuple[AttackRequest, ...] = Field((AttackRequest(),), min_length=1)
    region: str = "auto"
    device: str = "auto"
    trust: bool = False
    mirroring: bool = True
    checkpointing: bool = False
    half: bool = False
    labels: dict[int, str] | None = None
    card: ModelCard | None = None

    def open(self) -> SegmentationNetwork:
        """The network, opened where it is not open yet; see :func:`open_network` for errors."""
        network = self.network
        if isinstance(network, str):
            network = open_network(
                network, device=self.device, trust=self.trust, card=self.card, mirroring=self.mirroring
            )
        if self.labels is not None:
            network = replace(network, card=network.card.renamed(self.labels))
        return network

    def jobs(self, network: SegmentationNetwork) -> tuple[AttackJob, ...]:
        """The attacks on the open network."""
        return tuple(AttackJob.of(network, attack, region=self.region, half=self.half) for attack in self.attacks)


@dataclass(frozen=True)
class CohortSummary:
    """What a run of the queue has come to.

    Parameters
    ----------
    rows
        The whole table afterwards, a row per case and attack.
    attacked
        How many attacks this run has finished or failed at; the others were done before, or are left.
    stopped
        "" where the queue ran to its end, else "cancelled".
    """

    rows: tuple[CaseStatus, ...]
    attacked: int
    stopped: str = ""

    def count(self, state: str) -> int:
        """How many rows are in a state."""
        return sum(row.state == state for row in self.rows)

    @property
    def reached(self) -> int:
        """How many attacks reached their drop."""
        return sum(row.outcome is not None and row.outcome.reached for row in self.rows if row.state == "done")


def attack_all(
    request: CohortRequest, work: WorkFolder, cancel: CancelToken, attacking: Attacking = attack_case
) -> Generator[Progress, None, CohortSummary]:
    """Attack every case that is not done with these settings; those that failed or were stopped are tried again.

    A case that fails is remembered with its reason and does not end the queue. After a cancel the case in hand is as
    new, unless its best drop so far exceeds the tolerance: then that is saved, its ``outcome.stopped`` saying so.

    Parameters
    ----------
    attacking
        Attacks an open case; see :func:`attacking_on`.

    Raises
    ------
    LockedError
        Another process works in the folder.
    ClusterLostError
        A scheduler elsewhere does not answer, which the other cases would not change: the case in hand has failed.
    ConsentNeededError, FileNotFoundError, ValueError, ImportError
        The network or the attacker cannot be opened.
    OSError
        The work folder cannot be written to.
    """
    with work.working():
        yield Progress("Opening the network", 0.0)
        network = request.open()
        jobs = request.jobs(network)
        attacked: list[CaseStatus] = []
        try:
            rows = yield from scaled(work.survey(request.cases, jobs, cancel), 0.0, _SURVEY_SHARE)
            waiting = [todo for todo in _by_case(rows, len(jobs)) if todo]
            for number, todo in enumerate(waiting):
                part = (_SURVEY_SHARE + (1 - _SURVEY_SHARE) * n / len(waiting) for n in (number, number + 1))
                cancel.check()
                yield from scaled(_attack(request, network, todo, work, cancel, attacking, attacked), *part)
        except Cancelled:
            pass
        rows = tuple(work.status(case, job) for case in request.cases for job in jobs)
        left = any(not row.finished and row.state != "failed" for row in rows)
        return CohortSummary(rows, len(attacked), "cancelled" if cancel.cancelled and left else "")


def _by_case(rows: Sequence[CaseStatus], attacks: int) -> list[list[CaseStatus]]:
    """The rows that are to be attacked, together by case."""
    return [
        [row for row in rows[first : first + attacks] if not row.finished] for first in range(0, len(rows), attacks)
    ]


def _attack(
    request: CohortRequest,
    network: SegmentationNetwork,
    todo: Sequence[CaseStatus],
    work: WorkFolder,
    cancel: CancelToken,
    attacking: Attacking,
    attacked: list[CaseStatus],
) -> Generator[Progress, None, None]:
    """The attacks on one case; those that were finished or failed at are added to ``attacked``."""
    name, case = todo[0].case.name, None
    for number, row in enumerate(todo):
        if work.refreshed(row).finished:  # another case of the list has the same content
            continue
        work.begin(row)
        try:
            if case is None:
                options = {name: getattr(request, name) for name in ("region", "checkpointing", "half")}
                opening = open_case(row.case.request(network, **options), cancel)
                case = yield from _named(scaled(opening, 0.0, _OPENING_SHARE), name)
            share = (_OPENING_SHARE + (1 - _OPENING_SHARE) * n / len(todo) for n in (number, number + 1))
            yield from _named(scaled(_attack_and_save(case, row, work, cancel, attacking), *share), name)
        except Cancelled:
            work.forget(row)
            raise
        except Exception as fault:
            if not isinstance(fault, FORESEEN):
                _log.exception("an attack failed in a way that nobody foresaw")
            work.fail(row, reason_of(fault), None if case is None else clean_dice(case))
            if isinstance(fault, ClusterLostError):
                raise
        except BaseException:  # the queue is closed, or the process told to end
            work.forget(row)
            raise
        attacked.append(row)


def _attack_and_save(
    case: Case, row: CaseStatus, work: WorkFolder, cancel: CancelToken, attacking: Attacking
) -> Generator[Progress, None, None]:
    finding = yield from attacking(case, row.job.attack, cancel)
    if finding.result.broken_off:  # the case is remembered as failed, with the reason, and tried again next time
        raise ValueError(f"the attack was {finding.result.stopped}")
    if finding.result.stopped and not _worth_keeping(finding):
        raise Cancelled
    finding = yield from complete_finding(finding, CancelToken())  # what is kept gets its control, cancelled or not
    yield Progress("Saving", 1.0, finding.result.achieved_drop)
    work.save(row, finding)


def reason_of(fault: Exception) -> str:
    """Why a case failed, in a line that is still to be freed of the case's paths."""
    if isinstance(fault, SeveralSeriesError):  # its own line ends in pieces of UIDs, which tell of the patient
        return (
            f"the folder holds {len(fault.series)} DICOM series: list the cases in a CSV, with the wanted series' number "
            "(0 for the first) in the column series"
        )
    return str(fault) if isinstance(fault, FORESEEN) and str(fault) else f"{type(fault).__name__}: {fault}"


def _worth_keeping(finding: Finding) -> bool:
    return finding.result.achieved_drop > finding.result.tolerance


def clean_dice(case: Case) -> float | None:
    """Mean over the organs of an open case; None where none can be scored."""
    return sum(organ.clean for organ in case.organs) / len(case.organs) if case.organs else None


def _named(steps: Generator[Progress, None, T], name: str) -> Generator[Progress, None, T]:
    """The same steps, saying which case they are of; the time left is the case's and would mislead."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield replace(step, text=f"{name}: {step.text}", seconds_left=None)
