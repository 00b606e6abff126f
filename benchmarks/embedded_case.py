"""The embedded case at many drops and seeds: does it hit, how small is the change, what does it cost.

    python benchmarks/embedded_case.py [--drops 0.05 0.1 ...] [--seeds 0 1 2] [--verify SCRIPT] [--out FOLDER]

Every seed is another patient, and the seed of the random control. Prints a table in Markdown with the machine named;
``--verify`` runs an independent checker (``SCRIPT BUNDLE CT``) on every bundle.
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


def machine() -> str:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":")[1].strip() if lines else name
    return f"{name}, {torch.get_num_threads()} threads, Python {platform.python_version()}, torch {torch.__version__}"


def attack(case: Path, drop: float, seed: int, network: object) -> Finding:
    request = CaseRequest(
        ct=case / "ct.nii.gz", network=network, reference=case / "labels.nii.gz", label_names=case / "labels.json"
    )
    return finish(run(request, AttackRequest(drop=drop, seed=seed), CancelToken()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--verify", type=Path)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    network = open_network("phantom2d", device="cpu")
    cases = {seed: write_sample("phantom", out / f"case{seed}", seed) for seed in args.seeds}
    print(f"{machine()}\n")
    print(
        "| drop asked | reached | worst miss | passes fwd/bwd | seconds | largest mm | largest HU | rms HU | control |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    accepted = attempted = 0
    for drop in args.drops:
        findings = {seed: attack(cases[seed], drop, seed, network) for seed in args.seeds}
        _print_row(drop, list(findings.values()))
        for seed, finding in findings.items():
            if args.verify is not None:
                bundle = save_finding(finding, out / f"bundle{seed}_{drop}")
                attempted += 1
                done = subprocess.run(
                    [sys.executable, args.verify, bundle, cases[seed] / "ct.nii.gz"], capture_output=True, check=False
                )
                accepted += done.returncode == 0
    if attempted:
        print(f"\n{accepted} of {attempted} bundles accepted by {args.verify.name}")


def _print_row(drop: float, findings: list[Finding]) -> None:
    results = [finding.result for finding in findings]
    evidence = [finding.evidence for finding in findings if finding.evidence is not None]
    costs = [result.cost for result in results]
    print(
        f"| {drop:.2f} | {sum(r.reached for r in results)} of {len(results)} "
        f"| {max(abs(r.achieved_drop - drop) for r in results):.4f} "
        f"| {max(c.forward for c in costs)}/{max(c.backward for c in costs)} | {np.mean([c.seconds for c in costs]):.1f} "
        f"| {max(e.max_displacement_mm for e in evidence):.2f} | {max(e.max_hu for e in evidence):.1f} "
        f"| {np.mean([e.rms_hu for e in evidence]):.2f} | {max(abs(e.control_drop) for e in evidence):.4f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
