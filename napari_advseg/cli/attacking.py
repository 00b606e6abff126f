"""attack, demo, verify and sample."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    FAULT,
    NOT_REACHED,
    REACHED,
    Appearance,
    Checkpointing,
    Deformation,
    Device,
    Half,
    Interpolation,
    Json,
    MaxDisplacement,
    MaxHu,
    Mirroring,
    Organs,
    Thorough,
    Tolerance,
    Trust,
    WhereToChange,
    app,
    names,
)
from .running import attack_and_save, say

if TYPE_CHECKING:
    from ..networks import SegmentationNetwork


@app.command()
def attack(
    ct: Annotated[Path, typer.Argument(help="NIfTI, NRRD, MHA/MHD, a DICOM folder, or one file of a DICOM series.")],
    network: Annotated[str, typer.Option(help="A checkpoint, or the name of a known network (phantom2d, abdomen8).")],
    drop: Annotated[float, typer.Option(help="Dice points of 1 that the network shall lose, mean over the organs.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")],
    reference: Annotated[Path | None, typer.Option(help="Labels; else the network's own clean prediction.")] = None,
    label_names: Annotated[Path | None, typer.Option(help='JSON naming the label ids, such as {"liver": 5}.')] = None,
    organs: Organs = "",
    region: WhereToChange = "auto",
    attacker: Annotated[
        str, typer.Option(help="search, phantom2d (shipped), or a folder that train wrote.")
    ] = "search",
    generated: Annotated[
        str,
        typer.Option(help="The learned attacker's change: alone, strength (set to the drop), or start of a search."),
    ] = "strength",
    max_displacement_mm: MaxDisplacement = None,
    max_hu: MaxHu = 15.0,
    tolerance: Tolerance = 0.01,
    deformation: Deformation = True,
    appearance: Appearance = True,
    interpolation: Interpolation = "bspline",
    thorough: Thorough = False,
    series: Annotated[str | None, typer.Option(help="DICOM series: its number in the list, or its UID.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    mirroring: Mirroring = True,
    checkpointing: Checkpointing = False,
    half: Half = False,
    seed: Annotated[int, typer.Option(help="Makes the random control repeatable.")] = 0,
    as_json: Json = False,
) -> None:
    """Attack a network on a CT and write the bundle."""
    from ..case import AttackRequest, CaseRequest

    case = CaseRequest(
        ct=ct,
        network=network,
        reference=reference,
        label_names=label_names,
        series=int(series) if series is not None and series.isdigit() else series,
        region=region,
        device=device,
        trust=trust,
        mirroring=mirroring,
        checkpointing=checkpointing,
        half=half,
    )
    wanted = AttackRequest.model_validate(
        {
            "drop": drop,
            "tolerance": tolerance,
            "organs": names(organs),
            "max_displacement_mm": max_displacement_mm,
            "max_hu": max_hu,
            "deformation": deformation,
            "appearance": appearance,
            "interpolation": interpolation,
            "thorough": thorough,
            "seed": seed,
            "attacker": attacker,
            "generated": generated,
        }
    )
    finding = attack_and_save(case, wanted, out, as_json)
    if finding.result.broken_off and not finding.result.reached:
        raise typer.Exit(FAULT)
    raise typer.Exit(REACHED if finding.result.reached else NOT_REACHED)


@app.command()
def demo(
    sample: Annotated[str, typer.Option(help="phantom (offline) or abdomen (download).")] = "phantom",
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")] = Path("demo_out"),
    drop: Annotated[float, typer.Option(help="Dice points of 1 to lose.")] = 0.30,
) -> None:
    """Attack the embedded case and show it in napari where there is a display."""
    from ..case import AttackRequest, CaseRequest
    from ..samples import NETWORK_OF, load_sample, shipped_attacker

    case = load_sample(sample)
    request = CaseRequest(ct=case.ct, network=NETWORK_OF[sample], reference=case.label_volume, label_names=case.names)
    finding = attack_and_save(request, AttackRequest(drop=drop), out, as_json=False)
    learned = shipped_attacker(NETWORK_OF[sample])
    if learned and not finding.result.stopped:  # who stops the search wants no other attack
        say("")
        say("Beside the search, the learned attacker:")
        beside = out.parent / f"{out.name}_learned"
        attack_and_save(request, AttackRequest(drop=drop, attacker=learned), beside, as_json=False)
    if _has_display():
        try:
            from ..viewer import show_until_closed

            show_until_closed(finding)
        except ModuleNotFoundError:
            say("napari is not installed: pip install 'napari-advseg[pyqt6]' shows the result in it")
    raise typer.Exit(REACHED if finding.result.reached else NOT_REACHED)


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="phantom or abdomen.")],
    out: Annotated[Path, typer.Option(help="Folder for ct.nii.gz, labels.nii.gz and labels.json.")],
    seed: Annotated[int, typer.Option(help="Of the phantom: every seed is another patient.")] = 0,
) -> None:
    """Write a sample case as files."""
    from ..samples import write_sample

    say(f"wrote {write_sample(name, out, seed)}")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="A folder that attack wrote.")],
    ct: Annotated[Path | None, typer.Option(help="The CT, where it is no longer where the bundle says.")] = None,
    network: Annotated[str | None, typer.Option(help="Predict anew with this network.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    mirroring: Mirroring = True,
    as_json: Json = False,
) -> None:
    """Recompute a bundle's claims from its files."""
    from ..evidence import verify_bundle
    from ..networks import open_network
    from ..volume import read_ct

    opened: SegmentationNetwork | None = None
    if network is not None:
        opened = open_network(network, device=device, trust=trust, mirroring=mirroring)
    checks = verify_bundle(bundle, None if ct is None else read_ct(ct), opened)
    if as_json:
        print(json.dumps([{"name": c.name, "ok": c.ok, "figure": c.figure} for c in checks], indent=2))
    else:
        for check in checks:
            print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.figure}")
    raise typer.Exit(0 if all(check.ok for check in checks) else FAULT)


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
