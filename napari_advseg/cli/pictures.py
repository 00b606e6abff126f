"""picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import app
from .running import say


@app.command()
def picture(
    bundle: Annotated[Path, typer.Argument(help="A folder that attack wrote.")],
    out: Annotated[Path, typer.Option(help="The file, .gif, .mp4 or .png; one that stands there is replaced.")],
    play: Annotated[
        bool,
        typer.Option(
            "--play/--blink", help="The change growing and going back, or the CT and the perturbed CT in turn."
        ),
    ] = False,
    ct: Annotated[Path | None, typer.Option(help="The CT, where it is no longer where the bundle says.")] = None,
) -> None:
    """Write a moving picture of a bundle, or as PNG its two ends beside each other; it names no patient.

    A change that plays has the reference's outlines, which move with the anatomy; one that blinks has those of the
    network's segmentations.
    """
    from ..case import result_from_bundle, result_to_look_at
    from ..cohort import find_ct
    from ..evidence import SUFFIXES, blink, read_bundle, save_picture
    from ..evidence import play as played
    from ..volume import read_ct

    if out.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"a picture is saved as {', '.join(SUFFIXES)}; got {out.name!r}: give it one of these suffixes"
        )
    read = read_bundle(bundle)
    image = find_ct(read) if ct is None else read_ct(ct)
    if image is None:
        raise ValueError(f"the CT that was attacked is not where {bundle} says: name it with --ct")
    if play or read.path is not None:
        result = result_from_bundle(read, image)
    else:
        result = result_to_look_at(read, image)
    say(f"wrote {save_picture(played(result) if play else blink(result), out)}")
