"""inspect and distrust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Device, Json, Mirroring, Trust, app
from .running import say


@app.command()
def inspect(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint, or the name of a known network.")],
    device: Device = "cpu",
    trust: Trust = False,
    mirroring: Mirroring = True,
    as_json: Json = False,
) -> None:
    """Print a network's model card, the memory of one pass, and what is missing."""
    from ..networks import describe, memory_of_one_pass, open_network

    network = open_network(checkpoint, device=device, trust=trust, mirroring=mirroring)
    content = describe(network) | {"memory_mb": memory_of_one_pass(network)}
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        print(f"{key:18} {_plain(value)}")


@app.command()
def distrust(
    checkpoint: Annotated[Path, typer.Argument(help="A TorchScript or .pt2 file that was trusted before.")],
) -> None:
    """Withdraw the consent that --trust gave to a file."""
    from ..networks import trusted, withdraw_trust
    from ..volume import file_sha256

    sha256 = file_sha256([checkpoint])
    known = trusted(sha256)
    withdraw_trust(sha256)
    say(f"{checkpoint} is no longer trusted" if known else f"{checkpoint} was not trusted")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
