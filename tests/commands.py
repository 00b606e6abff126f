"""The shell's commands in this process, or in one of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def shell(*arguments: object) -> Done:
    """The command line in this process: what it prints and the status that it ends with."""
    from napari_advseg import cli

    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["napari-advseg", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.argv = argv
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def process(*arguments: object) -> Done:
    """The command as a process of its own, without a display."""
    env = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    command = [sys.executable, "-m", "napari_advseg", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)
