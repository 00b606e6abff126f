"""The program, its exit statuses, and the options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

REACHED, FAULT, WRONG_REQUEST, NOT_REACHED = 0, 1, 2, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Shows, on a patient's own CT, how easily a segmentation network breaks. Research use only.",
)

Json = Annotated[bool, typer.Option("--json", help="Data on standard output, and nothing else there.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Consent to a checkpoint that can run code when loaded; remembered by SHA-256.")
]

Mirroring = Annotated[
    bool, typer.Option(help="Show an nnU-Net the mirrored CT too, as its own predictor does by default.")
]
Checkpointing = Annotated[
    bool, typer.Option("--checkpointing", help="Keep less in memory for the way back, and compute it again: slower.")
]
Half = Annotated[
    bool,
    typer.Option("--half", help="Gradients in half precision: less memory. What is measured is measured in full."),
]
# What may change, and how much: every command that attacks asks it alike.
Organs = Annotated[str, typer.Option(help="Names, separated by commas; all that can be scored by default.")]
WhereToChange = Annotated[str, typer.Option(help="auto, or z0:z1,y0:y1,x0:x1 in voxels.")]
MaxDisplacement = Annotated[float | None, typer.Option(help="Default 5 for 3-D networks, 3 for 2-D.")]
MaxHu = Annotated[float, typer.Option(help="Greatest intensity change, HU.")]
Tolerance = Annotated[float, typer.Option(help="How near the drop must come to count as reached.")]
Deformation = Annotated[bool, typer.Option(help="Move the anatomy.")]
Appearance = Annotated[bool, typer.Option(help="Change intensities.")]
Interpolation = Annotated[str, typer.Option(help="bspline or linear.")]
Thorough = Annotated[
    bool,
    typer.Option("--thorough", help="Search on for a smaller change, with up to five times the passes of the network."),
]


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
