"""TorchScript and torch.export programs: formats that carry their own code, and can run it at load.

Looking at a zip's table of contents runs none of it; loading does, so it needs the user's word for that very file.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ..volume import file_sha256
from .card import ModelCard
from .consent import ConsentNeededError, remember_trust, trusted

Exported = Literal["torchscript", "export"]
_NAMES = {"torchscript": "TorchScript", "export": "torch.export (.pt2)"}


def exported_kind(path: Path) -> Exported | None:
    """Which of the two formats a file is, by its content; None for neither."""
    if not zipfile.is_zipfile(path):
        return "export" if path.suffix == ".pt2" else None
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    leaves = {name.rsplit("/", 1)[-1] for name in names}
    if "archive_format" in leaves or "serialized_exported_program.json" in leaves or path.suffix == ".pt2":
        return "export"
    if any("/code/" in name or name.startswith("code/") for name in names):
        return "torchscript"
    return None


def load_exported(path: Path, kind: Exported, card: ModelCard, trust: bool, device: torch.device) -> nn.Module:
    """The program as a module on ``device``, once the user trusts the file.

    Raises
    ------
    ConsentNeededError
        Nobody has said that the file is trusted.
    ValueError
        The file is damaged, or no program of this format.
    """
    sha256 = file_sha256([path])
    if trust:
        remember_trust(sha256)
    if not trusted(sha256):
        raise ConsentNeededError(path, sha256, _NAMES[kind])
    try:
        if kind == "torchscript":
            with warnings.catch_warnings():  # torch announces TorchScript's end at every load
                warnings.simplefilter("ignore", DeprecationWarning)
                script: nn.Module = torch.jit.load(str(path), map_location=device)
                return script
        program = torch.export.load(str(path))
        if device.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        module: nn.Module = program.module()
        return module
    except Exception as fault:  # both loaders raise whatever the content trips over
        reason = str(fault).splitlines()[0][:160] if str(fault) else type(fault).__name__
        raise ValueError(f"{path} is no {_NAMES[kind]} file that can be read: {reason}") from fault
