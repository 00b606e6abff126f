"""Networks that are known by name: shipped with the package, or published and downloaded on first use."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from torch import nn

from .abdomen8 import CARD as ABDOMEN8_CARD
from .abdomen8 import AllConvUNet
from .card import ModelCard

_SAMPLES = Path(__file__).parents[1] / "samples"


@dataclass(frozen=True)
class Published:
    """A network to be downloaded: its card, the file's name in the cache, where it is, and how to build the module."""

    card: ModelCard
    file: str
    url: str
    build: Callable[[], nn.Module]
    about: str


PUBLISHED = {
    "abdomen8": Published(
        ABDOMEN8_CARD,
        "allconvunet_tcia_fold2.pth",
        "https://raw.githubusercontent.com/mattiaspaul/OBELISK/c292467e0d05b6f62830d550144c025bf424a21b/models/allconvunet_tcia_fold2.pth",
        AllConvUNet,
        "3-D, eight abdominal organs, published by Heinrich et al. 2019 (3.4 MB download)",
    ),
}
SHIPPED = {"phantom2d": (_SAMPLES / "phantom2d.safetensors", "2-D, eight organs of the offline phantom (shipped)")}


def known_networks() -> dict[str, str]:
    """Names that stand for a network, with one line about each."""
    return {name: about for name, (_, about) in SHIPPED.items()} | {
        name: entry.about for name, entry in PUBLISHED.items()
    }


def cache_folder() -> Path:
    """Where downloads are kept; the environment variable NAPARI_ADVSEG_CACHE moves it."""
    return Path(os.environ.get("NAPARI_ADVSEG_CACHE") or platformdirs.user_cache_dir("napari-advseg", appauthor=False))


def fetch(file: str, url: str, sha256: str) -> Path:
    """A file from the cache, downloaded where it is missing; used without a network where its hash is right.

    Raises
    ------
    OSError
        The download failed or the bytes are not the pinned ones.
    """
    import pooch

    try:
        return Path(pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=file, path=cache_folder()))
    except (OSError, ValueError) as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0][:200]
        raise OSError(
            f"{file} could not be downloaded from {url} ({reason}); on a computer without network, put the file into "
            f"{cache_folder()} (NAPARI_ADVSEG_CACHE moves that folder)"
        ) from fault
