"""One colour per organ, the same in the figure and in the viewer."""

from __future__ import annotations

# Distinct on grey CT in both light and dark surroundings; checked by eye, ordered so that neighbours differ.
_COLOURS = (
    "#e6550d",
    "#31a354",
    "#3182bd",
    "#d6b400",
    "#dd1c77",
    "#17becf",
    "#9467bd",
    "#bc8b5c",
    "#74c476",
    "#fb6a8a",
    "#6baed6",
    "#c7c700",
)


def organ_colour(index: int) -> str:
    """Hex colour of the class id ``index`` (1 and up); repeats after twelve."""
    return _COLOURS[(index - 1) % len(_COLOURS)]
