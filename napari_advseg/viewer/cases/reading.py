"""Reads CTs and bundles on a thread of its own, so that finished cases can be looked at while an attack runs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..in_hand import CtToShow
from ..recalled import Recalled
from ..scene import ct_plan
from .core import CasesCore
from .rows import CaseList

if TYPE_CHECKING:
    from ...attacks import CancelToken
    from ...volume import Volume


SURVEYED = "surveyed"  # what has been done on the list is known


@dataclass(frozen=True, eq=False)
class CtRead:
    """A CT that was read ahead, or for its picture; the one that is held."""

    index: int
    ct: Volume


@dataclass(frozen=True, eq=False)
class Picture:
    """The small picture of a case."""

    index: int
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Told:
    """A line for the user."""

    line: str


class Readings:
    """Each method gives the steps of one job."""

    def __init__(self, core: CasesCore) -> None:
        self._core = core

    def listing(self, source: Path) -> Generator[Any, None, CaseList]:
        yield from ()
        return self._core.read_list(source)

    def surveying(self, cases: CaseList, work: Path, token: CancelToken) -> Generator[Any, None, str]:
        yield from self._core.survey(cases, work, token)
        return SURVEYED

    def opening(
        self,
        case: Any,
        index: int,
        case_id: str,
        bundle: Path | None,
        held: CtRead | None,
        series: str | None,
        token: CancelToken,
    ) -> Generator[Any, None, Recalled | None]:
        """The CT at once, then what its bundle holds; a bundle that cannot be read is told of."""
        ct = held.ct if held is not None and held.index == index else self._core.read_ct(case, series)
        token.check()
        yield CtRead(index, ct)
        yield CtToShow(case_id, ct_plan(ct, case_id))
        recalled = None
        if bundle is not None:
            try:
                recalled = self._core.recall(bundle, case_id, ct)
            except (OSError, ValueError) as fault:
                from ..faults import first_line

                yield Told(f"The bundle cannot be shown: {first_line(fault)}")
        token.check()
        yield Picture(index, self._core.picture(ct, recalled))
        return recalled

    def ahead(self, case: Any, index: int) -> Generator[Any, None, CtRead]:
        yield from ()
        return CtRead(index, self._core.read_ct(case))

    def picture(self, case: Any, index: int, bundle: Path | None, held: CtRead | None) -> Generator[Any, None, Picture]:
        yield from ()
        ct = held.ct if held is not None and held.index == index else self._core.read_ct(case)
        recalled = None if bundle is None else self._core.recall(bundle, "", ct)
        return Picture(index, self._core.picture(ct, recalled))
