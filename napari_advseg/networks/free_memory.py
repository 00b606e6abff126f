"""How much memory can still be had: of a GPU, or of the computer within what a container or a batch system grants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # of Linux
_SHARE, _SHARE_OF_A_GPU = 0.25, 0.5  # of what is free: a GPU is seldom shared
# (limit, usage, what of the usage the kernel gives back at once) by version; within memory.stat the third.
_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def fits(more: float, device: torch.device, held: float = 0.0) -> bool:
    """Whether ``more`` bytes may be kept to be quicker, beside ``held`` ones: together a part of what else is free. What runs
    beside then finds less free, and keeps less in its turn."""
    share = _SHARE_OF_A_GPU if device.type == "cuda" else _SHARE
    return held + more <= share * (free_memory(device) + held)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be had on a device; elsewhere than on a GPU by CUDA or HIP, of the computer."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return min([int(psutil.virtual_memory().available), *left_of_grants()])


def left_of_grants(groups: Path = _GROUPS, own: Path = _OWN) -> Iterator[int]:
    """Bytes left of every limit that a control group sets this process; none where there is no limit, or no Linux."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            version, bases = 2, [groups, groups / "unified"]
        elif "memory" in controllers.split(","):
            version, bases = 1, [groups / "memory"]
        else:
            continue
        for base in bases:
            here = base / path.strip("/")
            # A container sees its own group as the root, though it may be told another path.
            for folder in dict.fromkeys((base, here, *here.parents)):
                if folder.is_relative_to(base) and (left := _left(folder, *_FILES[version])) is not None:
                    yield left


def _left(folder: Path, limit: str, usage: str, given_back: str) -> int | None:
    try:
        most = int((folder / limit).read_text())  # 'max' where there is none
        used = int((folder / usage).read_text())
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, most - used + int(rows.get(given_back, 0)))
