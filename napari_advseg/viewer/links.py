"""Links in texts, readable on napari's dark ground as on its light one."""

from __future__ import annotations

COLOUR = "#3d82d6"  # Qt's own dark blue disappears on the dark ground; this is as far from the one as from the other


def link(address: str, text: str) -> str:
    """HTML for a QLabel; both are escaped already."""
    return f'<a href="{address}" style="color: {COLOUR}">{text}</a>'
