"""A cohort that answers at once, and a desk that notes what it is given: for tests of the dock of cases."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from viewer.fake_core import EVIDENCE, FakeCore, make_case, make_ct, make_result

from napari_advseg.attacks import Cancelled, CancelToken, Progress
from napari_advseg.case import Finding
from napari_advseg.viewer.cases.rows import CaseList, CaseRow, Lost, RowFound
from napari_advseg.viewer.controller import Controller
from napari_advseg.viewer.in_hand import CtToShow, Outcome
from napari_advseg.viewer.recalled import Recalled
from napari_advseg.viewer.scene import Scene, all_plans, case_scene, finding_scene
from napari_advseg.viewer.wishes import AttackWish, CaseWish
from napari_advseg.volume import Volume


class FakeCases:
    """Three cases; what is done is kept in the work folder, a file per case.

    ``failing`` are the cases that fail, ``endless`` the one that goes on until it is cancelled, ``fault`` what the next
    attack on all raises; the lists note what was asked.
    """

    def __init__(self, count: int = 3) -> None:
        self.count = count
        self.failing: set[int] = set()
        self.unreadable: set[int] = set()
        self.endless: int | None = None
        self.fault: BaseException | None = None
        self.read: list[int] = []
        self.attacked: list[int] = []
        self.recalled: list[Path] = []
        self.wishes: list[tuple[CaseWish, AttackWish, Any]] = []
        self.kept: list[int] = []

    def read_list(self, source: Path) -> CaseList:
        if not source.exists():
            raise FileNotFoundError(f"there is no folder or CSV file {source}")
        cases = tuple(
            SimpleNamespace(
                name=f"Case {number}",
                ct=source / f"muster_{number}.nii",
                reference=None,
                label_names=None,
                series=None,
                index=number - 1,
            )
            for number in range(1, self.count + 1)
        )
        return CaseList(source, cases, tuple(f"muster_{number}" for number in range(1, self.count + 1)))

    def row(self, work: Path, index: int) -> CaseRow:
        row = CaseRow(f"Case {index + 1}", f"muster_{index + 1}")
        file = work / f"{index}.json"
        if not file.is_file():
            return row
        content = json.loads(file.read_text())
        if "reason" in content:
            return replace(row, state="failed", reason=content["reason"])
        return replace(
            row, state="done", clean_dice=0.91, lost=(Lost(content["drop"], 0.3, True),), bundle=work / str(index)
        )

    def survey(self, cases: CaseList, work: Path, cancel: CancelToken) -> Generator[Any, None, None]:
        for index in range(len(cases.cases)):
            cancel.check()
            yield Progress("Looking", 0.0)
            yield RowFound(index, self.row(work, index))

    def read_ct(self, case: Any, series: str | None = None) -> Volume:
        self.read.append(case.index)
        if case.index in self.unreadable:
            raise ValueError(f"case {case.index + 1} is no readable image")
        ct = make_ct()
        return replace(ct, hu=ct.hu + case.index)

    def recall(self, bundle: Path, case_id: str, ct: Volume) -> Recalled:
        self.recalled.append(bundle)
        wish = AttackWish(drop=0.3)
        case = make_case(ct)
        finding = Finding(case, make_result(case, wish, 0.3), EVIDENCE)
        found = finding_scene(finding, case_id)
        scene = Scene(case_id, tuple(all_plans([case_scene(case, case_id), found])), found.focus)
        made = SimpleNamespace(record={}, region="", organs=(), grid=ct.grid)
        return Recalled(
            bundle, scene, Outcome(case_id, finding, found, wish, live=False), made, True, "From the bundle."
        )  # type: ignore[arg-type]

    def picture(self, ct: Volume, recalled: Recalled | None) -> np.ndarray:
        return np.full((8, 10, 3), 50 if recalled is None else 200, np.uint8)

    def attack_all(
        self, cases: CaseList, work: Path, wish: CaseWish, attack: AttackWish, network: Any, cancel: CancelToken
    ) -> Generator[Any, None, str]:
        self.wishes.append((wish, attack, network))
        yield Progress("Opening the network", 0.0)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        work.mkdir(parents=True, exist_ok=True)
        for index in range(len(cases.cases)):
            row = self.row(work, index)
            if row.state == "done":
                continue
            yield RowFound(index, replace(row, state="running"))
            step = 0
            while step < 3 or self.endless == index:
                if cancel.cancelled:
                    yield RowFound(index, row)
                    done = sum(self.row(work, i).state == "done" for i in range(len(cases.cases)))
                    return f"Stopped: {done} of {len(cases.cases)} cases done."
                step += 1
                yield Progress(f"Case {index + 1}: Looking", (index + min(1, step / 3)) / len(cases.cases))
                time.sleep(0.01)
            self.attacked.append(index)
            content = {"reason": "the file is torn"} if index in self.failing else {"drop": 0.3}
            (work / f"{index}.json").write_text(json.dumps(content))
            yield RowFound(index, self.row(work, index))
        return f"{len(cases.cases)} of {len(cases.cases)} cases done."

    def keep(
        self,
        cases: CaseList,
        index: int,
        work: Path,
        finding: Finding,
        wish: CaseWish,
        attack: AttackWish,
        cancel: CancelToken,
    ) -> Generator[Any, None, Finding]:
        if cancel.cancelled:
            raise Cancelled
        self.kept.append(index)
        self.wishes.append((wish, attack, None))
        work.mkdir(parents=True, exist_ok=True)
        (work / f"{index}.json").write_text(json.dumps({"drop": finding.result.achieved_drop}))
        yield RowFound(index, self.row(work, index))
        return finding


class FakeDesk:
    """Notes what it is given; its controller is a real one over a core that answers at once."""

    def __init__(self, core: FakeCore) -> None:
        self.made = Controller(core)
        self.cts: list[CtToShow] = []
        self.bare: list[CtToShow] = []
        self.recalled: list[Recalled] = []
        self.away: list[str] = []
        self.refusal = ""

    def controller(self) -> Controller:
        return self.made

    def settings(self, ct: Path) -> tuple[CaseWish, AttackWish]:
        if self.refusal:
            raise ValueError(self.refusal)
        return CaseWish(ct, "fake"), AttackWish(drop=0.3)

    def may_leave(self, kept: Callable[[str], bool], again: Callable[[], object]) -> bool:
        return True

    def show_ct(self, shown: CtToShow, case: Any, before: str | None = None) -> bool:
        self._note(before)
        self.cts.append(shown)
        return False

    def show_only_ct(self, shown: CtToShow, before: str | None = None) -> None:
        self._note(before)
        self.bare.append(shown)

    def filling(self) -> Callable[[], bool]:
        return lambda: False

    def show_recalled(self, recalled: Recalled, case: Any) -> None:
        self.recalled.append(recalled)

    def put_away(self, case_id: str) -> None:
        self.away.append(case_id)

    def _note(self, before: str | None) -> None:
        if before is not None:
            self.away.append(before)
