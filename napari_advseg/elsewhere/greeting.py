"""What a worker says of itself. Nothing heavy is imported before its own thread: the worker's loop must go on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

PROTOCOL = 1  # of the messages and what they mean; workers of another one are refused


async def greet(wanted: tuple[str, ...], dask_worker: Any) -> dict[str, Any]:
    """Versions, device, and which of the ``wanted`` pieces are here; run on a worker beside its tasks."""
    return await asyncio.to_thread(_said, wanted, Path(dask_worker.local_directory), str(dask_worker.name))


def _said(wanted: tuple[str, ...], folder: Path, name: str) -> dict[str, Any]:
    import torch

    from .. import __version__
    from ..networks import pick_device
    from . import on_worker  # noqa: F401  # so that what comes next finds it loaded
    from .store import PieceStore
    from .worker_process import own_device

    device = pick_device(own_device("auto", name))
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "protocol": PROTOCOL,
        "napari-advseg": __version__,
        "torch": str(torch.__version__),
        "device": f"{device} {what}".strip(),
        "gpu": device.type != "cpu",
        "held": PieceStore(folder).held(wanted),
    }
