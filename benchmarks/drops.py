"""One case at many drops: does it hit, how small is the change, what does it cost.

    python benchmarks/drops.py                                  the embedded case, three patients
    python benchmarks/drops.py --ct CT --reference LABELS --label-names JSON --network abdomen8 --organs liver,spleen

Prints a table in Markdown with the machine named. ``--verify SCRIPT`` runs an independent checker
(``SCRIPT BUNDLE CT``) on every bundle.
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


def row(drop: float, findings: list[Finding]) -> str:
    """One line of the table over several findings at one drop: worst cases, and means of seconds, rms HU and SSIM."""
    results = [finding.result for finding in findings]
    evidence = [finding.evidence for finding in findings if finding.evidence is not None]
    costs = [result.cost for result in results]
    return (
        f"| {drop:.2f} | {sum(r.reached for r in results)} of {len(results)} "
        f"| {max(abs(r.achieved_drop - drop) for r in results):.4f} "
        f"| {max(c.forward for c in costs)} / {max(c.backward for c in costs)} | {np.mean([c.seconds for c in costs]):.1f} "
        f"| {max(c.peak_memory_mb for c in costs):.0f} "
        f"| {max(e.max_displacement_mm for e in evidence):.2f} | {max(e.max_hu for e in evidence):.1f} "
        f"| {np.mean([e.rms_hu for e in evidence]):.2f} | {np.mean([e.ssim for e in evidence]):.4f} "
        f"| {max(abs(e.control_drop) for e in evidence):.4f} |"
    )


def requests(args: argparse.Namespace, out: Path) -> dict[int, CaseRequest]:
    """The cases by seed; the network is opened once."""
    network = open_network(args.network, device=args.device)
    if args.ct is not None:
        case = CaseRequest(ct=args.ct, network=network, reference=args.reference, label_names=args.label_names)
        return dict.fromkeys(args.seeds[:1], case)
    folders = {seed: write_sample("phantom", out / f"case{seed}", seed) for seed in args.seeds}
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
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    cases = requests(args, out)
    organs = tuple(name for name in args.organs.split(",") if name)
    print(f"{machine()}\n\n{HEADER}", flush=True)
    accepted = attempted = 0
    for drop in args.drops:
        findings = []
        for seed, case in cases.items():
            request = AttackRequest(
                drop=drop, organs=organs, seed=seed, attacker=args.attacker, generated=args.generated
            )
            findings.append(finish(run(case, request, CancelToken())))
            if args.verify is not None:
                bundle = save_finding(findings[-1], out / f"bundle{seed}_{drop:g}")
                done = subprocess.run(
                    [sys.executable, args.verify, bundle, str(case.ct)], capture_output=True, check=False
                )
                attempted, accepted = attempted + 1, accepted + (done.returncode == 0)
        print(row(drop, findings), flush=True)
    if attempted:
        print(f"\n{accepted} of {attempted} bundles accepted by {args.verify.name}")


if __name__ == "__main__":
    main()
