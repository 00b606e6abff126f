"""The learned attackers that are shipped."""

from __future__ import annotations

from pathlib import Path

_SHIPPED = {"phantom2d": Path(__file__).parent / "phantom2d_attacker"}


def attacker_folder(name: str | Path) -> Path:
    """The folder of a learned attacker: that of a shipped one by its name, else the path itself.

    A folder in the working directory that bears a shipped one's name is given as ``./phantom2d``.
    """
    return _SHIPPED.get(str(name), Path(name))


def shipped_attacker(network: str) -> str | None:
    """The name of the shipped attacker for a shipped network; None where there is none."""
    return network if network in _SHIPPED else None
