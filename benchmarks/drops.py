"""One case at many drops: does it hit, how small is the change, what does it cost.

    python benchmarks/drops.py                                  the embedded case, three patients
    python benchmarks/drops.py --ct CT --reference LABELS --label-names JSON --network abdomen8 --organs liver,spleen

Prints a table in Markdown with the machine named. ``--verify SCRIPT`` runs an independent checker
(``SCRIPT BUNDLE CT``) on every bundle. With ``--work DIR`` a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from measured import put
from rows import Row, Rows

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, CaseRequest, Finding, finish, run, save_finding
from napari_advseg.networks import open_network
from napari_advseg.samples import write_sample

HEADER = (
    "| drop asked | reached | worst miss | forward / backward passes | seconds | MB | largest mm | largest HU | rms HU "
    "| SSIM | random control |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def machine() -> str:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":")[1].strip() if lines else name
    return f"{name}, {torch.get_num_threads()} threads, Python {platform.python_version()}, torch {torch.__version__}"


def figures(finding: Finding) -> Row:
    """What is kept of one attack."""
    result, evidence = finding.result, finding.evidence
    assert evidence is not None
    return {
        "reached": result.reached,
        "drop": result.achieved_drop,
        "forward": result.cost.forward,
        "backward": result.cost.backward,
        "seconds": result.cost.seconds,
        "mb": result.cost.peak_memory_mb,
        "mm": evidence.max_displacement_mm,
        "hu": evidence.max_hu,
        "rms_hu": evidence.rms_hu,
        "ssim": evidence.ssim,
        "control": abs(evidence.control_drop),
    }


def line(drop: float, rows: list[Row]) -> str:
    """One line of the table over several cases at one drop: worst cases, and means of seconds, rms HU and SSIM."""

    def worst(name: str) -> float:
        return float(max(row[name] for row in rows))

    def mean(name: str) -> float:
        return float(np.mean([row[name] for row in rows]))

    return (
        f"| {drop:.2f} | {sum(row['reached'] for row in rows)} of {len(rows)} "
        f"| {max(abs(row['drop'] - drop) for row in rows):.4f} | {worst('forward'):.0f} / {worst('backward'):.0f} "
        f"| {mean('seconds'):.1f} | {worst('mb'):.0f} | {worst('mm'):.2f} | {worst('hu'):.1f} | {mean('rms_hu'):.2f} "
        f"| {mean('ssim'):.4f} | {worst('control'):.4f} |"
    )


def requests(args: argparse.Namespace, out: Path) -> dict[int, CaseRequest]:
    """The cases by seed; the network is opened once."""
    network = open_network(args.network, device=args.device)
    if args.ct is not None:
        case = CaseRequest(ct=args.ct, network=network, reference=args.reference, label_names=args.label_names)
        return dict.fromkeys(args.seeds[:1], case)
    folders = {seed: out / f"case{seed}" for seed in args.seeds}
    for seed, folder in folders.items():
        if not folder.exists():
            write_sample("phantom", folder, seed)
    return {
        seed: CaseRequest(
            ct=folder / "ct.nii.gz",
            network=network,
            reference=folder / "labels.nii.gz",
            label_names=folder / "labels.json",
        )
        for seed, folder in folders.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--label-names", type=Path)
    parser.add_argument("--organs", default="")
    parser.add_argument("--network", default="phantom2d")
    parser.add_argument("--attacker", default="search", help="search, a shipped one's name, or a folder")
    parser.add_argument("--generated", default="strength", choices=("alone", "strength", "start"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--verify", type=Path)
    parser.add_argument("--out", type=Path, help="where made patients and bundles go")
    parser.add_argument("--work", type=Path, help="where rows are kept; a new folder by default")
    parser.add_argument("--docs", type=Path, nargs="+", default=[], help="the pages that show the table")
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    rows = Rows(args.work or out, "drops")
    cases = requests(args, out)
    organs = tuple(name for name in args.organs.split(",") if name)
    ways = {"network": args.network, "organs": args.organs, "attacker": args.attacker, "generated": args.generated}
    lines: list[str] = []
    print(f"{machine()}\n\n{HEADER}", flush=True)
    for drop in args.drops:
        some = []
        for seed, case in cases.items():
            key = {**ways, "ct": str(args.ct or f"phantom {seed}"), "asked": drop, "checker": str(args.verify or "")}
            found = rows.find(**key)
            if not found:
                request = AttackRequest(
                    drop=drop, organs=organs, seed=seed, attacker=args.attacker, generated=args.generated
                )
                finding = finish(run(case, request, CancelToken()))
                accepted = verified(finding, case, args.verify, out / f"bundle{seed}_{drop:g}")
                found = [rows.keep(key, figures(finding) | {"accepted": accepted})]
            some += found
        lines.append(line(drop, some))
        print(lines[-1], flush=True)
    tried = [
        row["accepted"] for row in rows.find(**ways, checker=str(args.verify or "")) if row["accepted"] is not None
    ]
    checked = f"\n\n{sum(tried)} of {len(tried)} bundles accepted by {args.verify.name}" if tried else ""
    print(checked.strip())
    table, name = "\n".join([HEADER, *lines]), "drops" if args.ct is None else "drops, real CT"
    for page in args.docs:
        put(f"Measured on {rows.dates()} on {machine()}: `{args.network}`.\n\n{table}{checked}", name, page)


def verified(finding: Finding, case: CaseRequest, script: Path | None, bundle: Path) -> bool | None:
    """Whether the checker accepts the bundle; None without one."""
    if script is None:
        return None
    save_finding(finding, bundle)
    command = [sys.executable, script, bundle, str(case.ct)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main()
