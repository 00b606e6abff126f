"""How real do attacked CTs look: a fresh classifier's AUC and noise power spectra, per way to attack.

    python benchmarks/realism.py --work DIR [--drop 0.3]

Takes networks and attackers from the work folder of benchmarks/learned.py, which trains what is missing. Patients are
made; all are new to networks and attackers, and the classifier is tried on patients that it has not seen. Its real
examples are the same patients moved a little at random, resampled and rounded. AUC 0.5: cannot tell; 1: always can.
Writes ``DIR/realism.md`` and ``DIR/noise_power.png``; with ``--docs`` both go to the page as well.
"""

from __future__ import annotations

import argparse
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from drops import machine
from learned import ABLATIONS, Bench
from matplotlib.figure import Figure
from measured import put
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_advseg.attacks import AttackResult, CancelToken, Target
from napari_advseg.case import AttackRequest, CaseRequest, attack_case, finish, make_target, open_case
from napari_advseg.evidence import control_parameters
from napari_advseg.networks import SegmentationNetwork, open_network
from napari_advseg.samples import load_sample
from napari_advseg.volume import SOFT_TISSUE

LEARNING, TRIED = range(100, 116), range(116, 124)
MILD = 0.25  # budgets: the random deformation of the real examples
WINDOW = 20  # pixels: of the noise power spectrum
CT = NDArray[np.int16]

SEARCH, CONTROL = "search", "random change as large as the search's"


def attacked(case_seed: int, network: SegmentationNetwork, attackers: dict[str, str], drop: float) -> dict[str, CT]:
    """One patient, attacked in every way; "real" is the patient moved a little."""
    sample = load_sample("phantom", case_seed)
    case = finish(open_case(CaseRequest(ct=sample.ct, network=network, reference=sample.label_volume), CancelToken()))
    target = make_target(case, AttackRequest())
    found: dict[str, CT] = {"real": mildly_moved(target, case_seed)}
    result: AttackResult | None = None
    for name, attacker in {SEARCH: "search", **attackers}.items():
        request = AttackRequest(drop=drop, attacker=attacker)
        made = finish(attack_case(case, request, CancelToken())).result
        found[name] = made.whole_perturbed
        result = made if name == SEARCH else result
    assert result is not None
    found[CONTROL] = target.measure(control_parameters(result, case_seed)).perturbed
    return found


def mildly_moved(target: Target, seed: int) -> CT:
    """The clean CT after a small random deformation, resampled and rounded."""
    synthesis = target.synthesis
    parts = [torch.zeros_like(part) for part in synthesis.split(synthesis.zeros())]
    parts[0] = torch.randn(parts[0].shape, generator=torch.Generator().manual_seed(seed)) * MILD
    moved = synthesis.change(synthesis.project(torch.cat([part.flatten() for part in parts]))).hu
    return moved.round().numpy().astype(np.int16)


class Classifier(nn.Module):
    """Slices (n, 1, y, x) -> (n,) logits, above 0 for attacked."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for here, there, stride in ((1, 24, 1), (24, 48, 2), (48, 64, 2), (64, 64, 2)):
            layers += [nn.Conv2d(here, there, 3, stride, 1), nn.BatchNorm2d(there), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.last = nn.Linear(64, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.features(images).mean((2, 3)))[:, 0]
        return logits


def auc_of(real: dict[int, CT], fake: dict[int, CT], steps: int, seed: int = 0) -> float:
    """Train on the learning patients, and rank the slices of the others."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    classifier = Classifier()
    optimiser = torch.optim.Adam(classifier.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    known, made = (torch.cat([shown(group[seed]) for seed in LEARNING]) for group in (real, fake))
    for _ in range(steps):
        picked = torch.randint(len(known), (8,), generator=random)
        batch = torch.cat([known[picked], made[picked]])
        if torch.rand(1, generator=random) < 0.5:
            batch = batch.flip(-1)
        loss = F.binary_cross_entropy_with_logits(classifier(batch), torch.arange(2.0).repeat_interleave(8))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    classifier.eval()
    with torch.no_grad():
        low, high = (classifier(torch.cat([shown(group[seed]) for seed in TRIED])) for group in (real, fake))
    above = (high[:, None] > low[None]).float() + 0.5 * (high[:, None] == low[None]).float()
    return float(above.mean())


def shown(ct: CT) -> Tensor:
    """Slices in the soft-tissue window, as -1 to 1."""
    low, high = SOFT_TISSUE
    return torch.from_numpy((np.clip(ct.astype(np.float32), low, high) - low) * (2 / (high - low)) - 1)[:, None]


def noise_power(ct: CT, inside: NDArray[np.bool_], pixel_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radially averaged noise power of in-plane windows that lie ``inside``: frequencies per mm, HU^2 mm^2."""
    hann = np.outer(np.hanning(WINDOW), np.hanning(WINDOW))
    y, x = np.mgrid[:WINDOW, :WINDOW] - (WINDOW - 1) / 2
    plane = np.stack([np.ones_like(y), y, x]).reshape(3, -1)
    spectra = []
    for z in range(len(ct)):
        for top in range(0, ct.shape[1] - WINDOW + 1, WINDOW // 2):
            for left in range(0, ct.shape[2] - WINDOW + 1, WINDOW // 2):
                cut = (z, slice(top, top + WINDOW), slice(left, left + WINDOW))
                if inside[cut].mean() > 0.97:
                    patch = ct[cut].astype(float).ravel()
                    flat = (patch - np.linalg.lstsq(plane.T, patch, rcond=None)[0] @ plane).reshape(WINDOW, WINDOW)
                    spectra.append(np.abs(np.fft.fft2(flat * hann)) ** 2 * pixel_mm**2 / (hann**2).sum())
    frequency = np.fft.fftfreq(WINDOW, pixel_mm)
    radius = np.hypot(*np.meshgrid(frequency, frequency, indexing="ij"))
    edges = np.linspace(0, 0.5 / pixel_mm, WINDOW // 2 + 1)
    mean = np.mean(spectra, 0)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    return (edges[:-1] + edges[1:]) / 2, np.array([mean[ring].mean() for ring in rings])


def plot(spectra: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]], path: Path) -> None:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (frequency, power) in spectra.items():
        style = "--" if name in ("clean", "real") else "-"
        label = {"real": "moved a little at random"}.get(name, name)
        left.plot(frequency, power, style, label=label)
        right.plot(frequency, power / spectra["clean"][1], style)
    left.set(xlabel="frequency (1/mm)", ylabel="noise power (HU² mm²)", ylim=(0, None))
    right.set(xlabel="frequency (1/mm)", ylabel="over the clean CT's", ylim=(0, None))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--steps", type=int, default=400, help="of the classifier")
    parser.add_argument("--docs", type=Path, help="the page that shows the tables")
    args = parser.parse_args()
    bench = Bench(args)
    whole, *others = ABLATIONS
    attackers = {"generator": bench.attacker(whole)}
    attackers |= {f"generator, {one.label}": bench.attacker(one) for one in others if "critic" in one.label}
    network = open_network(bench.network(whole), device="cpu")
    made: dict[str, dict[int, CT]] = {}
    power: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for seed in (*LEARNING, *TRIED):
        sample = load_sample("phantom", seed)
        assert sample.label_volume is not None
        found = attacked(seed, network, attackers, args.drop)
        for name, ct in found.items():
            made.setdefault(name, {})[seed] = ct
        for name, ct in {"clean": sample.ct.hu.astype(np.int16), **found}.items():
            power.setdefault(name, []).append(noise_power(ct, sample.label_volume.hu == 1, sample.ct.grid.spacing[2]))
        print(f"patient {seed}", flush=True)
    spectra = {name: (some[0][0], np.nanmean([one[1] for one in some], 0)) for name, some in power.items()}
    plot(spectra, args.work / "noise_power.png")

    def total(name: str) -> float:
        return float(spectra[name][1].sum() / spectra["clean"][1].sum())

    lines = [
        f"Measured on {date.today():%d %B %Y} on {machine()}: `{whole.network}`, drop {args.drop}, {len(LEARNING)} patients "
        f"to learn from, {len(TRIED)} others ({20 * len(TRIED)} slices of each kind) to be told apart.",
        "",
        "| attacked by | AUC of a fresh classifier | liver's noise power over the clean CT's |",
        "|---|---|---|",
        f"| nothing: moved a little at random | | {total('real'):.2f} |",
    ]
    for name in [name for name in made if name != "real"]:
        auc = np.mean([auc_of(made["real"], made[name], args.steps, seed) for seed in range(2)])
        lines.append(f"| {name} | {auc:.3f} | {total(name):.2f} |")
        print(lines[-1], flush=True)
    (args.work / "realism.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if args.docs:
        images = args.docs.parent / "images"
        images.mkdir(exist_ok=True)
        plot(spectra, images / "noise_power.png")
        lines += ["", "![Noise power spectra of the liver, by attack](images/noise_power.png)"]
    put("\n".join(lines), "realism", args.docs)


if __name__ == "__main__":
    main()
