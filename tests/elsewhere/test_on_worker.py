"""What a worker does beside the attack, without a scheduler."""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace

import pytest

from napari_advseg.attacks import Progress
from napari_advseg.elsewhere import on_worker
from napari_advseg.elsewhere.on_worker import Run, announce, forget, put, stop, told


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Run]:
    mine: dict[str, Run] = {}
    monkeypatch.setattr(on_worker, "_runs", mine)
    return mine


def test_an_attack_that_nobody_asks_about_ends_by_itself(runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(announce("a"))
    run = runs["a"]
    run.say(Progress("on", 0.1))
    assert not run.cancel.cancelled
    monkeypatch.setattr(on_worker, "_DESERTED_S", -1.0)
    run.say(Progress("on", 0.2))
    assert run.cancel.cancelled
    run.end()
    asyncio.run(announce("b"))
    assert list(runs) == ["b"], "what nobody has fetched is not kept"


def test_news_is_told_as_soon_as_there_is_any(runs: dict[str, Run]) -> None:
    async def story() -> None:
        await announce("a")
        waiting = asyncio.create_task(told("a", 0, 0, 30.0))
        await asyncio.sleep(0.05)
        runs["a"].say(Progress("Looking", 0.1))
        began = time.monotonic()
        answer = await waiting
        assert time.monotonic() - began < 5
        assert (answer["step"], answer["ended"]) == (Progress("Looking", 0.1), False)
        assert (await told("a", answer["news"], 0, 0.0))["news"] == answer["news"]
        await forget("a")
        assert await told("a", 0, 0, 0.0) == {"known": False}

    asyncio.run(story())


def test_an_attack_that_is_stopped_before_its_turn_never_begins(runs: dict[str, Run]) -> None:
    asyncio.run(announce("a"))
    asyncio.run(stop("a"))
    on_worker.attack("a", {})
    assert (runs["a"].started, runs["a"].kind) == (False, "cancelled")
    on_worker.attack("of a worker that was lost", {})


def test_a_full_disk_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_advseg.elsewhere.store.PieceStore.put", full)
    worker = SimpleNamespace(local_directory=tmp_path)
    assert "No space left" in asyncio.run(put("0" * 64, "0" * 64, 0, b"", 1, dask_worker=worker))


def test_only_the_calls_that_come_all_the_time_are_left_out_of_the_workers_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("distributed.worker")
    monkeypatch.setattr(logger, "filters", [])
    asyncio.run(announce("a"))
    asyncio.run(announce("b"))
    assert len(logger.filters) == 1
    logged = [
        logging.LogRecord("x", 20, "", 0, "Run out-of-band function %r", (name,), None) for name in ("told", "put")
    ]
    assert [bool(logger.filter(record)) for record in logged] == [False, True]
