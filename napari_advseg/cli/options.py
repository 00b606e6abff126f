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
    bool, typer.Option("--half", help="Half precision: less memory, faster on a GPU, no longer the same scores.")
]


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
