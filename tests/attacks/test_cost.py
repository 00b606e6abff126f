"""What an attack is said to have cost."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from toy_targets import NO_LABELS, LawTarget, scripted

from napari_advseg.attacks import CostMeter, SearchSettings, cost, peak_memory_mb
from napari_advseg.attacks import search as search_function
from napari_advseg.attacks.search import _Run
from napari_advseg.networks import Passes

searching = sys.modules[search_function.__module__]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


def test_seconds_are_those_since_it_was_made_in_hundredths(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, cost)
    monkeypatch.setattr(cost, "peak_memory_mb", lambda: 1234.5678)
    meter = CostMeter(Passes())
    clock.now += 7.3456
    found = meter.read()
    assert found.seconds == 7.35
    assert found.peak_memory_mb == 1234.6
    clock.now += 1
    assert meter.read().seconds == 8.35


@pytest.mark.parametrize(("platform", "told"), [("linux", 2_000_000), ("darwin", 2_000_000_000)])
def test_the_peak_is_told_in_kilobytes_by_linux_and_in_bytes_by_macos(
    platform: str, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(cost, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=told))
    assert peak_memory_mb() == 2000.0


def test_windows_tells_the_peak_of_the_working_set_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=3_000_000_000))
    monkeypatch.setattr(cost, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(cost, "psutil", SimpleNamespace(Process=lambda: process))
    assert peak_memory_mb() == 3000.0


def test_the_time_left_is_that_of_the_passes_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps of two passes each and eight passes for the strength: sixteen, of five seconds each."""
    clock = Clock(monkeypatch, searching)
    target = LawTarget(scripted(0.01))
    run = _Run(target.as_target, SearchSettings(0.3, steps=4), NO_LABELS)
    told = []
    for one in run.descend(torch.zeros(1)):
        told.append(one)
        clock.now += 10
    assert [one.fraction for one in told] == [0, 2 / 16, 4 / 16, 6 / 16]
    assert told[0].seconds_left is None
    assert [one.seconds_left for one in told[1:]] == pytest.approx([14 * 5, 12 * 5, 10 * 5])


def test_the_time_left_and_the_share_are_told_anew_for_the_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six passes are thought to be needed; where it takes more, none is left and the share stays below all of it."""
    clock = Clock(monkeypatch, searching)
    target = LawTarget(lambda parameter: (0.9 if parameter > 0.4321 else 0.05, parameter))
    run = _Run(target.as_target, SearchSettings(0.3), NO_LABELS)
    told = []
    for one in run.calibrate(target.measure(torch.ones(1))):
        told.append(one)
        clock.now += 3
    assert len(told) == 8
    assert [one.fraction for one in told[:7]] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 6 / 7])
    assert [one.seconds_left for one in told[1:]] == pytest.approx([15, 12, 9, 6, 3, 0, 0])


def test_what_was_told_before_the_search_is_not_told_again() -> None:
    target = LawTarget(scripted(0.01))
    notes = target.placed.network.execution.notes
    notes.append("smaller windows")
    steps = _Run(target.as_target, SearchSettings(0.3), NO_LABELS).descend(torch.zeros(1))
    assert next(steps).text == "Looking for the weak spots"
    assert next(steps).text == "Synthesising the change"
    notes.append("half precision")
    assert [next(steps).text for _ in range(2)] == ["half precision", "Synthesising the change"]
