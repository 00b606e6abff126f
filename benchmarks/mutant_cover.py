"""Which tests run which lines: a pytest plugin, loaded with ``-p mutant_cover``.

``MUTANT_COVER`` names a JSON file; it says where to write and which folder to watch. A line belongs to the test that is
running, or to the fixture of a wider scope that is being made, and with that to all tests that take the fixture. What the
tests keep in ``functools.cache`` is made anew for each, so that every test is seen to run what it needs.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import coverage
import pytest

_real_cache = functools.cache


_ASKED = json.loads(Path(os.environ["MUTANT_COVER"]).read_text(encoding="utf-8"))
_TESTS = str(Path(_ASKED["root"]) / "tests")


def _cache(function: Callable[..., Any]) -> Any:
    code = getattr(function, "__code__", None)
    return function if code is not None and code.co_filename.startswith(_TESTS) else _real_cache(function)


_coverage = coverage.Coverage(data_file=None, include=[f"{_ASKED['watch']}/*"], config_file=False)
_coverage.start()
functools.cache = _cache
_seconds: dict[str, float] = {}
_users: dict[str, list[str]] = defaultdict(list)  # of a fixture
_failed: list[str] = []
_now = ""


def _processor_seconds() -> float:
    """Of this process and those that it has waited for: the clock's would tell of whatever else the machine does."""
    return sum(os.times()[:4])


def _switch(context: str) -> str:
    global _now
    before, _now = _now, context
    _coverage.switch_context(context)
    return before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    for name in getattr(item, "fixturenames", ()):
        _users[name].append(item.nodeid)
    began = _processor_seconds()
    _switch(item.nodeid)
    try:
        return (yield)
    finally:
        _switch("")
        _seconds[item.nodeid] = _processor_seconds() - began


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, Any, Any]:
    if fixturedef.scope == "function":
        return (yield)
    before = _switch(f"fixture {fixturedef.argname}")
    try:
        return (yield)
    finally:
        _switch(before)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _failed.append(report.nodeid)


def pytest_sessionfinish() -> None:
    _coverage.stop()
    data = _coverage.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        found = {}
        for line, contexts in data.contexts_by_lineno(file).items():
            tests = set()
            for context in contexts:
                tests.update(_users[context[8:]] if context.startswith("fixture ") else [context] if context else [])
            found[line] = sorted(tests)
        lines[str(Path(file).relative_to(_ASKED["root"]))] = found
    content = {"lines": lines, "seconds": _seconds, "failed": _failed, "modules": sorted(sys.modules)}
    Path(_ASKED["out"]).write_text(json.dumps(content), encoding="utf-8")
