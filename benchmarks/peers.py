"""The search beside its peers: the same cases, the same judge, the same stopping rule, in one run.

    python benchmarks/peers.py                                          phantom2d on two made patients
    python benchmarks/peers.py --network PATH --work DIR --transfer PATH...
    python benchmarks/peers.py --network abdomen8 --work DIR --real CT LABELS JSON --organs liver,spleen

No peer takes a target, so each is stopped at the first step whose hard Dice on whole HU has fallen far enough; then the
smallest strength of that change that still does is looked for by bisection. One ascent of a peer serves all drops:
a row counts what was spent up to its own stop. ``DIR/peers.jsonl`` keeps a line per attack, so that a run that was stopped
goes on; ``--docs`` names a page with the markers ``<!-- peers NETWORK: begin -->`` and ``end``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from drops import machine
from measured import put
from peer_attacks import PEERS, STEPS, Climbed, Peer
from peer_measures import HANDLING, Found, Judge, found_by_peer, found_by_search, size_of

from napari_advseg.attacks import CancelToken, Cost, CostMeter, Measured, SearchSettings, Target, search
from napari_advseg.case import AttackRequest, Case, CaseRequest, finish, make_target, open_case, pick_organs
from napari_advseg.networks import SegmentationNetwork, open_network
from napari_advseg.samples import load_sample

TOLERANCE = 0.01
LASTS = 0.05  # how much of the drop a handling may take
HALVINGS = 8
SEARCHES: dict[str, dict[str, bool]] = {
    "ours": {},
    "ours, appearance only": {"deformation": False},
    "ours, deformation only": {"appearance": False},
}
Row = dict[str, Any]


class Ascent:
    """A peer on a case, taken no farther than it has been asked for."""

    def __init__(self, peer: Peer, case: Case) -> None:
        self.target, self._steps = peer.start(case, 0)
        self._passes = case.network.passes
        self._seen: list[tuple[Measured, Cost]] = []

    def stopped_at(self, drop: float) -> tuple[Measured, Cost]:
        """The first step that costs ``drop`` and what was spent so far; the costliest step where none does."""
        for seen in self._seen:
            if seen[0].drop >= drop:
                return seen
        while True:
            meter = CostMeter(self._passes)
            measured = next(self._steps, None)
            if measured is None:
                return max(self._seen, key=lambda seen: seen[0].drop)[0], self._seen[-1][1]
            before = self._seen[-1][1] if self._seen else Cost(0, 0, 0.0, 0.0)
            self._seen.append((measured, _sum(before, meter.read())))
            if measured.drop >= drop:
                return self._seen[-1]

    def find(self, drop: float) -> Found:
        """Stop, and bisect the strength."""
        strongest, spent = self.stopped_at(drop)
        meter = CostMeter(self._passes)
        weakest = smallest(self.target, strongest, drop)
        return found_by_peer(weakest, _sum(spent, meter.read()))


def smallest(target: Climbed, strongest: Measured, drop: float) -> Measured:
    """The weakest form of a change that costs ``drop`` still; itself where it does not."""
    low, high, best = 0.0, 1.0, strongest
    for _ in range(HALVINGS if strongest.drop >= drop else 0):
        if best.drop - drop <= TOLERANCE / 4:  # as near as the search asks of itself
            break
        middle = (low + high) / 2
        measured = target.measure(strongest.parameters, middle)
        if measured.drop >= drop:
            high, best = middle, measured
        else:
            low = middle
    return best


def by_search(case: Case, kind: dict[str, bool]) -> tuple[Target, Callable[[float], Found]]:
    """Our search with what may change."""
    target = make_target(case, AttackRequest(**kind))

    def find(drop: float) -> Found:
        steps = search(target, SearchSettings(drop, TOLERANCE), case.clean_labels, CancelToken())
        return found_by_search(finish(steps))

    return target, find


def by_peer(case: Case, peer: Peer) -> tuple[Target, Callable[[float], Found]]:
    """A peer with the stopping rule bolted on."""
    ascent = Ascent(peer, case)
    return ascent.target, ascent.find


class Bench:
    """The work folder: a row that it holds is not measured again."""

    def __init__(
        self,
        work: Path,
        network: SegmentationNetwork,
        others: dict[str, SegmentationNetwork],
        organs: tuple[str, ...] = (),
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.file, self.network, self.others, self.organs = work / "peers.jsonl", network, others, organs
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        self.rows: list[Row] = [json.loads(line) for line in lines]

    def measure(self, name: str, request: CaseRequest, drops: list[float], only: list[str]) -> None:
        """Everyone's attack on one case at every drop, where that has not been done."""
        opened: tuple[Case, Judge] | None = None
        for attack in [*SEARCHES, *(peer.name for peer in PEERS)]:
            same: Row = {"network": self.network.card.name, "case": name, "attack": attack}
            keys = {drop: same | {"asked": drop} for drop in drops}
            missing = [drop for drop in drops if not any(keys[drop].items() <= row.items() for row in self.rows)]
            if not missing or (only and attack not in only):
                continue
            opened = opened or self._open(request)
            case, judge = opened
            peer = next((peer for peer in PEERS if peer.name == attack), None)
            target, find = by_search(case, SEARCHES[attack]) if peer is None else by_peer(case, peer)
            for drop in missing:
                self._keep(keys[drop] | self._row(find(drop), target, judge))

    def _open(self, request: CaseRequest) -> tuple[Case, Judge]:
        case = finish(open_case(request, CancelToken()))
        case = replace(case, organs=pick_organs(case.organs, self.organs, self.network))
        return case, Judge(case, make_target(case, AttackRequest()), self.others)

    def _row(self, found: Found, target: Target, judge: Judge) -> Row:
        return {
            "drop": found.drop,
            "forward": found.forward,
            "backward": found.backward,
            "seconds": found.seconds,
            **size_of(found, target),
            "lasting": judge.lasting(found),
            "transfer": judge.transferred(found),
        }

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{row['case']}, {row['attack']}, {row['asked']}: {row['drop']:.3f} in {row['seconds']:.1f} s", flush=True
        )


def tables(rows: list[Row], others: list[str]) -> str:
    """How large and how costly, and how well hidden and how lasting; sizes are of the attacks that got to the drop."""
    sizes = [
        "| drop | attack | got there | within 0.01 | mean drop | passes, forward / backward | seconds "
        "| largest HU | rms HU | largest HU, undone | rms HU, undone | largest mm |",
        "|" + "---|" * 12,
    ]
    transfer = "".join(f" drop on {name} |" for name in others)
    marks = [
        "| drop | attack | SSIM | high / low band | after a file | after 1 mm | after blur | after 256 levels |"
        + transfer,
        "|" + "---|" * (8 + len(others)),
    ]
    for drop, attack, some in grouped(rows):
        got = [row for row in some if row["drop"] >= drop - TOLERANCE]
        within = sum(abs(row["drop"] - drop) <= TOLERANCE for row in some)
        head = f"| {drop:.1f} | {attack} |"
        sizes.append(
            f"{head} {len(got)} of {len(some)} | {within} of {len(some)} | {_mean(some, 'drop'):.3f} "
            f"| {_mean(some, 'forward'):.0f} / {_mean(some, 'backward'):.0f} | {_mean(some, 'seconds'):.1f} |"
            + (
                f" {_worst(got, 'hu'):.0f} | {_mean(got, 'rms'):.2f} | {_worst(got, 'hu_undone'):.1f} "
                f"| {_mean(got, 'rms_undone'):.2f} | {_worst(got, 'mm'):.2f} |"
                if got
                else " – |" * 5
            )
        )
        if got:
            lasting = "".join(f" {_lasting(got, handling)} |" for handling in HANDLING)
            carried = "".join(f" {_mean_of(got, 'transfer', name)} |" for name in others)
            added = _mean(got, "bands")
            bands = f"{added:.3f}" if added else "–"
            marks.append(f"{head} {_mean(got, 'ssim'):.4f} | {bands} |{lasting}{carried}")
    return "\n".join(sizes) + "\n\n" + "\n".join(marks)


def grouped(rows: list[Row]) -> Iterator[tuple[float, str, list[Row]]]:
    """Rows by drop and attack, in the order of the tables."""
    for drop in sorted({row["asked"] for row in rows}):
        for attack in [*SEARCHES, *(peer.name for peer in PEERS)]:
            some = [row for row in rows if row["asked"] == drop and row["attack"] == attack]
            if some:
                yield drop, attack, some


def _lasting(rows: list[Row], handling: str) -> str:
    kept = sum(abs(row["lasting"][handling] - row["drop"]) <= LASTS for row in rows)
    return f"{kept} of {len(rows)} ({_mean_of(rows, 'lasting', handling)})"


def _mean_of(rows: list[Row], group: str, key: str) -> str:
    values = [row[group][key] for row in rows if key in row[group]]
    return f"{np.mean(values):.3f}" if values else "–"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"


def _mean(rows: list[Row], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def _worst(rows: list[Row], key: str) -> float:
    return float(max(row[key] for row in rows))


def _sum(one: Cost, other: Cost) -> Cost:
    return Cost(
        one.forward + other.forward,
        one.backward + other.backward,
        one.seconds + other.seconds,
        max(one.peak_memory_mb, other.peak_memory_mb),
    )


def cases(args: argparse.Namespace, network: SegmentationNetwork) -> Iterator[tuple[str, CaseRequest]]:
    """The real CT where one is given, else made patients."""
    scored = f" ({args.organs})" if args.organs else ""  # a row of other organs is another row
    if args.real:
        ct, labels, names = args.real
        yield f"real CT{scored}", CaseRequest(ct=ct, network=network, reference=labels, label_names=names)
        return
    for seed in range(args.cases):
        sample = load_sample("phantom", seed)
        request = CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume, label_names=sample.names)
        yield f"phantom {seed}{scored}", request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="phantom2d", help="a checkpoint, or a shipped or published name")
    parser.add_argument("--work", type=Path, help="where rows are kept; a new folder by default")
    parser.add_argument("--cases", type=int, default=2, help="made patients, seeds 0 and on")
    parser.add_argument(
        "--real", type=Path, nargs=3, metavar=("CT", "LABELS", "JSON"), help="in place of made patients"
    )
    parser.add_argument("--organs", default="", help="scored ones, by name; all by default")
    parser.add_argument("--drops", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--only", nargs="+", default=[], help="attacks, as the tables name them")
    parser.add_argument("--transfer", nargs="+", default=[], help="other networks to measure the attacked CTs on")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    args = parser.parse_args()
    network = open_network(args.network, device=args.device)
    opened = [open_network(path, device=args.device) for path in args.transfer]
    others = {other.card.name: other for other in opened}
    work = args.work or Path(tempfile.mkdtemp())
    bench = Bench(work, network, others, tuple(name for name in args.organs.split(",") if name))
    names = []
    for name, request in cases(args, network):
        names.append(name)
        bench.measure(name, request, args.drops, args.only)
    own = network.card.name
    rows = [row for row in bench.rows if row["network"] == own and row["case"] in names and row["asked"] in args.drops]
    text = (
        f"Measured on {date.today():%d %B %Y} on {machine()}: `{own}`, {_listed(names)}; peers that climb were given "
        f"{STEPS} steps.\n\n{tables(rows, list(others))}"
    )
    (work / "peers.md").write_text(text + "\n", encoding="utf-8")
    put(text, f"peers {own}", args.docs)
    print(f"tables in {work / 'peers.md'}")


if __name__ == "__main__":
    main()
