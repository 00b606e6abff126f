"""Where measured tables stand in the docs: between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``."""

from __future__ import annotations

from pathlib import Path


def put(text: str, name: str, page: Path | None) -> None:
    """Put a table into a page in the place of the one that stood there; nothing where no page is given."""
    if page is None:
        return
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before = page.read_text(encoding="utf-8")
    if before.count(begin) != 1 or before.count(end) != 1:
        raise ValueError(f"{page} needs one line '{begin}' and one '{end}' around the place of the table")
    head, rest = before.split(begin)
    page.write_text(f"{head}{begin}\n{text.strip()}\n{end}{rest.split(end)[1]}", encoding="utf-8")
