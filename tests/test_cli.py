"""The shell, run as a user does: another process, exit status, standard output and error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "napari_advseg", *map(str, arguments)]


def shell(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    env.pop("DISPLAY", None)
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=env, timeout=300)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "case"
    assert shell("sample", "phantom", "--out", folder).returncode == 0
    return folder


def attack(case: Path, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return shell(
        "attack", case / "ct.nii.gz", "--network", "phantom2d", "--reference", case / "labels.nii.gz",
        "--label-names", case / "labels.json", "--out", out, *more,
    )  # fmt: skip


def test_attack_verify_and_json(case: Path, tmp_path: Path) -> None:
    done = attack(case, tmp_path / "b", "--drop", 0.2, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record == json.loads((tmp_path / "b" / "result.json").read_text())
    assert abs(record["achieved_drop"] - 0.2) <= 0.01
    assert "Asked for a Dice drop of 0.20: reached" in done.stderr
    checked = shell("verify", tmp_path / "b", "--network", "phantom2d")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("ok  ") == 9
    (tmp_path / "b" / "result.json").write_text(json.dumps(record | {"achieved_drop": 0.5}))
    assert shell("verify", tmp_path / "b").returncode == 1


def test_a_target_that_is_not_reached_ends_with_status_3_and_the_closest(case: Path, tmp_path: Path) -> None:
    done = attack(case, tmp_path / "b", "--drop", 0.6, "--max-hu", 1, "--no-deformation")
    assert done.returncode == 3, done.stderr
    assert "NOT reached, closest" in done.stderr
    assert json.loads((tmp_path / "b" / "result.json").read_text())["reached"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--drop", "0"], "drop"),
        (["--drop", "0.3", "--organs", "brain"], "'brain' is not an organ of the network"),
        (["--drop", "0.3", "--region", "1:2"], "a region is written"),
        (["--drop", "0.3", "--device", "cuda:99"], "does not work here"),
        (["--drop", "0.3", "--attacker", "luck"], "attacker must be"),
        (["--drop", "0.3", "--max-hu", "-1"], "intensity change must be"),
        (["--drop", "x"], "valid number"),
        ([], "--drop"),
    ],
)
def test_a_wrong_request_ends_with_status_2_and_one_line(
    case: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = attack(case, tmp_path / "b", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.strip().startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_wrong_files_end_with_status_2_and_one_line(case: Path, tmp_path: Path) -> None:
    for arguments in (
        ("attack", tmp_path / "no.nii.gz", "--network", "phantom2d", "--drop", 0.3, "--out", tmp_path / "b"),
        ("attack", case / "ct.nii.gz", "--network", "no_such_network", "--drop", 0.3, "--out", tmp_path / "b"),
        ("attack", case / "ct.nii.gz", "--network", "phantom2d", "--drop", 0.3, "--out", case),
        ("verify", tmp_path),
        ("inspect", tmp_path),
        ("sample", "brain", "--out", tmp_path / "s"),
    ):
        done = shell(*arguments)
        assert done.returncode == 2, arguments
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_inspect_prints_the_card() -> None:
    content = json.loads(shell("inspect", "phantom2d", "--json").stdout)
    assert content["name"] == "phantom2d"
    plain = shell("inspect", "phantom2d").stdout
    assert "orientation" in plain
    assert "liver" in plain


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_interrupting_saves_the_best_so_far(case: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(
            "attack", case / "ct.nii.gz", "--network", "phantom2d", "--reference", case / "labels.nii.gz",
            "--label-names", case / "labels.json", "--drop", 0.6, "--out", tmp_path / "b",
        ),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    time.sleep(9)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 3), errors
    record = json.loads((tmp_path / "b" / "result.json").read_text())
    assert record["stopped"] in ("", "cancelled")
