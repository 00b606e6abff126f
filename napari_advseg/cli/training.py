"""train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import FAULT, Device, Mirroring, Trust, app, names
from .running import interruptible, say, show

_IMAGES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


@app.command()
def train(
    cts: Annotated[list[Path], typer.Argument(help="CTs, one per patient, or a folder of them.")],
    network: Annotated[
        str, typer.Option(help="The checkpoint that is to be attacked, or the name of a known network.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the attacker; a training that stopped there goes on.")],
    steps: Annotated[int, typer.Option(help="Training steps, one CT each.")] = 1500,
    organs: Annotated[str, typer.Option(help="Names, separated by commas; all that can be scored by default.")] = "",
    max_displacement_mm: Annotated[float | None, typer.Option(help="Default 5 for 3-D networks, 3 for 2-D.")] = None,
    max_hu: Annotated[float, typer.Option(help="Greatest intensity change, HU.")] = 15.0,
    least_drop: Annotated[float, typer.Option(help="Least drop to learn, Dice points of 1.")] = 0.02,
    greatest_drop: Annotated[float, typer.Option(help="Greatest drop to learn.")] = 0.6,
    deformation: Annotated[bool, typer.Option(help="Move the anatomy.")] = True,
    appearance: Annotated[bool, typer.Option(help="Change intensities.")] = True,
    critic: Annotated[bool, typer.Option(help="Keep the results like real CTs by adversarial learning.")] = True,
    validation: Annotated[float, typer.Option(help="Share of the patients kept out of training.")] = 0.2,
    device: Device = "auto",
    trust: Trust = False,
    mirroring: Mirroring = True,
    seed: Annotated[int, typer.Option(help="The same seed learns the same attacker.")] = 0,
) -> None:
    """Train a learned attacker for a network; the network's own clean predictions are the reference."""
    from ..case import AttackRequest, CaseRequest, TrainingRequest, train_attacker
    from ..generator import TrainingSettings

    files = _cts_in(cts)
    say(f"{len(files)} CTs")
    request = TrainingRequest(
        cases=tuple(
            CaseRequest(ct=ct, network=network, device=device, trust=trust, mirroring=mirroring) for ct in files
        ),
        network=network,
        out=out,
        settings=TrainingSettings(steps=steps, seed=seed, **({} if critic else {"realism": 0.0})),
        attack=AttackRequest(
            organs=names(organs), max_displacement_mm=max_displacement_mm, max_hu=max_hu,
            deformation=deformation, appearance=appearance,
        ),
        validation=validation,
        drops=(least_drop, greatest_drop),
    )  # fmt: skip
    with interruptible("stopping; the training so far will be saved (Ctrl-C again to drop it)") as cancel:
        trained = show(train_attacker(request, cancel))
    done = trained.attacker.card.steps
    if trained.stopped:
        say(f"stopped after step {done} of {steps}; the same command goes on from there; attacker in {out}")
        raise typer.Exit(FAULT)
    for drop, missed in trained.misses.items():
        say(
            f"  asked {drop:.2f}: missed by {sum(map(abs, missed)) / len(missed):.3f} on {len(missed)} patients kept out"
        )
    say(f"trained for {done} steps; attacker in {out}")


def _cts_in(paths: list[Path]) -> list[Path]:
    """The CTs that are named, and those in the folders that are named; a DICOM folder is one CT."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.name.endswith(_IMAGES)) if path.is_dir() else []
        found += inside or [path]
    return found
