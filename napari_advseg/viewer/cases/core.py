"""What the dock of cases asks of the cohort's room; everything heavy is imported only in a worker's thread."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import attack_request
from ..recalled import Recalled, recall
from ..thumbnails import ct_picture, thumbnail
from ..wishes import AttackWish, CaseWish
from .rows import CaseList, CaseRow, Lost, RowFound

if TYPE_CHECKING:
    from ...attacks import CancelToken, Progress
    from ...case import Finding
    from ...cohort import CaseStatus, WorkFolder
    from ...networks import SegmentationNetwork
    from ...volume import Volume


class CasesCore(Protocol):
    """The work behind the dock of cases; generators stop between steps."""

    def read_list(self, source: Path) -> CaseList: ...

    def survey(
        self, cases: CaseList, work: Path, cancel: CancelToken
    ) -> Generator[Progress | RowFound, None, None]: ...

    def read_ct(self, case: Any, series: str | None = None) -> Volume: ...

    def recall(self, bundle: Path, case_id: str, ct: Volume) -> Recalled: ...

    def picture(self, ct: Volume, recalled: Recalled | None) -> NDArray[np.uint8]: ...

    def attack_all(
        self,
        cases: CaseList,
        work: Path,
        wish: CaseWish,
        attack: AttackWish,
        network: SegmentationNetwork | None,
        cancel: CancelToken,
    ) -> Generator[Progress | RowFound, None, str]: ...

    def keep(
        self,
        cases: CaseList,
        index: int,
        work: Path,
        finding: Finding,
        wish: CaseWish,
        attack: AttackWish,
        cancel: CancelToken,
    ) -> Generator[Progress | RowFound, None, Finding]: ...


class PackageCases:
    """The package's own rooms."""

    def read_list(self, source: Path) -> CaseList:
        """The cases under pseudonyms, and what their files call them; ValueError of one line where there is none.

        A work folder, a cohort's among them, stands for its list.
        """
        from ...cohort import is_work_folder, place_of_list, read_cases

        source = place_of_list(source) if is_work_folder(source) else source
        named = read_cases(source, names="file")
        return CaseList(source, read_cases(source), tuple(case.name for case in named))

    def survey(self, cases: CaseList, work: Path, cancel: CancelToken) -> Generator[Progress | RowFound, None, None]:
        """What has been done on each case; nothing is written where there is no work folder yet."""
        from ...attacks import Progress

        if not (work / "cohort.json").is_file():
            return
        folder = _work_folder(work, cases)
        for index, case in enumerate(cases.cases):
            cancel.check()
            yield Progress(f"Looking at {case.name}", index / len(cases.cases))
            yield RowFound(index, _row(cases, index, folder.attacks_on(case)))

    def read_ct(self, case: Any, series: str | None = None) -> Volume:
        from ...volume import read_ct

        return read_ct(case.ct, series=series if series is not None else case.series)

    def recall(self, bundle: Path, case_id: str, ct: Volume) -> Recalled:
        return recall(bundle, case_id, ct)

    def picture(self, ct: Volume, recalled: Recalled | None) -> NDArray[np.uint8]:
        return ct_picture(ct) if recalled is None else thumbnail(recalled.outcome.finding)

    def attack_all(
        self,
        cases: CaseList,
        work: Path,
        wish: CaseWish,
        attack: AttackWish,
        network: SegmentationNetwork | None,
        cancel: CancelToken,
    ) -> Generator[Progress | RowFound, None, str]:
        """Attack every case that is not done; the line for the user.

        ``network`` is the one that is open, where it is the wished one.
        """
        from ...attacks import Progress
        from ...cohort import CohortRequest, attack_all
        from ...elsewhere.attacking import attacking_on
        from ...elsewhere.connecting import ClusterLostError

        folder = _work_folder(work, cases)
        request = CohortRequest(
            cases=cases.cases,
            network=wish.network if network is None else network,
            attacks=(attack_request(attack),),
            region=wish.region,
            device=wish.device,
            labels=dict(wish.labels) or None if network is None else None,
            card=wish.card,
        )
        with folder.working():
            yield Progress("Opening the network", 0.0)
            opened = request.open()
            request = request.model_copy(update={"network": opened, "labels": None})
            (job,) = request.jobs(opened)
            steps = attack_all(request, folder, cancel, attacking_on(attack.compute))
            numbers = {case.name: index for index, case in enumerate(cases.cases)}
            rows: dict[int, CaseStatus] = {}
            before: int | None = None

            def now(index: int) -> RowFound:
                case = cases.cases[index]
                if index not in rows:
                    rows[index] = folder.status(case, job)
                rows[index] = folder.refreshed(rows[index])
                return RowFound(index, _row(cases, index, folder.attacks_on(case), rows[index]))

            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    summary = end.value
                    break
                except ClusterLostError:
                    if before is not None:
                        yield now(before)  # with its reason
                    raise
                index = numbers.get(step.text.partition(":")[0])
                if index is not None and index != before:
                    if before is not None:
                        yield now(before)
                    yield now(index)
                    before = index
                yield step
            for index in range(len(cases.cases)):
                yield now(index)
        return _summary_line(summary)

    def keep(
        self,
        cases: CaseList,
        index: int,
        work: Path,
        finding: Finding,
        wish: CaseWish,
        attack: AttackWish,
        cancel: CancelToken,
    ) -> Generator[Progress | RowFound, None, Finding]:
        """Put what was found on one case by hand with the others; the finding measured to its end."""
        from ...attacks import Progress
        from ...case import complete_finding
        from ...cohort import AttackJob

        whole = yield from complete_finding(finding, cancel)
        yield Progress("Saving", 0.97, whole.result.achieved_drop)
        folder, case = _work_folder(work, cases), cases.cases[index]
        job = AttackJob.of(whole.case.network, attack_request(attack), region=wish.region)
        with folder.working():
            row = folder.status(case, job)
            folder.begin(row)
            folder.save(row, whole)
            yield RowFound(index, _row(cases, index, folder.attacks_on(case), folder.refreshed(row)))
        return whole


def _work_folder(work: Path, cases: CaseList) -> WorkFolder:
    from ...cohort import WorkFolder

    return WorkFolder(work, cases.source)


def _row(cases: CaseList, index: int, attacks: Sequence[CaseStatus], own: CaseStatus | None = None) -> CaseRow:
    """All attacks on a case as one row; ``own`` is the one that is being made, whose state counts."""
    row = CaseRow(cases.cases[index].name, cases.file_names[index])
    done = [one for one in attacks if one.outcome is not None]
    done.sort(key=lambda one: (one.place / "result.json").stat().st_mtime)
    if own is not None and own.outcome is not None:
        done = [one for one in done if one.place != own.place] + [own]
    row = replace(
        row,
        lost=tuple(
            Lost(one.outcome.achieved_drop, one.job.attack.drop, one.outcome.reached)
            for one in done
            if one.outcome is not None
        ),
        bundle=done[-1].bundle if done else None,
        clean_dice=next((one.clean_dice for one in reversed([*attacks, *done]) if one.clean_dice is not None), None),
    )
    if own is None:
        order = ("running", "done", "failed", "new")
        own = min(attacks, key=lambda one: order.index(one.state), default=None)
    return row if own is None else replace(row, state=own.state, reason=own.reason)


def _summary_line(summary: Any) -> str:
    done, failed = summary.count("done"), summary.count("failed")
    line = f"{done} of {len(summary.rows)} cases done, {summary.reached} reached the drop"
    line += f", {failed} failed." if failed else "."
    return f"Stopped: {line} Attack all goes on where it was." if summary.stopped else line
