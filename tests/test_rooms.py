"""The rooms: imports run one way, and the core never meets Qt."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import napari_advseg

PACKAGE = Path(napari_advseg.__file__).parent
ROOMS = [
    "logs",
    "volume",
    "synthesis",
    "networks",
    "samples",
    "attacks",
    "generator",
    "evidence",
    "case",
    "elsewhere",
    "cohort",
    "viewer",
    "cli",
]


def _room(path: Path) -> str | None:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return first if first in ROOMS else None


def _imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, at its top or within a function."""
    depth = len(path.relative_to(PACKAGE).parts)
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ["napari_advseg", *path.relative_to(PACKAGE).parts[: depth - node.level]]
            parts = base + (node.module.split(".") if node.module else [])
            names = [parts] if node.module else [[*parts, alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module.split(".")]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        rooms |= {parts[1] for parts in names if len(parts) > 1 and parts[0] == "napari_advseg" and parts[1] in ROOMS}
    return rooms


def test_every_room_is_known() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(ROOMS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_that_stand_before_it(path: Path) -> None:
    room = _room(path)
    if room is None:
        return
    later = {other for other in _imported_rooms(path) if ROOMS.index(other) > ROOMS.index(room)}
    assert not later, f"{room} imports {later}"


def test_the_core_loads_neither_napari_nor_qt() -> None:
    rooms = [
        room for room in ROOMS if room != "viewer" and ((PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").exists())
    ]
    code = (
        "import importlib, sys\n"
        f"for room in {rooms!r}: importlib.import_module('napari_advseg.' + room)\n"
        "bad = {'napari', 'qtpy', 'magicgui', 'superqt', 'PyQt6', 'PySide6'} & {name.split('.')[0] for name in sys.modules}\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, napari_advseg; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_can_be_had() -> None:
    for name in napari_advseg.__all__:
        assert callable(getattr(napari_advseg, name)), name
    with pytest.raises(AttributeError, match="no attribute"):
        _ = napari_advseg.nothing
