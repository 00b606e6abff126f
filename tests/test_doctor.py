"""napari-advseg doctor: what a report needs, and nothing about the user."""

from __future__ import annotations

import getpass
import json
import tomllib
from pathlib import Path

import pytest
from commands import process, shell

from napari_advseg import __version__
from napari_advseg.cli import doctor
from napari_advseg.logs import start_log, stop_log
from napari_advseg.networks import cache_folder, remember_trust

SECTIONS = ["versions", "computer", "devices", "folders", "networks", "consents", "extras", "log"]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "erika"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(home / "logs"))
    monkeypatch.setenv("NAPARI_ADVSEG_CACHE", str(home / "cache"))
    stop_log()


def test_as_a_user_runs_it() -> None:
    done = process("doctor")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == SECTIONS
    assert f"  napari-advseg  {__version__}" in done.stdout
    assert "~/cache (not there yet)" in done.stdout.replace("\\", "/")
    assert "erika" not in done.stdout
    assert f"/{getpass.getuser()}/" not in done.stdout


def test_json_holds_the_same_sections() -> None:
    start_log()
    import logging

    logging.getLogger("napari_advseg").warning("something odd")
    remember_trust("ab12" * 16)
    remember_trust("Erika's network, written in by hand")
    content = json.loads(shell("doctor", "--json").stdout)
    assert list(content) == SECTIONS
    assert content["versions"]["torch"][0].isdigit()
    assert content["devices"][-1] == "cpu"
    assert set(content["networks"]) == {"phantom2d", "abdomen8"}
    assert content["consents"] == {"count": 2, "sha256": ["ab12ab12ab12"]}
    assert content["log"][-1].endswith("something odd")
    assert content["folders"]["log"].endswith("(writable)")
    stop_log()


def test_what_is_broken_does_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise OSError("libcudart.so in /home/erika cannot be opened")

    monkeypatch.setattr(doctor, "_devices", fail)
    done = shell("doctor")
    assert done.returncode == 0
    assert "cannot be told: OSError: <text with a path>" in done.stdout
    assert "memory" in done.stdout


@pytest.mark.parametrize("binding", ["PyQt6", "no_such_binding"])
def test_a_qt_binding_is_tried_without_starting_it(binding: str) -> None:
    if binding == "PyQt6":
        pytest.importorskip("PyQt6")
        assert doctor._binding(binding, "6") == "6"
    else:
        assert doctor._binding(binding, "6") == (
            "6, cannot be imported: ModuleNotFoundError: No module named 'no_such_binding'"
        )


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(doctor.EXTRAS) == set(project["optional-dependencies"])


def test_it_makes_no_folder_but_the_logs() -> None:
    shell("doctor")
    assert not cache_folder().exists()
    stop_log()
