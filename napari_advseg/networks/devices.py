"""Devices that work, not only those that are reported."""

from __future__ import annotations

from functools import cache

import torch


@cache
def working_devices() -> list[str]:
    """Names of the devices on which a small convolution runs, best first: cuda:N, mps, cpu."""
    candidates = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        candidates.append("mps")
    return [name for name in candidates if _works(name)] + ["cpu"]


def pick_device(wanted: str = "auto") -> torch.device:
    """The device named, or the best one for "auto"; one line of error where it does not work here."""
    devices = working_devices()
    if wanted == "auto":
        return torch.device(devices[0])
    name = "cuda:0" if wanted == "cuda" else wanted
    if name not in devices:
        raise ValueError(f"the device {wanted!r} does not work here; these do: {', '.join(devices)}")
    return torch.device(name)


def _works(name: str) -> bool:
    try:  # a driver can be there and yet unusable: only running something tells
        image = torch.ones(1, 1, 8, 8, device=name)
        return bool(torch.nn.functional.conv2d(image, torch.ones(1, 1, 3, 3, device=name)).isfinite().all().item())
    except (RuntimeError, AssertionError):
        return False
