"""train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    FAULT,
    Appearance,
    Deformation,
    Device,
    MaxDisplacement,
    MaxHu,
    Mirroring,
    Organs,
    Trust,
    app,
    names,
)
from .running import interruptible, say, show

if TYPE_CHECKING:
    from ..generator import Crew


@app.command()
def train(
    cts: Annotated[list[Path], typer.Argument(help="CTs, one per patient, or a folder of them.")],
    network: Annotated[
        str, typer.Option(help="The checkpoint that is to be attacked, or the name of a known network.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the attacker; a training that stopped there goes on.")],
    references: Annotated[
        Path | None, typer.Option(help="Folder of labels named as the CTs; the network's own predictions by default.")
    ] = None,
    label_names: Annotated[Path | None, typer.Option(help="JSON that names the ids of the labels.")] = None,
    steps: Annotated[
        int, typer.Option(help="Training steps: per process, three slices of a CT each, for 3-D networks a whole CT.")
    ] = 4500,
    start_from: Annotated[
        str | None, typer.Option(help="A learned attacker of like classes to set out from: fewer steps will do.")
    ] = None,
    organs: Organs = "",
    max_displacement_mm: MaxDisplacement = None,
    max_hu: MaxHu = 15.0,
    least_drop: Annotated[float, typer.Option(help="Least drop to learn, Dice points of 1.")] = 0.02,
    greatest_drop: Annotated[float, typer.Option(help="Greatest drop to learn.")] = 0.8,
    deformation: Deformation = True,
    appearance: Appearance = True,
    critic: Annotated[bool, typer.Option(help="Keep the results like real CTs by adversarial learning.")] = True,
    validation: Annotated[float, typer.Option(help="Share of the patients kept out of training.")] = 0.2,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(help="Processes that train together; one per GPU with --device cuda.")] = 1,
    precision: Annotated[
        str, typer.Option(help="32-true or bf16-mixed: of all networks, while it learns.")
    ] = "32-true",
    trust: Trust = False,
    mirroring: Mirroring = True,
    seed: Annotated[int, typer.Option(help="The same seed learns the same attacker.")] = 0,
) -> None:
    """Train a learned attacker for a network; its own clean predictions are the reference where none is given."""
    from ..case import AttackRequest, CaseRequest, TrainingRequest, cts_in, finish, reference_of, train_attacker
    from ..generator import TrainingSettings

    files = cts_in(cts)
    request = TrainingRequest(
        cases=tuple(
            CaseRequest(
                ct=ct, network=network, device=device, trust=trust, mirroring=mirroring, label_names=label_names,
                reference=None if references is None else reference_of(ct, references),
            )
            for ct in files
        ),
        network=network,
        out=out,
        settings=TrainingSettings(steps=steps, seed=seed, **({} if critic else {"realism": 0.0})),
        attack=AttackRequest(
            organs=names(organs), max_displacement_mm=max_displacement_mm, max_hu=max_hu,
            deformation=deformation, appearance=appearance,
        ),
        start_from=start_from,
        validation=validation,
        drops=(least_drop, greatest_drop),
    )  # fmt: skip
    crew = _crew(device, devices, precision)
    if crew is not None and crew.rank > 0:  # the first process speaks for all
        with interruptible("") as cancel:
            finish(train_attacker(request, cancel, crew))
        return
    say(f"{len(files)} CTs")
    with interruptible("stopping; the training so far will be saved (Ctrl-C again to drop it)") as cancel:
        trained = show(train_attacker(request, cancel, crew))
    done = trained.attacker.card.steps
    if trained.stopped:
        say(f"stopped after step {done} of {steps}; the same command goes on from there; attacker in {out}")
        raise typer.Exit(FAULT)
    for drop, missed in trained.misses.items():
        say(
            f"  asked {drop:.2f}: missed by {sum(map(abs, missed)) / len(missed):.3f} on {len(missed)} patients kept out"
        )
    say(f"trained for {done} steps; attacker in {out}")


def _crew(device: str, devices: int, precision: str) -> Crew | None:
    """The processes that train together; None for this one alone at full precision."""
    from ..generator import PRECISIONS, Crew
    from ..networks import pick_device

    known = next((one for one in PRECISIONS if one == precision), None)
    if known is None:
        raise ValueError(f"the precision is one of {', '.join(PRECISIONS)}, not '{precision}'")
    if devices == 1 and known == PRECISIONS[0]:
        return None
    picked = pick_device(device)
    return Crew.launch(picked.type, devices, known) if devices > 1 else Crew.alone(picked, known)
