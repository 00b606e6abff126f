"""The whole study, top to bottom: networks -> workers -> tasks -> table -> curve and report."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from ...attacks import CancelToken, Progress
from ...elsewhere.connecting import ClusterLostError
from ..work_folder import WorkFolder
from .cluster import executor_for, need_packages
from .driving import Jobs, StudySummary, run_study
from .report import write_cohort_report
from .request import StudyRequest
from .table import write_results


def run_cohort(
    request: StudyRequest, out: Path, cancel: CancelToken, *, scheduler: str = "local", workers: int | None = None
) -> Generator[Progress, None, StudySummary]:
    """Do what is not done, and write the tables, the fragility curve and the report into ``out``.

    Parameters
    ----------
    out
        New, empty, or the folder of a cohort of the same list. It is a work folder of the viewer's list of cases, too.
    scheduler, workers
        See :func:`executor_for`.

    Returns
    -------
    StudySummary
        After a cancel, too; tables and report then hold what is done.

    Raises
    ------
    ConsentNeededError, FileNotFoundError, ValueError, ImportError
        One line each: a network or an attacker cannot be opened, the folder holds something else, another process works
        there, a package is missing, or there is no such scheduler.
    ClusterLostError
        The scheduler is gone for good; tables and report hold what is done.
    OSError
        The folder cannot be written to.
    """
    need_packages(dask=scheduler != "none")
    yield Progress("Opening the networks", 0.0)
    jobs = request.jobs()
    work = WorkFolder(out, request.source)
    with work.working(), work.many_cases():
        try:
            yield Progress("Starting the workers" if scheduler == "local" else "Looking for the scheduler", 0.0)
            with executor_for(scheduler, cancel, workers=workers, device=request.device) as executor:
                summary = yield from run_study(request, jobs, work, executor, cancel)
        except ClusterLostError:
            yield from _told(request, jobs, work)
            raise
        yield from _told(request, jobs, work)
    return summary


def _told(request: StudyRequest, jobs: Jobs, work: WorkFolder) -> Generator[Progress, None, None]:
    attacks = tuple(job for _, job in jobs)
    yield Progress("Writing the tables", 1.0)
    if write_results(request.cases, attacks, work, work.folder):
        yield Progress("Writing the report", 1.0)
        write_cohort_report(attacks, work, work.folder)
