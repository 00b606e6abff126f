"""Can a model observer tell attacked CTs from randomly changed ones: a channelised Hotelling observer, per attack.

    python benchmarks/observer.py --work DIR [--patients 5] [--drop 0.3]

The observer (Barrett, Yao, Rolland, Myers, *Model observers for assessment of image quality*, PNAS 90, 1993) sees a
patch only through ten dense difference-of-Gaussians channels, the form of Abbey and Barrett (*Human- and model-observer
performance in ramp-spectrum noise*, JOSA A 18, 2001): ``exp(-(f / Q s)^2 / 2) - exp(-(f / s)^2 / 2)`` with Q = 1.67 and s
growing by 1.4 from channel to channel. s starts at three times their 0.005 cycles per pixel: the patches are small, and
changes of single voxels lie near Nyquist.

Two observers: the classical one, whose channels answer at the patch's middle, and one that is shown their energies
(the logarithm of the mean square around the middle), because an attack's sign differs from place to place, and then no
linear observer can know it beforehand. Patches lie where either of the two CTs that are compared was changed most, half
of them each, at the same places in both. The template comes from all patients but one, and that one is tried.

``DIR/observer-SEED.npz`` keeps a patient's CTs. ``--docs`` names the page with the markers of ``observer``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from drops import machine
from measured import put
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from peer_attacks import PEERS
from peers import SEARCHES, by_peer
from rows import Row, Rows
from scipy import ndimage

from napari_advseg.attacks import CancelToken, SearchSettings, as_saved, search
from napari_advseg.case import AttackRequest, Case, CaseRequest, finish, make_target, open_case
from napari_advseg.evidence import control_parameters
from napari_advseg.networks import open_network
from napari_advseg.samples import load_sample
from napari_advseg.volume import SOFT_TISSUE, body_mask

CHANNELS, FIRST, GROWTH, WIDTH = 10, 0.015, 1.4, 1.67  # of Abbey and Barrett; FIRST in cycles per pixel
PATCH = 12  # pixels: least distance of two patches' middles, and from the image's edge
WINDOW = 6.0  # pixels: standard deviation of the window in which energies are averaged
PER_SLICE = 3
RIDGE = 1e-3  # of the covariance's mean variance: keeps its inverse finite where two channels say the same
RESAMPLED = 1000
SIGNS = ("PGD, 10 HU", "SegPGD, 10 HU", "CosPGD, 10 HU")
OTHERS = (*SIGNS, "white noise", "random deformation")
OURS = ("ours", "ours, appearance only")
NOTHING = "another random change as large as ours"
ATTACKS = (*OURS, *OTHERS, NOTHING)
LOUD, ALIKE = "random change as large as ours", "random change of its own kind and size"

CT = NDArray[np.int16]
Features = NDArray[np.float64]  # (patch, channel)


def channels(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(channel, y, x) transfer functions on numpy's Fourier grid."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), indexing="ij"))
    widths = FIRST * GROWTH ** np.arange(CHANNELS)[:, None, None]
    return np.exp(-((frequency / (WIDTH * widths)) ** 2) / 2) - np.exp(-((frequency / widths) ** 2) / 2)


def answers(ct: CT) -> NDArray[np.float64]:
    """(channel, z, y, x): every slice, in the soft-tissue window, through every channel."""
    seen = np.pad(np.clip(ct.astype(float), *SOFT_TISSUE), ((0, 0), (PATCH, PATCH), (PATCH, PATCH)), "reflect")
    spectrum = np.fft.fft2(seen)
    inner = (slice(None), slice(PATCH, -PATCH), slice(PATCH, -PATCH))
    return np.stack([np.fft.ifft2(spectrum * one).real[inner] for one in channels(seen.shape[1:])])


def middles(changed: CT, clean: CT) -> tuple[NDArray[np.intp], ...]:
    """Where to look, (z, y, x): in every slice the places of the body that were changed most, apart from each other."""
    change = np.clip(changed.astype(float), *SOFT_TISSUE) - np.clip(clean.astype(float), *SOFT_TISSUE)
    strength = ndimage.gaussian_filter(change**2, (0, 3, 3)) * body_mask(clean.astype(np.float32))
    strength[:, :PATCH] = strength[:, -PATCH:] = strength[:, :, :PATCH] = strength[:, :, -PATCH:] = 0
    found = []
    for z, plane in enumerate(strength):
        left = plane.copy()
        for _ in range(PER_SLICE):
            y, x = np.unravel_index(left.argmax(), left.shape)
            if left[y, x] <= 0:
                break
            found.append((z, y, x))
            left[max(0, y - PATCH) : y + PATCH, max(0, x - PATCH) : x + PATCH] = 0
    z, y, x = np.array(found).T
    return z, y, x


class Seen:
    """A CT as the observers see it, and where it was changed most."""

    def __init__(self, ct: CT, clean: CT) -> None:
        self._answers = answers(ct)
        self.middles = middles(ct, clean)

    def at(self, where: tuple[NDArray[np.intp], ...]) -> dict[str, Features]:
        """What the two observers are shown at places (z, y, x)."""
        reach = int(3 * WINDOW)
        bell = np.exp(-((np.arange(-reach, reach + 1) / WINDOW) ** 2) / 2)
        padded = np.pad(self._answers, ((0, 0), (0, 0), (reach, reach), (reach, reach)), "reflect")
        around = sliding_window_view(padded, (len(bell), len(bell)), (2, 3))[(slice(None), *where)]
        energies = np.einsum("cnyx,y,x->nc", around**2, bell, bell, optimize=True) / bell.sum() ** 2
        return {"answers": self._answers[(slice(None), *where)].T, "energies": np.log(energies + 1e-3)}


def compared(one: Seen, other: Seen) -> tuple[dict[str, Features], dict[str, Features]]:
    """Two CTs at the same places: where the one was changed most, and where the other was."""
    z, y, x = (np.concatenate(pair) for pair in zip(one.middles, other.middles, strict=True))
    return one.at((z, y, x)), other.at((z, y, x))


def shuffled(changed: CT, clean: CT, seed: int) -> CT:
    """The same changes of voxels, dealt out anew over the body: as large, and without structure."""
    body = body_mask(clean.astype(np.float32))
    change = changed.astype(np.int32) - clean
    change[body] = np.random.default_rng(seed).permutation(change[body])
    return (clean + change).astype(np.int16)


def pairs(case: Case, drop: float, seed: int) -> Iterator[tuple[str, float, CT, CT, CT | None]]:
    """Per attack: its name, its drop, the attacked CT, the random change as large as ours, and one of its own kind."""
    loud: CT | None = None
    for name in OURS:
        target = make_target(case, AttackRequest(**SEARCHES[name]))
        result = finish(search(target, SearchSettings(drop), case.clean_labels, CancelToken()))
        alike, again = (target.measure(control_parameters(result, draw)) for draw in (seed, seed + 500))
        loud = alike.perturbed if loud is None else loud
        yield name, result.achieved_drop, result.whole_perturbed, loud, alike.perturbed
        if name == "ours":
            yield NOTHING, again.drop, again.perturbed, loud, None
    assert loud is not None
    clean = as_saved(case.ct.hu)
    for peer in (peer for peer in PEERS if peer.name in OTHERS):
        _, find = by_peer(case, peer)
        found = find(drop)
        own = shuffled(found.perturbed, clean, seed) if peer.name in SIGNS else None
        yield peer.name, found.drop, found.perturbed, loud, own


def see(seed: int, network: str, drop: float, file: Path) -> None:
    """Attack a patient in every way, and keep what the observers are shown of it."""
    sample = load_sample("phantom", seed)
    request = CaseRequest(ct=sample.ct, network=open_network(network, device="cpu"), reference=sample.label_volume)
    case = finish(open_case(request, CancelToken()))
    kept = {"clean": as_saved(case.ct.hu)}
    for name, reached, changed, loud, alike in pairs(case, drop, 1000 + seed):
        kept |= {f"{name}|drop": np.array(reached), f"{name}|attacked": changed, LOUD: loud}
        if alike is not None:
            kept[f"{name}|{ALIKE}"] = alike
        print(f"patient {seed}, {name}: drop {reached:.3f}", file=sys.stderr, flush=True)
    aside = file.with_name("aside-" + file.name)
    np.savez_compressed(aside, **kept)
    aside.rename(file)


def template(attacked: Features, other: Features) -> NDArray[np.float64]:
    """Hotelling's: the inverse of the mean covariance times the difference of the means."""
    covariance = (np.cov(attacked.T) + np.cov(other.T)) / 2
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return np.linalg.solve(covariance, attacked.mean(0) - other.mean(0))


def auc(attacked: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The probability that an attacked patch scores higher."""
    return float(np.mean(attacked[:, None] > other) + 0.5 * np.mean(attacked[:, None] == other))


def detect(attacked: list[Features], other: list[Features]) -> tuple[float, float, float]:
    """Mean AUC over the patients, each tried with the others' template, and its 95 % bootstrap interval."""
    scores = []
    for out in range(len(attacked)):
        known = [index for index in range(len(attacked)) if index != out]
        weights = template(*(np.concatenate([kind[index] for index in known]) for kind in (attacked, other)))
        scores.append((attacked[out] @ weights, other[out] @ weights))
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLED):
        some = random.integers(len(scores), size=len(scores))
        each = []
        for index in some:
            picked = random.integers(len(scores[index][0]), size=len(scores[index][0]))  # places, in both CTs alike
            each.append(auc(scores[index][0][picked], scores[index][1][picked]))
        drawn.append(np.mean(each))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(np.mean([auc(*pair) for pair in scores])), float(low), float(high)


def judge(files: list[Path]) -> Iterator[tuple[str, Row]]:
    """The figures of every attack."""
    patients = [dict(np.load(file)) for file in files]
    louds = [Seen(patient[LOUD], patient["clean"]) for patient in patients]
    for name in ATTACKS:
        rms = [np.sqrt(np.mean((p[f"{name}|attacked"].astype(float) - p["clean"]) ** 2)) for p in patients]
        figures: Row = {"drop": float(np.mean([p[f"{name}|drop"] for p in patients])), "rms_hu": float(np.mean(rms))}
        attacked = [Seen(patient[f"{name}|attacked"], patient["clean"]) for patient in patients]
        others = {LOUD: louds}
        if f"{name}|{ALIKE}" in patients[0]:
            others[ALIKE] = [Seen(patient[f"{name}|{ALIKE}"], patient["clean"]) for patient in patients]
        for kind, seen in others.items():
            shown = [compared(*pair) for pair in zip(attacked, seen, strict=True)]
            figures["patches"] = sum(len(one["answers"]) for one, _ in shown)
            for what in ("answers", "energies"):
                figures[f"{what}, {kind}"] = detect(
                    [one[what] for one, _ in shown], [other[what] for _, other in shown]
                )
        yield name, figures


def table(rows: list[Row]) -> str:
    """AUC per attack."""
    lines = [
        "| attack | drop | rms HU as saved | patches | classical, against ours at random | energies, against ours at random "
        "| classical, against its own kind at random | energies, against its own kind at random |",
        "|" + "---|" * 8,
    ]
    for row in rows:
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(*row[key]) if (key := f"{shown}, {kind}") in row else "–"
            for kind in (LOUD, ALIKE)
            for shown in ("answers", "energies")
        ]
        head = f"| {row['attack']} | {row['drop']:.3f} | {row['rms_hu']:.2f} | {row['patches']} |"
        lines.append(f"{head} {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--drop", type=float, default=0.3)
    parser.add_argument("--network", default="phantom2d")
    parser.add_argument("--docs", type=Path, help="the page that shows the table")
    args = parser.parse_args()
    rows = Rows(args.work, "observer")
    files = [args.work / f"observer-{seed}.npz" for seed in range(args.patients)]
    for seed, file in enumerate(files):
        if not file.exists():
            see(seed, args.network, args.drop, file)
    key = {"network": args.network, "asked": args.drop, "patients": args.patients}
    if not rows.find(**key):
        for name, figures in judge(files):
            rows.keep({**key, "attack": name}, figures)
    text = (
        f"Measured on {rows.dates()} on {machine()}: `{args.network}`, drop {args.drop:g}, {args.patients} made patients; AUC, "
        f"with the 95 % interval of {RESAMPLED} bootstraps over patients and places.\n\n{table(rows.find(**key))}"
    )
    (args.work / "observer.md").write_text(text + "\n", encoding="utf-8")
    put(text, "observer", args.docs)
    print(text)


if __name__ == "__main__":
    main()
