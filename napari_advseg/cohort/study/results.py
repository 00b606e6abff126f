"""The table read back: for each kind of attack the values of the patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .statistics import Values

_READ = (
    "case", "case_id", "network", "attacker", "drop", "seed", "aim", "organ", "state", "reached", "clean_dice", "lost",
    "control_lost", "size", "max_displacement_mm", "rms_hu", "max_hu", "budget_mm", "budget_hu", "reason",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Patients:
    """What an attack of one kind came to, a value per patient: the mean over the seeds.

    Parameters
    ----------
    names
        Hashes of the cases, sorted: the same content is one patient, however often it is listed.
    reached
        Share of the seeds that reached the drop.
    size, mm, hu
        Of the smallest change that costs the drop: root mean square in units of the budget, largest shift, largest change
        of intensity. Infinite where the drop was not reached within the budget for every seed.
    found_size
        As ``size``, of the change that was found, whether it reached the drop or not.
    """

    names: NDArray[Any]
    clean: Values
    reached: Values
    lost: Values
    control: Values
    size: Values
    mm: Values
    hu: Values
    found_size: Values

    def of(self, names: NDArray[Any]) -> NDArray[np.intp]:
        """Where the patients with these names are."""
        return np.searchsorted(self.names, names)


class Results:
    """The table of a cohort.

    Parameters
    ----------
    path
        ``results.parquet``.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=list(_READ))
        self._columns: dict[str, NDArray[Any]] = {}
        for name in _READ:
            column = table.column(name)
            kind: Any = object if name in ("reached",) else None
            values = column.to_numpy(zero_copy_only=False)
            self._columns[name] = values.astype(kind) if kind is not None else values
        self._patients: dict[tuple[Any, ...], Patients] = {}
        self._whole = self._columns["organ"] == None  # noqa: E711  numpy compares each

    def __len__(self) -> int:
        return len(self._whole)

    def known(self, column: str) -> list[Any]:
        """The values that a column has, in the order of the table."""
        return list(dict.fromkeys(value for value in self._columns[column].tolist() if value is not None))

    def count(self, state: str) -> int:
        """How many attacks are in a state."""
        return int((self._whole & (self._columns["state"] == state)).sum())

    def cases(self) -> int:
        """How many patients there are."""
        return len(set(self._columns["case_id"].tolist()))

    def failures(self) -> list[tuple[str, int, str]]:
        """(reason, attacks, cases) of those that failed, the most frequent first; some cases by name."""
        chosen = self._whole & (self._columns["state"] == "failed")
        by_reason: dict[str, list[str]] = {}
        for reason, case in zip(self._columns["reason"][chosen], self._columns["case"][chosen], strict=True):
            by_reason.setdefault(str(reason), []).append(str(case))
        ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
        return [(reason, len(cases), _some(list(dict.fromkeys(cases)))) for reason, cases in ordered]

    def budget(self, network: str) -> tuple[float, float]:
        """Greatest displacement, mm, and greatest intensity change, HU, that a network's attacks might make."""
        chosen = np.flatnonzero((self._columns["network"] == network) & (self._columns["state"] == "done"))
        if not len(chosen):
            return float("nan"), float("nan")
        return float(self._columns["budget_mm"][chosen[0]]), float(self._columns["budget_hu"][chosen[0]])

    def names_of(self) -> dict[str, str]:
        """What a case is called, by its hash."""
        ids, names = self._columns["case_id"].tolist(), self._columns["case"].tolist()
        return dict(zip(reversed(ids), reversed(names), strict=True))

    def patients(self, network: str, attacker: str, drop: float, aim: str, organ: str | None = None) -> Patients:
        """The patients on whom an attack was done; an organ's values with ``organ``."""
        key = (network, attacker, drop, aim, organ)
        if key not in self._patients:
            self._patients[key] = self._collected(*key)
        return self._patients[key]

    def _collected(self, network: str, attacker: str, drop: float, aim: str, organ: str | None) -> Patients:
        columns = self._columns
        of_organ = self._whole if organ is None else columns["organ"] == organ
        chosen = np.flatnonzero(
            of_organ & (columns["network"] == network) & (columns["attacker"] == attacker) & (columns["drop"] == drop)
            & (columns["aim"] == aim) & (columns["state"] == "done")
        )  # fmt: skip
        names, inverse = np.unique(columns["case_id"][chosen].astype(str), return_inverse=True)
        seeds = np.bincount(inverse, minlength=len(names)).astype(float)

        def averaged(values: NDArray[Any]) -> Values:
            return np.asarray(np.bincount(inverse, values.astype(float), len(names)) / seeds, dtype=np.float64)

        reached = columns["reached"][chosen].astype(bool)

        def bounded(name: str) -> Values:
            return averaged(np.where(reached, columns[name][chosen].astype(float), np.inf))

        return Patients(
            names, averaged(columns["clean_dice"][chosen]), averaged(reached), averaged(columns["lost"][chosen]),
            averaged(columns["control_lost"][chosen]), bounded("size"), bounded("max_displacement_mm"),
            bounded("max_hu"), averaged(columns["size"][chosen]),
        )  # fmt: skip


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
