"""What has been done on a list of cases, on disk: ``cases/<case>/<attack>/`` is a bundle, ``<attack>.json`` its record.

Cases and attacks are named by hashes of what was read, so that a changed CT, network or setting is another one, and no
name of a patient is in the folder. A bundle's folder is renamed into place when it is whole: it is the proof that an
attack is done, whatever the record says.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path, PurePath

from ..attacks import CancelToken, Progress
from ..case import Finding, save_finding
from ..volume import Source
from .anonymity import without_identity
from .identity import AttackJob, CaseHashes, digest
from .listed import ListedCase
from .lock import FolderLock, Holder
from .status import CaseStatus, JobRecord, Outcome
from .writing import ASIDE, write_text

_FILE, _HASHES, _CASES = "cohort.json", "hashes.json", "cases"
_SCHEMA_VERSION = 1
_LETTERS = 16  # of a hash, in names
_OLD_S = 60.0  # a file aside at the top may be another process's, which only looks


class WorkFolder:
    """The work folder of a list of cases.

    Looking is open to all; what writes needs the lock, see :meth:`working`.

    Parameters
    ----------
    folder
        New, empty, or a work folder of the same list.
    source
        The folder or CSV that the list was read from.

    Raises
    ------
    ValueError
        ``folder`` holds something else, or the work on another list.
    """

    def __init__(self, folder: str | Path, source: str | Path) -> None:
        self.folder = Path(folder)
        self.source = Path(source).absolute()
        self._open()
        self._lock = FolderLock(self.folder)
        self._hashes = CaseHashes(_read_hashes(self.folder / _HASHES))
        self._keeps_for_later = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the lock while inside; what killed processes have left half-written is swept away first.

        Raises
        ------
        LockedError
            Another process works here; one line that names it.
        """
        first = not self._lock.held
        self._lock.acquire()
        try:
            if first:
                self._sweep()
            yield
        finally:
            self._lock.release()

    def survey(
        self, cases: Sequence[ListedCase], jobs: Sequence[AttackJob], cancel: CancelToken
    ) -> Generator[Progress, None, tuple[CaseStatus, ...]]:
        """How far each attack on each case has come, case by case. CTs that are new or changed are hashed: seconds.

        Raises
        ------
        Cancelled
            The user asked to stop.
        """
        found = []
        for number, case in enumerate(cases):
            yield Progress(f"Looking at {case.name}", number / len(cases))
            cancel.check()
            found += [self.status(case, job) for job in jobs]
        return tuple(found)

    def status(self, case: ListedCase, job: AttackJob) -> CaseStatus:
        """How far an attack on a case has come."""
        return self._status(case, job, self.place(self.case_id(case), job))

    def place(self, case_id: str, job: AttackJob) -> Path:
        """The folder of the bundle of an attack on a case, whether it is there or not."""
        return self.folder / _CASES / case_id / job.digest[:_LETTERS]

    def refreshed(self, row: CaseStatus) -> CaseStatus:
        """The row as it is now; the case's files are not looked at again."""
        return self._status(row.case, row.job, row.place)

    def attacks_on(self, case: ListedCase) -> tuple[CaseStatus, ...]:
        """All that is remembered of a case, with whatever network and settings."""
        records = sorted((self.folder / _CASES / self.case_id(case)).glob("[!.]*.json"))
        known = [(path, record.job) for path in records if (record := JobRecord.read(path)) is not None]
        return tuple(self._status(case, job, path.with_suffix("")) for path, job in known)

    def begin(self, row: CaseStatus) -> None:
        """Remember that this process works on it."""
        self._write(row, JobRecord(state="running", job=row.job, holder=Holder.this()))

    def fail(self, row: CaseStatus, reason: str, clean_dice: float | None = None) -> None:
        """Remember why it failed, on one line; what ``reason`` says of the case's paths is taken out."""
        root = self.source if self.source.is_dir() else self.source.parent
        said = without_identity(reason, row.case, root)
        self._write(
            row, JobRecord(state="failed", job=row.job, holder=Holder.this(), reason=said, clean_dice=clean_dice)
        )

    def done(self, row: CaseStatus) -> None:
        """Remember that its bundle, which another process has put in place, is whole."""
        self._write(row, JobRecord(state="done", job=row.job, holder=Holder.this()))

    def forget(self, row: CaseStatus) -> None:
        """Let it be as if it had not been begun; a bundle that is there stays."""
        self._needs_lock()
        _record(row.place).unlink(missing_ok=True)

    def save(self, row: CaseStatus, finding: Finding) -> Path:
        """Write a complete finding's bundle, with the case's hash instead of the CT's path and the checkpoint's name
        instead of its path; returns its folder.

        Raises
        ------
        ValueError
            The case's files have changed since ``row`` was made, or the finding is not complete.
        """
        self._needs_lock()
        if self.case_id(row.case) != row.place.parent.name:
            raise ValueError("the files of the case have changed while it was attacked: attack it anew")
        save_finding(without_paths_of(finding, row.place.parent.name), row.place)
        self._write(row, JobRecord(state="done", job=row.job, holder=Holder.this()))
        return row.place

    def case_id(self, case: ListedCase) -> str:
        """What a case is called in the folder: a hash of what is read of it; of its place where that cannot be read."""
        known = len(self._hashes.known)
        try:
            name = self._hashes.digest(case)
        except (OSError, ValueError):
            name = digest(["cannot be read", str(case.ct), str(case.reference)])
        if len(self._hashes.known) > known and not self._keeps_for_later:
            self._write_hashes()
        return name[:_LETTERS]

    @contextmanager
    def many_cases(self) -> Iterator[None]:
        """Inside, new hashes are written at the end and not with each case: the file holds those of all cases."""
        known, self._keeps_for_later = len(self._hashes.known), True
        try:
            yield
        finally:
            self._keeps_for_later = False
            if len(self._hashes.known) > known:
                self._write_hashes()

    def _write_hashes(self) -> None:
        write_text(self.folder / _HASHES, json.dumps(self._hashes.known, indent=0) + "\n")

    def _status(self, case: ListedCase, job: AttackJob, place: Path) -> CaseStatus:
        record, outcome = JobRecord.read(_record(place)), Outcome.read(place)
        row = CaseStatus(case, job, place, outcome=outcome, clean_dice=None if outcome is None else outcome.clean_dice)
        if record is not None and record.state == "running" and self._runs(record.holder):
            return replace(row, state="running")
        if record is not None and record.state == "failed":
            return replace(row, state="failed", reason=record.reason, clean_dice=record.clean_dice)
        return replace(row, state="new" if outcome is None else "done")

    def _runs(self, holder: Holder) -> bool:
        if self._lock.held:  # then every other process that worked here is gone
            return holder == Holder.this()
        return holder.alive

    def _write(self, row: CaseStatus, record: JobRecord) -> None:
        self._needs_lock()
        row.place.parent.mkdir(parents=True, exist_ok=True)
        write_text(_record(row.place), record.model_dump_json(indent=2) + "\n")

    def _needs_lock(self) -> None:
        if not self._lock.held:
            raise RuntimeError("a work folder is written to inside 'with work.working():'")

    def _open(self) -> None:
        path = self.folder / _FILE
        if not path.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.glob("[!.]*"))):
                raise ValueError(f"{self.folder} exists and is no work folder: choose a new or an empty folder")
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            other = _source_in(path)
            if other == self.source:
                return
            if other.exists():  # a list that is there no longer has been moved here
                raise ValueError(
                    f"{self.folder} holds the work on {other}, not on {self.source}: choose another work folder"
                )
        write_text(path, json.dumps({"schema_version": _SCHEMA_VERSION, "list": str(self.source)}, indent=2) + "\n")

    def _sweep(self) -> None:
        for left in (self.folder / _CASES).glob("*/.*"):
            old = left / "bundle"  # a bundle that was about to be replaced when the process died
            bundle = left.with_name(left.name[1:].partition("-")[0])
            if old.is_dir() and not bundle.exists():
                old.rename(bundle)
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        for file in self.folder.glob(f"{ASIDE}*"):
            if time.time() - file.stat().st_mtime > _OLD_S:
                file.unlink(missing_ok=True)


def without_paths_of(finding: Finding, case_id: str) -> Finding:
    """The finding with the case's hash instead of the CT's path and the checkpoint's name instead of its path."""
    ct, network = finding.result.ct, copy(finding.case.network)
    if ct.source is not None:
        ct = replace(ct, source=Source(Path(case_id), ct.source.sha256))
    network.source = PurePath(network.source).name  # the folders that lead to it tell of the user
    case = replace(finding.case, network=network)
    return replace(finding, case=case, result=replace(finding.result, ct=ct))


def is_work_folder(folder: Path) -> bool:
    """Whether a folder is the work folder of a list, a cohort's among them."""
    return (folder / _FILE).is_file()


def place_of_list(folder: Path) -> Path:
    """The folder or CSV that a work folder is about; one of that name beside it where both were moved.

    Raises
    ------
    ValueError
        It is no work folder.
    """
    source = _source_in(folder / _FILE)
    beside = folder.absolute().parent / source.name
    return source if source.exists() or not beside.exists() else beside


def case_in(bundle: Path) -> tuple[Path, str] | None:
    """The work folder that a bundle lies in and what its case is called there; None where it lies in none."""
    parents = bundle.absolute().parents
    if len(parents) < 3 or parents[1].name != _CASES or not (parents[2] / _FILE).is_file():
        return None
    return parents[2], parents[0].name


def case_names(folder: Path) -> Callable[[ListedCase], str]:
    """What a case is called in a work folder, to which nothing is written; OSError, ValueError where it cannot be read."""
    hashes = CaseHashes(_read_hashes(folder / _HASHES))
    return lambda case: hashes.digest(case)[:_LETTERS]


def _record(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _source_in(path: Path) -> Path:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"schema_version {content['schema_version']}")
        return Path(content["list"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{path} is not what this version writes ({fault}): choose another work folder") from fault


def _read_hashes(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # they are computed anew
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}
