"""The whole corpus: every kind of input, in the order of the page that shows it."""

from __future__ import annotations

from .bundles import BUNDLES, forget
from .cards import CARDS
from .checkpoints import CHECKPOINTS
from .dicom import DICOM
from .images import IMAGES
from .labels import LABELS
from .lists import LISTS
from .options import OPTIONS
from .registry import Entry, Shelf

SHELVES: tuple[Shelf, ...] = (IMAGES, DICOM, LABELS, CHECKPOINTS, CARDS, LISTS, BUNDLES, OPTIONS)
ENTRIES: tuple[Entry, ...] = tuple(entry for shelf in SHELVES for entry in shelf.entries)

__all__ = ["ENTRIES", "SHELVES", "forget"]
