"""The main jobs reach for no other computer, unless a download is asked for by its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from privacy.planted import PLANTED, found_in

ALONE = Path(__file__).with_name("alone.py")


def attempts(jobs: str, folder: Path, **environment: str) -> tuple[list[str], list[str]]:
    """What a process that does these jobs tried, and what was noticed of two attempts that it made on purpose."""
    done = subprocess.run(
        [sys.executable, str(ALONE), jobs, str(folder)],
        capture_output=True, text=True, timeout=300, env=os.environ | environment | {"PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, on_purpose = json.loads(done.stdout.splitlines()[-1])
    return before, on_purpose


def test_checkpoints_and_commands_reach_for_nothing(tmp_path: Path) -> None:
    before, on_purpose = attempts("checkpoints,shell", tmp_path)
    assert before == []
    assert {one.split()[0] for one in on_purpose} >= {"urllib.Request", "socket.getaddrinfo"}


@pytest.mark.skipif(find_spec("napari") is None, reason="without napari there is no dock")
def test_the_dock_reaches_for_nothing_and_its_settings_keep_the_folders_alone(tmp_path: Path) -> None:
    settings = tmp_path / "napari"
    settings.mkdir()
    before, on_purpose = attempts(
        "dock", tmp_path, NAPARI_CONFIG=str(settings / "settings.yaml"), QT_QPA_PLATFORM="offscreen"
    )
    assert before == []
    assert on_purpose
    kept = {file: found_in(file) for file in settings.rglob("*") if file.is_file()}
    assert set().union(*kept.values()) <= {"user", "folder"}  # where the user picked a file last, for the next time
    for file, found in kept.items():
        lines = [line for line in file.read_text().splitlines() if PLANTED["folder"] in line]
        assert (found != set()) == bool(lines)
        assert all(line.strip().startswith(("cts: ", "networks: ", "lists: ", "written: ")) for line in lines)
    assert found_in(tmp_path / "logs") == found_in(tmp_path / "settings") == found_in(tmp_path / "cache") == set()
