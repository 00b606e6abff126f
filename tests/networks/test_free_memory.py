"""What memory can still be had, where a container or a batch system grants less than the computer has."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from napari_advseg.networks import free_memory as module
from napari_advseg.networks.free_memory import free_memory, left_of_grants


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")


V2 = {"memory__max": "1000", "memory__current": "700", "memory__stat": "anon 500\ninactive_file 150"}


@pytest.mark.parametrize(
    ("own", "files", "left"),
    [
        ("0::/job/step", {"job/step": V2, "job": V2 | {"memory__max": "900"}}, [450, 350]),
        ("0::/", {".": V2}, [450]),
        ("0::/told/on/the/host", {".": V2}, [450]),
        ("0::/job", {"job": V2 | {"memory__max": "max"}}, []),
        ("0::/job", {"unified/job": V2}, [450]),
        ("0::/job", {"job": V2 | {"memory__current": "2000"}}, [0]),
        ("0::/../..", {".": V2}, [450]),
        (
            "5:cpu:/x\n4:memory:/slurm/job\n0::/",
            {
                "memory/slurm/job": {
                    "memory__limit_in_bytes": "1000", "memory__usage_in_bytes": "700",
                    "memory__stat": "inactive_file 1\ntotal_inactive_file 50",
                }
            },
            [350],
        ),
    ],
)  # fmt: skip
def test_every_limit_of_the_control_groups_counts(tmp_path: Path, own: str, files: dict, left: list[int]) -> None:
    for folder, content in files.items():
        group(tmp_path / "groups" / folder, **content)
    (tmp_path / "own").write_text(own + "\n")
    assert list(left_of_grants(tmp_path / "groups", tmp_path / "own")) == left


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert not list(left_of_grants(tmp_path, tmp_path / "missing"))


def test_the_least_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(module, "left_of_grants", lambda: iter([10**15]))
    assert 0 < free_memory(cpu) <= psutil.virtual_memory().total
    monkeypatch.setattr(module, "left_of_grants", lambda: iter([10**15, 4096]))
    assert free_memory(cpu) == 4096
