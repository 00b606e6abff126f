"""A network, or what runs it, that fails in the middle: one line, and what had been measured is kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import shell
from faults.registry import injected
from faults.tiny import QUICK, write_case
from torch import Tensor, nn
from toy_networks import CARD, Threshold

from napari_advseg.attacks import CancelToken, Progress
from napari_advseg.attacks.search import _Run
from napari_advseg.case import CaseRequest, Finding, complete_finding, finish, run, save_finding
from napari_advseg.evidence import verify_bundle
from napari_advseg.networks import network_from_module
from napari_advseg.volume import read_ct

SECTION = "A network that fails"
MUST = "one line; once something has been measured, the best so far is the result, and can be saved and verified"
PASSES = (1, 2, 3, 8, 17, 29)  # of 30: the clean one; the search, from 2; its strength, from 14; the control, from 28
CUDA = "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported at some other call\nCompile"
Spoil = Callable[[Tensor], Tensor]
_TRIED = 2  # passes when a network is opened


def raising(fault: BaseException) -> Spoil:
    def spoil(_: Tensor) -> Tensor:
        raise fault

    return spoil


FAULTS: dict[str, tuple[Spoil, str]] = {
    "MemoryError": (raising(MemoryError()), "memory ran out"),
    "torch's lack of memory on the CPU": (
        raising(
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        ),
        "memory ran out",
    ),
    "the same as Windows says it": (
        raising(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")),
        "memory ran out",
    ),
    "CUDA's lack of memory": (
        raising(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")),
        "memory ran out",
    ),
    "a device that disappears": (raising(RuntimeError(CUDA)), "does not answer any more (CUDA error"),
    "another error of torch": (raising(RuntimeError("shapes do not match\nat: somewhere")), "shapes do not match"),
    "NaN": (lambda scores: scores * torch.nan, "no numbers (NaN)"),
    "one NaN": (lambda scores: torch.where(scores == scores.max(), torch.nan, scores), "no numbers (NaN)"),
    "another size": (lambda scores: scores[..., 1:], "must keep the input's size"),
    "another number of classes": (lambda scores: torch.cat([scores, scores], 1), "gives 4 classes, its card names 2"),
}


class Spoiled(Threshold):
    """The toy network; its ``at_pass``-th answer is spoiled, and all later ones where ``lasting``."""

    def __init__(self, spoil: Spoil, at_pass: int, *, lasting: bool = False) -> None:
        super().__init__()
        self.spoil, self.at_pass, self.lasting, self.done = spoil, at_pass, lasting, -_TRIED

    def forward(self, hu: Tensor) -> Tensor:
        self.done += 1
        scores = super().forward(hu)
        if self.done == self.at_pass or (self.lasting and self.done > self.at_pass):
            return self.spoil(scores)
        return scores


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_case(tmp_path_factory.mktemp("case"))


def running(case: Path, module: nn.Module) -> Generator[Progress, None, Finding]:
    network = network_from_module(module, CARD, device="cpu")
    request = CaseRequest(ct=case / "ct.nii.gz", network=network, reference=case / "labels.nii.gz")
    return run(request, QUICK, CancelToken())


def kept(finding: Finding, line: str, drops: list[float], case: Path, folder: Path) -> None:
    """The best measurement is the result, its reason is one line, and it can be completed, saved and verified."""
    result = finding.result
    assert result.broken_off
    assert line in result.stopped
    assert len(result.stopped.splitlines()) == 1
    assert not drops or abs(result.achieved_drop - QUICK.drop) <= min(abs(drop - QUICK.drop) for drop in drops) + 1e-6
    save_finding(finish(complete_finding(finding, CancelToken())), folder / "bundle")
    checks = verify_bundle(folder / "bundle", read_ct(case / "ct.nii.gz"))
    assert [check.name for check in checks if not check.ok] == []


def test_the_passes_are_where_they_are_said_to_be(case: Path) -> None:
    module, before = Spoiled(lambda scores: scores, 0), dict[str, int]()
    finish(running(case, module), lambda step: before.setdefault(step.text, module.done) and None)
    expected = {"Segmenting the CT": 0, "Looking for the weak spots": 1, "Setting the strength": 13,
                "Trying random changes of the same size": 27}  # fmt: skip
    assert {text: before[text] for text in expected} == expected
    assert module.done == 30


def told(steps: Generator[Progress, None, Finding], drops: list[float]) -> Finding:
    return finish(steps, lambda step: None if step.drop is None else drops.append(step.drop))


SHORT_OF_MEMORY = [name for name, (_, line) in FAULTS.items() if line == "memory ran out"]
OTHERS = [name for name in FAULTS if name not in SHORT_OF_MEMORY]


@injected(
    SECTION,
    f"a pass fails with each of {', '.join(OTHERS)}: the clean pass, the first, later ones, and the random control",
    MUST,
    [(name, at_pass) for name in OTHERS for at_pass in PASSES if at_pass not in (2, 8)],
)
def test_a_pass_that_fails(case: Path, tmp_path: Path, point: tuple[str, int]) -> None:
    name, at_pass = point
    spoil, line = FAULTS[name]
    drops: list[float] = []
    steps = running(case, Spoiled(spoil, at_pass))
    if at_pass <= 2:  # nothing has been measured
        with pytest.raises((ValueError, RuntimeError)) as caught:
            told(steps, drops)
        assert line in str(caught.value)
        assert name == "another error of torch" or len(str(caught.value).splitlines()) == 1
        return
    kept(told(steps, drops), line, drops, case, tmp_path)


@injected(
    SECTION,
    f"a pass finds too little memory once ({', '.join(SHORT_OF_MEMORY)}): the clean pass, the first, later ones, and "
    "the random control",
    "the pass is made again in a way that needs less; the record, and a search that goes on, say so in one line; the "
    "attack comes to its end",
    [(name, PASSES[(number + turn) % len(PASSES)]) for number, name in enumerate(SHORT_OF_MEMORY) for turn in (0, 3)],
)
def test_a_pass_without_memory(case: Path, point: tuple[str, int]) -> None:
    name, at_pass = point
    lines: list[str] = []
    finding = finish(running(case, Spoiled(FAULTS[name][0], at_pass)), lambda step: lines.append(step.text))
    assert finding.result.stopped == ""
    assert finding.result.reached
    assert finding.evidence is not None
    (note,) = finding.case.network.execution.notes
    assert note.startswith("Memory ran out; going on with ")
    assert at_pass in (PASSES[0], PASSES[-1]) or any(note in line for line in lines)


@injected(
    SECTION,
    "a device that does not come back: every pass from the n-th on fails",
    "the best so far is the result; its random control, which needs the network, is refused in one line",
    [3, 8, 17, 24],
)
def test_a_network_that_stays_dead(case: Path, point: int) -> None:
    drops: list[float] = []
    finding = told(running(case, Spoiled(raising(RuntimeError(CUDA)), point, lasting=True)), drops)
    assert finding.result.broken_off
    assert finding.evidence is None
    assert np.isfinite(finding.result.achieved_drop)
    with pytest.raises(RuntimeError, match="does not answer any more") as caught:
        finish(complete_finding(finding, CancelToken()))
    assert len(str(caught.value).splitlines()) == 1


@injected(
    SECTION,
    "the search itself raises at its n-th step, for every other n",
    "what was raised arrives where nothing is measured yet; then " + MUST,
    range(0, 20, 2),
)
def test_a_search_that_raises_at_a_step(case: Path, tmp_path: Path, monkeypatch: Any, point: int) -> None:
    drops: list[float] = []
    told_of = _Run._progress
    count = iter(range(100))

    def progress(search: _Run, text: str, passes: int) -> Progress:
        if next(count) == point:
            raise RuntimeError("surprise")
        return told_of(search, text, passes)

    monkeypatch.setattr(_Run, "_progress", progress)
    steps = running(case, Threshold())
    if point == 0:
        with pytest.raises(RuntimeError, match="surprise"):
            told(steps, drops)
        return
    kept(told(steps, drops), "surprise", drops, case, tmp_path)


@injected(
    SECTION,
    "an attack from the shell whose network fails for good: no memory, a lost device, NaN",
    "one line; exit status 1, or 2 for NaN; no bundle, and an earlier one stands there untouched",
    ["MemoryError", "a device that disappears", "NaN"],
)
def test_the_command_says_one_line(case: Path, tmp_path: Path, monkeypatch: Any, point: str) -> None:
    spoil, line = FAULTS[point]
    drawn = running(case, Threshold())
    save_finding(finish(drawn), tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    spoiled = network_from_module(Spoiled(spoil, 4, lasting=True), CARD, device="cpu")
    monkeypatch.setattr("napari_advseg.case.case.open_network", lambda *_, **__: spoiled)
    done = shell(
        "attack", case / "ct.nii.gz", "--network", "phantom2d", "--reference", case / "labels.nii.gz",
        "--drop", 0.2, "--no-deformation", "--out", tmp_path / "bundle",
    )  # fmt: skip
    assert done.returncode == (2 if point == "NaN" else 1)
    said = [text for text in done.stderr.splitlines() if text.strip()]
    assert len(said) == 1, done.stderr
    assert line in said[0]
    assert {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()} == before
