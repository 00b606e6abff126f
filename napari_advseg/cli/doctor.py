"""doctor: what a report of a fault needs, without a name or a home folder in it."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from ..logs import last_lines, log_folder, without_paths, without_user
from .options import Json, app

EXTRAS = {
    "viewer": ("napari", "magicgui", "qtpy", "superqt", "scikit-image"),
    "cohort": ("distributed", "pyarrow", "bokeh"),
    "tensorboard": ("tensorboard",),
    "video": ("imageio-ffmpeg",),
    "nnunet": ("dynamic-network-architectures",),
    "pyqt6": ("PyQt6",),
    "pyside6": ("PySide6",),
}
_PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "napari", "qtpy")
_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_LOG_LINES = 40  # a traceback or two
_IMPORT_S = 30.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print what a report of a fault needs: versions, devices, folders, consents, the end of the log."""
    content = findings()
    if as_json:
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for title, part in content.items():
        print(title)
        for line in _lines(part):
            print(f"  {line}")


def findings() -> dict[str, Any]:
    """All sections as plain data; one that fails says so, since it is then what the report is about."""
    sections: dict[str, Callable[[], Any]] = {
        "versions": _versions,
        "computer": _computer,
        "devices": _devices,
        "folders": _folders,
        "networks": _networks,
        "consents": _consents,
        "extras": _extras,
        "log": lambda: last_lines(_LOG_LINES),
    }
    return {title: _private(_told(look)) for title, look in sections.items()}


def _told(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except Exception as fault:  # whatever is broken here, the rest is still wanted
        return f"cannot be told: {type(fault).__name__}: {without_paths(str(fault))}"


def _versions() -> dict[str, str]:
    found = {"napari-advseg": __version__, "Python": platform.python_version()}
    found |= {name: _installed(name) or "not installed" for name in _PACKAGES}
    return found | {name: _binding(name, number) for name in _BINDINGS if (number := _installed(name)) is not None}


def _binding(name: str, number: str) -> str:
    """A Qt binding's version, and why it does not work: a process of its own imports it, since a broken one can abort."""
    command = [sys.executable, "-c", f"import {name}.QtWidgets"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_IMPORT_S)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"{number}, not tried ({type(fault).__name__})"
    if done.returncode == 0:
        return number
    said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"{number}, cannot be imported: {without_paths(said)}"


def _computer() -> dict[str, Any]:
    import psutil

    memory = psutil.virtual_memory()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(),
        "cores": f"{os.cpu_count()}, {usable} of them usable",
        "memory": f"{memory.total / 2**30:.1f} GB, {memory.available / 2**30:.1f} GB of it free",
    }


def _devices() -> list[str]:
    from ..networks import working_devices

    return working_devices()


def _folders() -> dict[str, str]:
    folders = {"log": log_folder()}
    try:
        from ..networks import cache_folder, settings_folder

        folders |= {"cache": cache_folder(), "settings": settings_folder()}
    except ImportError:  # torch is broken: the section on devices says so
        pass
    return {name: f"{path} ({_state(path)})" for name, path in folders.items()}


def _state(path: os.PathLike[str]) -> str:
    if not os.path.isdir(path):  # noqa: PTH112  a folder that may not be looked at is none here
        return "not there yet"
    return "writable" if os.access(path, os.W_OK) else "NOT writable"


def _networks() -> dict[str, str]:
    from ..networks import known_networks

    return known_networks()


def _consents() -> dict[str, Any]:
    from ..networks import trusted_files

    known = trusted_files()
    return {"count": len(known), "sha256": [one[:12] for one in known if _SHA256.fullmatch(one)]}


def _extras() -> dict[str, str]:
    found = {}
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if _installed(name) is None]
        found[extra] = f"not installed ({', '.join(missing)})" if missing else "installed"
    return found


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _private(content: Any) -> Any:
    if isinstance(content, str):
        return without_user(content)
    if isinstance(content, dict):
        return {name: _private(part) for name, part in content.items()}
    return [_private(part) for part in content] if isinstance(content, list) else content


def _lines(part: Any) -> list[str]:
    if isinstance(part, dict):
        said = {name: (", ".join(one) or "none") if isinstance(one, list) else one for name, one in part.items()}
        return [f"{name:14} {one}" for name, one in said.items()]
    return (part or ["nothing"]) if isinstance(part, list) else [str(part)]
