"""An attack here or elsewhere, in the same steps and with the same result."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial

from ..attacks import CancelToken, Progress, broken_off_by
from ..case import AttackRequest, Case, Finding, attack_case, finding_at, make_target, path_target
from ..case.run import scaled
from .calls import Call
from .connecting import ClusterLostError, connect, let_go, need_dask, quiet
from .found import finding_of, volumes_sha256, with_volumes
from .looking import asked_workers, chosen, other_versions
from .sending import job_of
from .visit import Visit, WorkerLostError

_CONNECT_S = 10.0
_WORKER_S = 30.0  # for a worker that is being started anew
_POLL_S = 0.2
_WAY_SHARE = 0.05  # of the progress bar, for the way there
_ADVICE = "run again, or choose 'This computer' under Compute"
Attacking = Callable[[Case, AttackRequest, CancelToken], Generator[Progress, None, Finding]]


def attacking_on(compute: str) -> Attacking:
    """``attack_case`` where ``compute`` is "", else the same on a worker of the Dask scheduler that it names."""
    return attack_case if not compute else partial(attack_elsewhere, scheduler=compute)


def attack_elsewhere(
    case: Case, request: AttackRequest, cancel: CancelToken, *, scheduler: str
) -> Generator[Progress, None, Finding]:
    """Attack an open case on a worker of a Dask scheduler; see :func:`attack_case`.

    The CT's voxels and grid, the labels, the network and a learned attacker travel once per worker, known by their
    SHA-256; no path, no name of a file and nothing of the patient's identity does. The change's parameters and the
    network's labels come back, and the volumes are synthesised here; where this computer rounds otherwise than the
    worker's device, the volumes that were measured come too.

    Parameters
    ----------
    scheduler
        Its address, or its JSON file.

    Returns
    -------
    Finding
        After a cancel, or where the worker is lost, the best so far, its ``result.stopped`` saying so.

    Raises
    ------
    ImportError, ValueError
        One line: Dask is missing, the request is wrong, or what failed on the worker.
    ClusterLostError, WorkerLostError
        The scheduler does not answer, or the worker is lost, before anything was measured.
    Cancelled
        Stopped before anything was measured.
    """
    need_dask()
    synthesis = make_target(case, request).synthesis  # what is wrong with the request is said before anything travels
    yield Progress(f"Connecting to {scheduler}", 0.0)
    with quiet():
        try:
            client = Call(lambda: connect(scheduler, _CONNECT_S), late=let_go).within(cancel)
        except ClusterLostError as fault:
            raise ClusterLostError(f"{fault}: {_ADVICE}") from fault
        try:
            yield Progress("Looking for a worker", 0.0)
            job, pieces = job_of(case, request)
            names = tuple(pieces)
            until = time.monotonic() + _WORKER_S
            while not (seen := asked_workers(client, scheduler, cancel, names)) and time.monotonic() < until:
                yield Progress("Waiting for a worker: the scheduler has none", 0.0)
                time.sleep(_POLL_S)
            worker = chosen(seen, scheduler)
            if note := other_versions(worker):
                yield Progress(f"The worker has {note}", 0.0)
            missing = {name: content for name, content in pieces.items() if name not in worker.said["held"]}
            del pieces
            visit = Visit(client, worker.address, cancel)
            try:
                yield from scaled(visit.send(missing), 0.0, _WAY_SHARE)
                del missing
                found = yield from scaled(visit.attack(job), _WAY_SHARE, 1.0)
                finding = finding_of(found, case, synthesis)
                if volumes_sha256(finding.result) == found.sha256:
                    return finding
                yield Progress("Fetching what was measured", 0.99, finding.result.achieved_drop)
                if volumes := visit.volumes():
                    return with_volumes(finding, volumes)
            except (WorkerLostError, ClusterLostError) as fault:
                if visit.best is None:
                    raise type(fault)(f"{fault}: {_ADVICE}") from fault
                best = visit.best.model_copy(update={"stopped": broken_off_by(fault)})
                finding = finding_of(best, case, synthesis)
                if volumes_sha256(finding.result) == best.sha256:
                    return finding
            finally:
                visit.leave()
        finally:
            Call(lambda: let_go(client)).done(1.0)
    # What was measured is not to be had any more, and this computer rounds otherwise: one pass here, cancelled or not.
    again = finding_at(finding, path_target(finding), finding.result.strength, CancelToken())
    return replace(again, result=replace(again.result, stopped=finding.result.stopped))
