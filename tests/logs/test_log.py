"""The log's file: it rotates, it is the user's alone, and it never fails the program."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import process, shell

from napari_advseg.logs import file as log_file
from napari_advseg.logs import last_lines, log_folder, log_place, start_log, stop_log, without_user

LOG = logging.getLogger("napari_advseg.cohort.queue")
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights elsewhere")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A log of the test's own, in a folder that is not there yet."""
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path / "state" / "log"))
    found = start_log()
    assert found is not None
    yield found
    stop_log()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@POSIX
def test_folder_and_files_are_the_users_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_LARGEST", 100)
    stop_log()
    place.chmod(0o644)  # as an older umask may have left it
    start_log()
    for number in range(4):
        LOG.warning("line %d, long enough that the next does not fit into the same file any more", number)
    assert mode(place.parent) == 0o700
    assert {mode(file) for file in place.parent.iterdir()} == {0o600}


@POSIX
def test_a_folder_that_the_user_named_keeps_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path))
    start_log()
    assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "napari-advseg.log") == 0o600
    stop_log()


@POSIX
def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "precious"
    other.write_text("as it was")
    (tmp_path / "napari-advseg.log").symlink_to(other)
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path))
    assert start_log() is None
    LOG.warning("not there")
    assert other.read_text() == "as it was"


def test_files_rotate(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_LARGEST", 1000)
    stop_log()
    start_log()
    for number in range(100):
        LOG.warning("line %d", number)
    assert {file.name for file in place.parent.iterdir()} == {place.name, *(f"{place.name}.{n}" for n in (1, 2, 3))}
    assert all(file.stat().st_size <= 1000 for file in place.parent.iterdir())
    assert last_lines(1)[0].endswith("line 99")


def test_a_file_that_cannot_be_rotated_is_gone_on_with(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_LARGEST", 1000)
    stop_log()
    start_log()

    def held(*_: object) -> None:
        raise PermissionError("another process has it")

    monkeypatch.setattr(os, "rename", held)
    for number in range(100):
        LOG.warning("line %d", number)
    assert len(place.read_text().splitlines()) == 100


def test_it_is_set_up_once(place: Path) -> None:
    before = list(logging.getLogger("napari_advseg").handlers)
    assert start_log() == place
    assert logging.getLogger("napari_advseg").handlers == before
    assert log_place() == f"in the log, {place}"


def test_importing_the_package_sets_up_nothing(tmp_path: Path) -> None:
    code = (
        "import logging, napari_advseg, napari_advseg.cli, napari_advseg.logs\n"
        "assert not logging.getLogger('napari_advseg').handlers"
    )
    env = os.environ | {"NAPARI_ADVSEG_LOGS": str(tmp_path / "log")}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert not (tmp_path / "log").exists()


def test_where_nothing_can_be_written_the_program_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path / "file" / "log"))
    done = shell("sample", "phantom", "--out", tmp_path / "case")
    assert done.returncode == 0, done.stderr
    assert start_log() is None
    assert log_place() == "on standard error"
    assert last_lines(5) == []


@POSIX
def test_a_read_only_folder_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o555)
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path / "log"))
    try:
        assert start_log() is None
    finally:
        tmp_path.chmod(0o755)


def test_a_disk_that_fills_up_is_no_fault(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_file._handler, "flush", full)
    LOG.warning("too much")
    assert capfd.readouterr().err == ""
    monkeypatch.undo()


def test_the_home_folder_and_the_users_name_are_not_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "erika"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    assert without_user(f"in {home / 'x'} and {home}") == f"in ~{os.sep}x and ~"
    assert without_user(f"{home}2") == f"{home}2"
    assert without_user("/cluster/erika/cache") == "/cluster/(user)/cache"


def test_a_command_that_fails_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_advseg import samples

    def fail(*_: object) -> None:
        raise RuntimeError("a surprise")

    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path / "log"))
    monkeypatch.setattr(samples, "write_sample", fail)
    done = shell("sample", "phantom", "--out", tmp_path / "case")
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: a surprise") == 1
    assert "napari-advseg doctor" in done.stderr
    assert "RuntimeError: a surprise" in (log_folder() / "napari-advseg.log").read_text()
    stop_log()


def test_a_wrong_request_is_not_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path / "log"))
    done = process("verify", tmp_path / "Erika")
    assert done.returncode == 2
    assert last_lines(5) == []
