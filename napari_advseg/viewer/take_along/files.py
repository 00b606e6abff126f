"""What can be taken along, and what its file is called: nothing of the patient is in the name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """One entry of the menu.

    Parameters
    ----------
    content
        The images in turn, the change growing, or a page about the case.
    suffix
        Of the file.
    """

    title: str
    content: Literal["blink", "play", "report"]
    suffix: Literal[".png", ".gif", ".mp4", ".html"]
    tip: str

    @property
    def filters(self) -> str:
        return f"{self.suffix[1:].upper()} (*{self.suffix})"

    def file_name(self, network: str, drop: float) -> str:
        """For instance "attack-phantom2d-drop-0.30-blink.gif"."""
        plain = re.sub(r"[^A-Za-z0-9_.]+", "-", network).strip("-.") or "network"
        about = "" if self.suffix == ".png" else f"-{self.content}"
        return f"attack-{plain}-drop-{drop:.2f}{about}{self.suffix}"


KINDS = (
    Kind("Picture, before and after (PNG)…", "blink", ".png", "The slice that lost most, clean and perturbed"),
    Kind("Blink (GIF)…", "blink", ".gif", "Clean and perturbed in turn"),
    Kind("Blink (MP4)…", "blink", ".mp4", "Clean and perturbed in turn, for slides"),
    Kind("Play (GIF)…", "play", ".gif", "The change growing from nothing to what was found, and back"),
    Kind("Play (MP4)…", "play", ".mp4", "The change growing from nothing to what was found, and back, for slides"),
    Kind("Report of the case (HTML)…", "report", ".html", "One page with figures and numbers that loads nothing"),
)
