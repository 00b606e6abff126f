"""report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import app
from .running import say


@app.command()
def report(
    bundles: Annotated[list[Path], typer.Argument(help="Folders that attack wrote.")],
    out: Annotated[Path, typer.Option(help="The HTML file; one that stands there is replaced.")] = Path("report.html"),
) -> None:
    """Write one page about one bundle or several, without a patient's name; it needs nothing but itself."""
    from ..evidence import write_report

    write_report(bundles, out)
    if len(bundles) > 1:  # the page calls them by number alone
        for number, bundle in enumerate(bundles, start=1):
            say(f"Case {number} is {bundle}")
    say(f"wrote {out}")
