"""The same pipeline from the shell. Exit status: 0 reached, 3 not reached, 2 the request is wrong, 1 a fault."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from .attacks import CancelToken, Progress
    from .case import AttackRequest, CaseRequest, Finding
    from .networks import SegmentationNetwork

T = TypeVar("T")
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


@app.command()
def attack(
    ct: Annotated[Path, typer.Argument(help="NIfTI, NRRD, MHA/MHD, a DICOM folder, or one file of a DICOM series.")],
    network: Annotated[str, typer.Option(help="A checkpoint, or the name of a known network (phantom2d, abdomen8).")],
    drop: Annotated[float, typer.Option(help="Dice points of 1 that the network shall lose, mean over the organs.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")],
    reference: Annotated[Path | None, typer.Option(help="Labels; else the network's own clean prediction.")] = None,
    label_names: Annotated[Path | None, typer.Option(help='JSON naming the label ids, such as {"liver": 5}.')] = None,
    organs: Annotated[str, typer.Option(help="Names, separated by commas; all that can be scored by default.")] = "",
    region: Annotated[str, typer.Option(help="auto, or z0:z1,y0:y1,x0:x1 in voxels.")] = "auto",
    attacker: Annotated[str, typer.Option(help="search, or a folder that train wrote.")] = "search",
    generated: Annotated[
        str,
        typer.Option(help="The learned attacker's change: alone, strength (set to the drop), or start of a search."),
    ] = "strength",
    max_displacement_mm: Annotated[float | None, typer.Option(help="Default 5 for 3-D networks, 3 for 2-D.")] = None,
    max_hu: Annotated[float, typer.Option(help="Greatest intensity change, HU.")] = 15.0,
    tolerance: Annotated[float, typer.Option(help="How near the drop must come to count as reached.")] = 0.01,
    deformation: Annotated[bool, typer.Option(help="Move the anatomy.")] = True,
    appearance: Annotated[bool, typer.Option(help="Change intensities.")] = True,
    interpolation: Annotated[str, typer.Option(help="bspline or linear.")] = "bspline",
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
    from .case import CaseRequest

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
    wanted = _attack_request(
        drop,
        tolerance,
        organs,
        max_displacement_mm,
        max_hu,
        deformation,
        appearance,
        interpolation,
        seed,
        attacker,
        generated,
    )
    finding = _attack_and_save(case, wanted, out, as_json)
    raise typer.Exit(REACHED if finding.result.reached else NOT_REACHED)


@app.command()
def demo(
    sample: Annotated[str, typer.Option(help="phantom (offline) or abdomen (download).")] = "phantom",
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")] = Path("demo_out"),
    drop: Annotated[float, typer.Option(help="Dice points of 1 to lose.")] = 0.30,
) -> None:
    """Attack the embedded case and show it in napari where there is a display."""
    from .case import AttackRequest, CaseRequest
    from .samples import NETWORK_OF, load_sample

    case = load_sample(sample)
    request = CaseRequest(ct=case.ct, network=NETWORK_OF[sample], reference=case.label_volume, label_names=case.names)
    finding = _attack_and_save(request, AttackRequest(drop=drop), out, as_json=False)
    if _has_display():
        try:
            from .viewer import show_until_closed

            show_until_closed(finding)
        except ModuleNotFoundError:
            _say("napari is not installed: pip install 'napari-advseg[pyqt6]' shows the result in it")
    raise typer.Exit(REACHED if finding.result.reached else NOT_REACHED)


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="phantom or abdomen.")],
    out: Annotated[Path, typer.Option(help="Folder for ct.nii.gz, labels.nii.gz and labels.json.")],
    seed: Annotated[int, typer.Option(help="Of the phantom: every seed is another patient.")] = 0,
) -> None:
    """Write a sample case as files."""
    from .samples import write_sample

    _say(f"wrote {write_sample(name, out, seed)}")


@app.command()
def inspect(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint, or the name of a known network.")],
    device: Device = "cpu",
    trust: Trust = False,
    mirroring: Mirroring = True,
    as_json: Json = False,
) -> None:
    """Print a network's model card, the memory of one pass, and what is missing."""
    from .networks import describe, memory_of_one_pass, open_network

    network = open_network(checkpoint, device=device, trust=trust, mirroring=mirroring)
    content = describe(network) | {"memory_mb": memory_of_one_pass(network)}
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        print(f"{key:18} {_plain(value)}")


@app.command()
def distrust(
    checkpoint: Annotated[Path, typer.Argument(help="A TorchScript or .pt2 file that was trusted before.")],
) -> None:
    """Withdraw the consent that --trust gave to a file."""
    from .networks import trusted, withdraw_trust
    from .volume import file_sha256

    sha256 = file_sha256([checkpoint])
    known = trusted(sha256)
    withdraw_trust(sha256)
    _say(f"{checkpoint} is no longer trusted" if known else f"{checkpoint} was not trusted")


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
    from .evidence import verify_bundle
    from .networks import open_network
    from .volume import read_ct

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


def main() -> NoReturn:
    """Run the command line; every wrong request ends in one line and status 2."""
    try:
        status = app(standalone_mode=False)  # typer hands back the status of its Exit here
    except typer.Abort:
        sys.exit(FAULT)
    except KeyboardInterrupt:
        _say("stopped")
        sys.exit(FAULT)
    except Exception as fault:
        sys.exit(_report(fault))
    sys.exit(status or 0)


def _report(fault: Exception) -> int:
    import click
    from pydantic import ValidationError

    from .attacks import Cancelled
    from .networks import OutOfMemory

    if isinstance(fault, Cancelled):
        _say("stopped before anything was measured; nothing was written")
        return FAULT
    if hasattr(fault, "format_message") and hasattr(fault, "exit_code"):  # typer's own usage errors
        _say(f"error: {fault.format_message()}")
        return WRONG_REQUEST
    if isinstance(fault, ValidationError):
        _say("error: " + "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()))
        return WRONG_REQUEST
    if isinstance(fault, ValueError | FileNotFoundError | FileExistsError | ImportError | click.ClickException):
        _say(f"error: {fault}")
        return WRONG_REQUEST
    if isinstance(fault, OSError | OutOfMemory):
        _say(f"fault: {fault}")
        return FAULT
    traceback.print_exception(fault)
    return FAULT


def _attack_request(
    drop: float,
    tolerance: float,
    organs: str,
    max_displacement_mm: float | None,
    max_hu: float,
    deformation: bool,
    appearance: bool,
    interpolation: str,
    seed: int,
    attacker: str,
    generated: str,
) -> AttackRequest:
    from .case import AttackRequest

    return AttackRequest.model_validate(
        {
            "drop": drop,
            "tolerance": tolerance,
            "organs": tuple(name.strip() for name in organs.split(",") if name.strip()),
            "max_displacement_mm": max_displacement_mm,
            "max_hu": max_hu,
            "deformation": deformation,
            "appearance": appearance,
            "interpolation": interpolation,
            "seed": seed,
            "attacker": attacker,
            "generated": generated,
        }
    )


def _attack_and_save(case: CaseRequest, request: AttackRequest, out: Path, as_json: bool) -> Finding:
    """Run the whole job; Ctrl-C ends it and saves the best so far."""
    from .attacks import CancelToken
    from .case import complete_finding, run, save_finding
    from .evidence import check_replaceable, result_record, sentence

    check_replaceable(out)
    cancel = CancelToken()
    before = signal.signal(signal.SIGINT, lambda *_: _interrupt(cancel))
    try:
        finding = _show(run(case, request, cancel))
        if finding.evidence is None:  # stopped: the best so far still gets its control
            finding = _show(complete_finding(finding, CancelToken()))
    finally:
        signal.signal(signal.SIGINT, before)
    for warning in finding.case.warnings:
        _say(f"warning: {warning}")
    save_finding(finding, out)
    assert finding.evidence is not None
    if as_json:
        print(json.dumps(result_record(finding.result, finding.evidence, finding.case.network), indent=2))
    _say(sentence(finding.result, finding.evidence))
    for organ in finding.result.organs:
        _say(f"  {organ.name:20} {organ.clean:.3f} -> {organ.attacked:.3f}")
    cost = finding.result.cost
    _say(f"{cost.forward} forward and {cost.backward} backward passes, {cost.seconds:.1f} s; bundle in {out}")
    return finding


def _interrupt(cancel: CancelToken) -> None:
    if cancel.cancelled:
        raise KeyboardInterrupt
    _say("stopping; the best so far will be saved (Ctrl-C again to drop it)")
    cancel.cancel()


def _show(steps: Generator[Progress, None, T]) -> T:
    """Run the steps with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from .case import finish

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=1.0, detail="")

        def update(step: Progress) -> None:
            drop = "" if step.drop is None else f"drop {step.drop:.3f}"
            left = "" if step.seconds_left is None else f", about {step.seconds_left:.0f} s left"
            bar.update(task, completed=step.fraction, description=step.text, detail=drop + left)

        return finish(steps, update)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
