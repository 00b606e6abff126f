"""docs/hostile-input.md from the corpus: ``python tests/hostile/table.py`` writes it anew."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # the tests' folder, where pytest looks too

from hostile.corpus import ENTRIES, SHELVES
from hostile.registry import Entry

PAGE = Path(__file__).parents[2] / "docs" / "hostile-input.md"
_INTRODUCTION = """# Bad and strange input

What happens to input that is damaged, malicious or only unusual. Each row is made by a script and opened in the test
suite (`tests/hostile/`), which holds the outcome and the line; this page is written from the same table by
`python tests/hostile/table.py`.

* **accepted**: it is opened, and what comes of it is right.
* **warned**: it is opened, and the line is shown beside the result.
* **refused**: nothing is opened, and one line says what was got. In the shell that is `error: ...` and exit status 2.

Nothing that is refused has run code of its own, written a file, or taken more than a little memory and a few seconds.
The lines are given without the path of the file, which most of them begin with.
"""


def page() -> str:
    """The page as it should be."""
    parts = [_INTRODUCTION, f"{len(ENTRIES)} inputs of {len(SHELVES)} kinds.\n"]
    for shelf in SHELVES:
        rows = ["| input | outcome | line |", "|---|---|---|", *map(_row, shelf.entries)]
        title = shelf.kind[0].upper() + shelf.kind[1:]
        parts.append(f"## {title}\n\nOpened by {shelf.how}.\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(entry: Entry) -> str:
    line = f"`… {entry.line} …`".replace("|", "\\|") if entry.line else ""
    return f"| {entry.what.replace('|', chr(92) + '|')} | {entry.outcome} | {line} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {len(ENTRIES)} rows to {PAGE}")
