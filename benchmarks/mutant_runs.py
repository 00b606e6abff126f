"""Runs mutants one after the other, each in a fork of a process that has loaded everything but the package."""

from __future__ import annotations

import compileall
import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

from mutant_places import Mutant

_OPTIONS = ["-q", "-x", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
_OPTIONS += ["-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"]
_NO_OTHERS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # napari's plugin loads Qt, which these tests do without
_LEFT_COLD = ("napari", "npe2", "qtpy", "PyQt", "PySide", "vispy", "coverage", "mutant_", "test_", "tests")
_WAITING = 10.0  # the clock's limit in those of the processor, for what waits for ever
_PASSED, _BROKEN = 0, (1, 2, 3, 4)  # pytest's exit statuses: a file that cannot be imported any more is 2 or 4


class Tests:
    """Which tests see a line, and how long each takes."""

    def __init__(self, found: dict[str, Any], most_seconds: float) -> None:
        self._lines, self._seconds, self.modules = found["lines"], found["seconds"], found["modules"]
        self._failed, self._most = set(found["failed"]), most_seconds
        # How many lines of the package each runs: a test of few is about these, and needs no fixture that takes long.
        self._breadth = Counter(test for lines in self._lines.values() for tests in lines.values() for test in tests)

    def of(self, mutant: Mutant) -> list[str]:
        """Those of its room first, those that run least of the code first, as many as fit in the time.

        For a line that runs when the file is loaded, all that use the file.
        """
        lines = self._lines.get(mutant.file, {})
        seen = {test for line in range(mutant.first, mutant.last + 1) for test in lines.get(str(line), [])}
        if not seen and any(str(line) in lines for line in range(mutant.first, mutant.last + 1)):
            seen = {test for tests in lines.values() for test in tests}
        chosen, spent = [], 0.0
        room = f"tests/{mutant.file.split('/')[1]}/"
        for test in sorted(seen - self._failed, key=lambda one: (not one.startswith(room), self._breadth[one], one)):
            spent += self._seconds[test]
            if chosen and spent > self._most:
                break
            chosen.append(test)
        return chosen

    def seconds(self, tests: list[str]) -> float:
        return sum(self._seconds[test] for test in tests)


def cover(copy: Path, tests: list[str], out: Path) -> dict[str, Any]:
    """Run the tests on the whole code and note which lines each runs; kept in ``out``."""
    asked = out.with_suffix(".asked.json")
    asked.write_text(json.dumps({"root": str(copy), "watch": str(copy / "napari_advseg"), "out": str(out)}))
    command = [sys.executable, "-m", "pytest", *[one for one in _OPTIONS if one != "-x"], "-p", "mutant_cover", *tests]
    paths = [str(copy), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MUTANT_COVER": str(asked), **_NO_OTHERS}
    subprocess.run(command, cwd=copy, env=environment, check=False)
    # By content: a file that is changed and changed back within a second has the same date and size.
    compileall.compile_dir(
        copy / "napari_advseg", force=True, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH
    )
    return dict(json.loads(out.read_text(encoding="utf-8")))


def warm_up(copy: Path, modules: list[str]) -> None:
    """Load what the tests load of other packages; the copy of this one comes first on the path, also in children."""
    os.chdir(copy)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", **_NO_OTHERS}
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            top = name.split(".")[0]
            if top != "napari_advseg" and not top.startswith(_LEFT_COLD) and top not in ("conftest", "__main__"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
    from hypothesis import Phase, settings

    # A mutant is killed by the first example that fails: it need not be the smallest.
    settings.register_profile(
        "mutants", deadline=None, max_examples=40, derandomize=True, phases=[Phase.explicit, Phase.generate]
    )
    importlib.import_module("napari_advseg.networks")  # and volume: the rooms that stand before all that is mutated
    loaded = [name for name in sys.modules if name.startswith("napari_advseg.")]
    assert all(str(sys.modules[name].__file__).startswith(str(copy)) for name in loaded), "not the copy's"
    assert {name.split(".")[1] for name in loaded} <= {"volume", "networks", "logs"}, loaded
    gc.collect()
    gc.freeze()


def try_mutant(copy: Path, mutant: Mutant, tests: list[str], limit: float, log: Path) -> tuple[str, float]:
    """ "killed", "survived" or "timeout", and seconds; the file is as it was afterwards."""
    file = copy / mutant.file
    source = file.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        file.write_text(mutant.code(source), encoding="utf-8")
        status = _in_fork(tests, limit, log)
    finally:
        file.write_text(source, encoding="utf-8")
    seconds = time.monotonic() - began
    if status is None:
        return "timeout", seconds
    return ("survived" if status == _PASSED else "killed"), seconds


def run_whole(tests: list[str], limit: float, log: Path) -> bool:
    """Whether the tests pass on the code as it is."""
    return _in_fork(tests, limit, log) == _PASSED


def _in_fork(tests: list[str], limit: float, log: Path) -> int | None:
    """pytest's exit status, None where it took more than ``limit`` seconds of the processor."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            os.setsid()
            # Of the processor, not of the clock: on a busy machine a mutant is not to blame for what it waits.
            resource.setrlimit(resource.RLIMIT_CPU, (round(limit), round(limit) + 5))
            target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, 1)
            os.dup2(target, 2)
            import pytest

            status = int(pytest.main([*_OPTIONS, "--hypothesis-profile", "mutants", *tests]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    until = time.monotonic() + _WAITING * limit
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if code == -signal.SIGXCPU:
                return None
            if code not in (_PASSED, *_BROKEN) and code >= 0:
                raise RuntimeError(f"pytest ended with {code}: see {log}")
            return code
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
