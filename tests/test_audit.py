"""make audit: what it asks where the service answers, and that it says so where it does not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import urllib.error
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="scripts are not in this copy")


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    specification = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["audit.py", ".venv"])
    return module


def answering(fault: Exception | None) -> Any:
    def urlopen(*_: object, **__: object) -> Any:
        if fault is not None:
            raise fault
        return SimpleNamespace(close=lambda: None)

    return urlopen


@pytest.mark.parametrize("fault", [urllib.error.URLError("no such host"), TimeoutError("timed out")])
def test_a_service_that_is_out_of_reach_is_said_and_no_failure(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Exception
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", answering(fault))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    assert audit.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("NOT AUDITED: https://api.osv.dev cannot be reached from here (")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("fault", [None, urllib.error.HTTPError("", 404, "", None, None)])  # type: ignore[arg-type]
@pytest.mark.parametrize("status", [0, 1])
def test_what_is_installed_is_asked_for_and_a_finding_fails(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: Exception | None, status: int
) -> None:
    listed: list[str] = []

    def run(command: list[str], **_: object) -> Any:
        if "list" in command:
            return SimpleNamespace(stdout="numpy==2.4.6\ntorch==2.13.0+cpu\nnapari-advseg @ file:///x\n", returncode=0)
        listed.extend(Path(command[-1]).read_text().splitlines())
        assert command[1:6] == ["--vulnerability-service", "osv", "--disable-pip", "--no-deps", "-r"]
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr("urllib.request.urlopen", answering(fault))
    monkeypatch.setattr(audit, "audit_program", lambda: Path("pip-audit"))
    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == status
    assert listed == ["numpy==2.4.6", "torch==2.13.0"]
