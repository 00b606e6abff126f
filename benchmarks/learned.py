"""The learned attacker beside the search, on different networks: trains what is missing, measures, writes tables.

    python benchmarks/learned.py --work DIR [--only NAME...] [--abdomen CT LABELS JSON] [--unseen CT LABELS]

Everything lands in DIR and is kept: networks, attackers, and a line of ``rows.jsonl`` per attack, so that a run that was
stopped goes on; a DIR from before a change of the package or of this file says nothing of it. ``DIR/tables.md`` holds the
tables, with the machine named. Of made patients the seeds 0 to 3 (in 3-D 0 and 1) are measured, which neither networks nor
attackers have seen; of a real CT, one of another patient (``--unseen``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from drops import machine
from measured import put

from napari_advseg.attacks import CancelToken
from napari_advseg.case import CONTROL_DRAWS, AttackRequest, CaseRequest, finish, run
from napari_advseg.generator import PRECISIONS
from napari_advseg.networks import SegmentationNetwork, open_network
from napari_advseg.samples import load_sample

DROPS = (0.1, 0.2, 0.3, 0.5)
PATIENTS = {2: range(4), 3: range(2)}  # by dimensions
SEARCH, STRENGTH, ALONE = "search", "strength path", "alone"
SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@dataclass(frozen=True)
class Attacked:
    """A network and the attacker that learns to attack it.

    Parameters
    ----------
    label
        In the tables, and the attacker's folder.
    network
        A shipped name, or a recipe of scripts/train_networks.py.
    steps
        Of the attacker's training; 0 takes the shipped one.
    options
        Of scripts/train_attacker.py.
    """

    label: str
    network: str
    steps: int
    options: tuple[str, ...] = ()


FROM_SHIPPED = ("--start-from", "phantom2d", "--patients", "90")
NETWORKS = (
    Attacked("phantom2d", "phantom2d", 0),
    Attacked("unet2d", "unet2d", 3600, FROM_SHIPPED),
    Attacked("attention2d", "attention2d", 1000, FROM_SHIPPED),
    Attacked("swin2d", "swin2d", 4000, FROM_SHIPPED),
)
SPACE = Attacked("unet3d", "unet3d", 1000, ("--patients", "120"))
REAL = Attacked("abdomen2d", "abdomen2d", 3000, ("--patients", "40"))
ABLATIONS = (
    Attacked("everything", "unet2d", 400),
    Attacked("without Muon", "unet2d", 400, ("--no-muon",)),
    Attacked("without the critic", "unet2d", 400, ("--no-critic",)),
    Attacked("without the drop as a condition", "unet2d", 400, ("--no-conditioning",)),
    Attacked("deformation only", "unet2d", 400, ("--no-appearance",)),
    Attacked("appearance only", "unet2d", 400, ("--no-deformation",)),
)


class Bench:
    """The work folder: what it holds is not made again."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.work = args, args.work
        self.precision = getattr(args, "precision", "32-true")  # of what is trained; other commands do not say
        self.work.mkdir(parents=True, exist_ok=True)
        self.file = self.work / "rows.jsonl"
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def network(self, one: Attacked) -> str:
        """The network's checkpoint, trained where it is missing."""
        if one.network == "phantom2d":
            return one.network
        path = self.work / "networks" / f"{one.network}.safetensors"
        if not path.with_suffix(".yaml").exists():
            given = self._abdomen() if one is REAL else []
            self._script("train_networks.py", one.network, "--out", str(path.parent), *given)
        return str(path)

    def attacker(self, one: Attacked) -> str:
        """The attacker's folder, trained to its end where it is not."""
        if not one.steps:
            return one.network
        same = next(other for other in (*NETWORKS, SPACE, REAL, *ABLATIONS) if _training(other) == _training(one))
        folder = self.work / "attackers" / same.label.replace(" ", "-")
        if not (folder / "validation.json").exists():
            given = self._abdomen() if one is REAL else []
            self._script(
                "train_attacker.py", "--network", self.network(one), "--steps", str(one.steps), "--out", str(folder),
                "--precision", self.precision, *one.options, *given,
            )  # fmt: skip
        return str(folder)

    def cases(self, one: Attacked, network: SegmentationNetwork) -> Iterator[tuple[str, CaseRequest]]:
        """The patients that one is measured on."""
        if one is REAL:
            ct, *labels = self.args.unseen
            given = {"reference": labels[0], "label_names": self.args.abdomen[2]} if labels else {}
            yield "unseen CT", CaseRequest(ct=ct, network=network, **given)
            return
        for seed in PATIENTS[network.card.dimensions]:
            sample = load_sample("phantom", seed)
            yield f"phantom {seed}", CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume)

    def measure(self, one: Attacked, ways: tuple[str, ...], drops: tuple[float, ...] = DROPS) -> None:
        """Attack every patient at every drop in every way, where that has not been done."""
        network = open_network(self.network(one), device="cpu")
        attacker = self.attacker(one) if set(ways) - {SEARCH} else SEARCH
        for name, case in self.cases(one, network):
            for way in ways:
                for drop in drops:
                    key = {"label": one.label, "network": one.network, "way": way, "case": name, "asked": drop}
                    if not any(key.items() <= row.items() for row in self.rows):
                        self._keep(key | self._attack(one, case, way, drop, attacker))

    def _attack(self, one: Attacked, case: CaseRequest, way: str, drop: float, attacker: str) -> dict[str, Any]:
        learned = {} if way == SEARCH else {"attacker": attacker, "generated": "alone" if way == ALONE else "strength"}
        kind = {
            "deformation": "--no-deformation" not in one.options,
            "appearance": "--no-appearance" not in one.options,
        }
        organs = self.args.unseen_organs if one is REAL else ()
        finding = finish(run(case, AttackRequest(drop=drop, organs=tuple(organs), **kind, **learned), CancelToken()))
        result, evidence = finding.result, finding.evidence
        assert evidence is not None
        return {
            "achieved": result.achieved_drop, "reached": result.reached, "size": result.size,
            "forward": result.cost.forward - CONTROL_DRAWS, "backward": result.cost.backward,
            "seconds": result.cost.seconds, "mm": evidence.max_displacement_mm, "hu": evidence.max_hu,
            "rms_hu": evidence.rms_hu, "ssim": evidence.ssim, "control": evidence.control_drop,
        }  # fmt: skip

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def _abdomen(self) -> list[str]:
        ct, labels, names = (str(path) for path in self.args.abdomen)
        return ["--ct", ct, "--labels", labels, "--label-names", names]

    def _script(self, name: str, *arguments: str) -> None:
        subprocess.run([sys.executable, str(SCRIPTS / name), *arguments], check=True)


def _training(one: Attacked) -> tuple[object, ...]:
    """What makes two attackers the same."""
    return one.network, one.steps, one.options


def table(rows: list[dict[str, Any]], first: str, labels: list[str], ways: tuple[str, ...]) -> str:
    """Means over the patients; largest mm and HU and control are the worst."""
    lines = [
        f"| {first} | asked | way | within 0.01 | mean miss | passes, forward / backward | seconds | rms change (budgets) "
        "| largest mm | largest HU | random control |",
        "|" + "---|" * 11,
    ]
    for label in labels:
        for drop in DROPS:
            for way in ways:
                some = [r for r in rows if r["label"] == label and r["way"] == way and r["asked"] == drop]
                if not some:
                    continue
                mean = {
                    key: float(np.mean([r[key] for r in some])) for key in ("forward", "backward", "seconds", "size")
                }
                miss = np.mean([abs(r["achieved"] - drop) for r in some])
                worst = {key: max(abs(r[key]) for r in some) for key in ("mm", "hu", "control")}
                lines.append(
                    f"| {label} | {drop:.1f} | {way} | {sum(abs(r['achieved'] - drop) <= 0.01 for r in some)} of {len(some)} "
                    f"| {miss:.3f} | {mean['forward']:.1f} / {mean['backward']:.1f} | {mean['seconds']:.1f} "
                    f"| {mean['size']:.3f} | {worst['mm']:.2f} | {worst['hu']:.1f} | {worst['control']:.3f} |"
                )
    return "\n".join(lines)


def totals(rows: list[dict[str, Any]]) -> str:
    """Of the attacks that the search hits, how many the others do; most passes of the strength path."""
    key = ("label", "case", "asked")
    hit = {tuple(r[k] for k in key) for r in rows if r["way"] == SEARCH and abs(r["achieved"] - r["asked"]) <= 0.01}
    lines = []
    for way in (STRENGTH, ALONE):
        own = [r for r in rows if r["way"] == way and tuple(r[k] for k in key) in hit]
        if own:
            reached = sum(abs(r["achieved"] - r["asked"]) <= 0.01 for r in own)
            lines.append(
                f"Where the search hits, the generator ({way}) does in {reached} of {len(own)} "
                f"({100 * reached / len(own):.0f} %), with at most {max(r['forward'] for r in own)} forward and "
                f"{max(r['backward'] for r in own)} backward passes."
            )
    return "\n\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[], help="labels")
    parser.add_argument("--abdomen", type=Path, nargs=3, metavar=("CT", "LABELS", "JSON"))
    parser.add_argument(
        "--unseen",
        type=Path,
        nargs="+",
        metavar=("CT", "LABELS"),
        help="a CT of another patient than --abdomen's; its labels, named alike, else the network's own are the reference",
    )
    parser.add_argument("--unseen-organs", nargs="+", default=[], help="those that it shows, by name; all by default")
    parser.add_argument("--precision", choices=PRECISIONS, default="32-true", help="of the attackers' training")
    parser.add_argument("--train", action="store_true", help="no more than the networks and attackers that are missing")
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    args = parser.parse_args()
    bench, all_ways = Bench(args), (SEARCH, STRENGTH, ALONE)
    real = (REAL,) if args.abdomen and args.unseen else ()
    jobs = [(one, all_ways) for one in (*NETWORKS, SPACE, *real)] + [(one, (STRENGTH, ALONE)) for one in ABLATIONS]
    for one, ways in jobs:
        if args.only and one.label not in args.only:
            continue
        if args.train:
            bench.network(one)
            bench.attacker(one)
        else:
            bench.measure(one, ways)
    if args.train:
        return
    rows = bench.rows
    names = [one.label for one in NETWORKS]
    measured = f"Measured on {date.today():%d %B %Y} on {machine()}."
    blocks = {
        "networks": (names, "network", all_ways),
        "space": ([SPACE.label], "network", all_ways),
        "real": ([REAL.label], "network", all_ways),
        "ablations": ([one.label for one in ABLATIONS], "attacker", (STRENGTH, ALONE)),
    }
    texts = {}
    for name, (labels, first, ways) in blocks.items():
        some = [row for row in rows if row["label"] in labels]
        if some:
            parts = (measured, table(some, first, labels, ways), totals(some))
            texts[name] = "\n\n".join(part for part in parts if part)
    (args.work / "tables.md").write_text("\n\n".join(texts.values()) + "\n", encoding="utf-8")
    for name, text in texts.items():
        put(text, name, args.docs)
    print(f"tables in {args.work / 'tables.md'}")


if __name__ == "__main__":
    main()
