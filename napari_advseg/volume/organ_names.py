"""One organ under many names: "left kidney", "kidney_left" and "Kidney (L)" are the same."""

from __future__ import annotations

import re
import unicodedata

_ALIASES = {
    "oesophagus": "esophagus",
    "oesophageal": "esophagus",
    "l": "left",
    "r": "right",
    "lt": "left",
    "rt": "right",
    "bile": "gallbladder",
    "gall": "gallbladder",
    "kidneys": "kidney",
    "adrenals": "adrenal",
}
_FILLERS = {"gland", "organ", "bladder"}  # "gall bladder" and "adrenal gland" lose their second word


def organ_key(name: str) -> frozenset[str]:
    """What two names of one organ have in common, whatever their order, case, separators and spelling."""
    words = re.findall(
        r"[^\W\d_]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name)).lower()
    )
    key = {_ALIASES.get(word, word) for word in words}
    return frozenset(key - _FILLERS) or frozenset(key)


def match_labels(given: dict[int, str], wanted: dict[int, str]) -> dict[int, int]:
    """Ids of ``given`` that name an organ of ``wanted``: {given id: wanted id}, background (0) left out."""
    by_key = {organ_key(name): index for index, name in wanted.items() if index != 0}
    return {index: by_key[organ_key(name)] for index, name in given.items() if index != 0 and organ_key(name) in by_key}
