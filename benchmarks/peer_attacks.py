"""The peers of the search, written anew from their papers: each climbs step by step and knows no target.

Every attack is a generator of measurements on whole HU, one per step, the cheapest change first; whoever takes them
decides when to stop, and what has not been asked for is not spent. All of them change the body only, in the same
region, and are judged by the same :class:`Target` as the search, the reference moved with the anatomy.

* PGD: Madry, Makelov, Schmidt, Tsipras, Vladu, *Towards deep learning models resistant to adversarial attacks* (ICLR
  2018, arXiv 1706.06083), on the mean cross-entropy.
* SegPGD: Gu, Zhao, Tresp, Torr, *SegPGD: an effective and efficient adversarial attack for evaluating and boosting
  segmentation robustness* (ECCV 2022, arXiv 2207.12391).
* CosPGD: Agnihotri, Jung, Keuper, *CosPGD: an efficient white-box adversarial attack for pixel-wise prediction tasks*
  (ICML 2024, arXiv 2302.02213).
* AdvChain-like: after Chen, Qin, Ouyang, Li, Wang, Qiu, Chen, Tarroni, Bai, Rueckert, *Enhancing MR image segmentation
  with realistic adversarial data augmentation* (Medical Image Analysis 2022, arXiv 2108.03429).

The first three start from the clean CT instead of a random point of the ball: a start full of noise would only make the
change larger that is needed for a drop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from napari_advseg.attacks import Measured, Target, soft_dice
from napari_advseg.case import AttackRequest, Case, make_target
from napari_advseg.synthesis import Budget, Change, Kind, Synthesis
from napari_advseg.volume import SOFT_TISSUE, Region, Volume

STEPS = 20
STEP_LENGTH = 2.5  # bounds, over all steps: Madry's rule, which lets every voxel reach its bound and come back
BIAS_MM = 40.0  # distance of the bias field's control points
CHAIN_START, CHAIN_STEP = 0.1, 0.15  # budgets, root mean square over the control points
NOISE_HU = tuple(2.0**power for power in range(9))  # standard deviations tried, up to 256 HU
RANDOM_MM = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # standard deviations of the velocity's control values
FARTHEST_MM = 40.0
UNFOLDED = (0.05, 20.0)  # Jacobians of the random deformation: wider than an attack's, so that it can grow

# (class, z, y, x) scores, (z, y, x) reference, the scored ids, share of the steps done
Loss = Callable[[Tensor, Tensor, list[int], float], Tensor]
Start = Callable[[Case, int], tuple["Climbed", Iterator[Measured]]]


@dataclass(frozen=True)
class Peer:
    """An attack and its name in the tables; ``start`` takes a case and a seed."""

    name: str
    start: Start


class Voxels(Synthesis):
    """A change of every voxel by itself: one parameter per voxel of the region, in HU; nothing moves."""

    def __init__(self, ct: Volume, region: Region, still_axis: int | None, device: torch.device) -> None:
        kind = Kind(deformation=False, still_axis=still_axis, interpolation="linear")
        super().__init__(ct, region, Budget(0.0, 1000.0), kind, device)

    @property
    def size(self) -> int:
        return int(np.prod(self.region.shape))

    def change(self, parameters: Tensor, strength: float = 1.0) -> Change:
        added = parameters.view(self.region.shape) * self._body * strength
        displacement = torch.zeros(3, *self.region.shape, device=self.device)
        return Change((self._still + added).clamp(-32768.0, 32767.0), displacement, added)

    def project(self, parameters: Tensor) -> Tensor:
        return parameters


class Climbed(Target):
    """A target under losses of others' than its own."""

    @property
    def reference_in_view(self) -> Tensor:
        """(z, y, x) of what the network is shown, class ids."""
        return torch.from_numpy(self._in_view.astype(np.int64)).to(self._still.device)

    def look(self, parameters: Tensor) -> tuple[Measured, Tensor, Change, Tensor]:
        """One forward pass on whole HU with its graph: measurement, scores of the view, change, the graph's leaf."""
        point = parameters.detach().requires_grad_()
        change = self.synthesis.change(point)
        scores = self.placed.scores(self._shown(change.hu + (change.hu.round() - change.hu).detach()))
        return self._judge(point, 1.0, change, scores.detach()), scores, change, point

    def in_region(self, scores: Tensor) -> Tensor:
        """The region's part of the view's scores."""
        return scores[(slice(None), *self._changes)]


def cross_entropy(scores: Tensor, reference: Tensor, _ids: list[int], _done: float) -> Tensor:
    """The mean over the voxels."""
    return F.cross_entropy(scores[None], reference[None])


def segpgd_loss(scores: Tensor, reference: Tensor, _ids: list[int], done: float) -> Tensor:
    """Voxels that are still right count more, the less so the more steps are done."""
    each = F.cross_entropy(scores[None], reference[None], reduction="none")[0]
    right = scores.detach().argmax(0) == reference
    loss: Tensor = (torch.where(right, 1 - done / 2, done / 2) * each).mean()
    return loss


def cospgd_loss(scores: Tensor, reference: Tensor, _ids: list[int], _done: float) -> Tensor:
    """A voxel counts by the cosine between its probabilities and the truth's one-hot vector."""
    each = F.cross_entropy(scores[None], reference[None], reduction="none")[0]
    probabilities = scores.detach().softmax(0)
    true = probabilities.gather(0, reference[None])[0]
    loss: Tensor = (true / probabilities.norm(dim=0) * each).mean()
    return loss


def soft_dice_loss(scores: Tensor, reference: Tensor, ids: list[int], _done: float) -> Tensor:
    """What the search follows: tells what of its strength is its loss."""
    is_organ = torch.stack([(reference == index).float() for index in ids])
    return -soft_dice(scores, is_organ, ids, 1.0).mean()


def sign_ascent(loss: Loss, bound: float) -> Start:
    """Steps along the gradient's sign within ``bound`` HU of every voxel."""

    def start(case: Case, _seed: int) -> tuple[Climbed, Iterator[Measured]]:
        target = _voxelwise(case)

        def climb() -> Iterator[Measured]:
            delta, reference = torch.zeros(target.synthesis.size, device=case.network.device), target.reference_in_view
            for step in range(STEPS):
                measured, scores, _, point = target.look(delta)
                yield measured
                (gradient,) = torch.autograd.grad(loss(scores, reference, target.ids, step / STEPS), point)
                delta = (delta + STEP_LENGTH * bound / STEPS * gradient.sign()).clamp(-bound, bound)
            yield target.measure(delta)

        return target, climb()

    return start


def chain_ascent(case: Case, seed: int) -> tuple[Climbed, Iterator[Measured]]:
    """Deformation and bias field climb the disagreement with the clean prediction, moved with the anatomy.

    On CT the bias is added, in HU, since a factor on HU has no meaning. Budgets are the search's; the step of either
    field has a fixed length, whatever its gradient's.
    """
    ours = make_target(case, AttackRequest())
    kind = Kind(still_axis=ours.synthesis.kind.still_axis, appearance_mm=(BIAS_MM,))
    target = _climbed(case, Synthesis(case.ct, ours.synthesis.region, ours.synthesis.budget, kind, case.network.device))
    synthesis = target.synthesis

    def climb() -> Iterator[Measured]:
        clean = target.clean_scores().softmax(0)
        # At no change the disagreement is at its least and has no slope: the ascent needs a random start.
        parameters = synthesis.project(CHAIN_START * _normal(synthesis.size, seed, case.network.device))
        for _ in range(STEPS):
            measured, scores, change, point = target.look(parameters)
            yield measured
            moved = synthesis.move_soft(clean, change.displacement)
            disagreement = F.kl_div(target.in_region(scores).log_softmax(0), moved, reduction="sum")
            (gradient,) = torch.autograd.grad(disagreement, point)
            steps = [part / part.square().mean().sqrt().clamp_min(1e-12) for part in synthesis.split(gradient)]
            parameters = synthesis.project(parameters + CHAIN_STEP * torch.cat([step.flatten() for step in steps]))
        yield target.measure(parameters)

    return target, climb()


def white_noise(case: Case, seed: int) -> tuple[Climbed, Iterator[Measured]]:
    """Independent normal noise in every voxel, louder and louder."""
    target = _voxelwise(case)
    return target, _louder(target, _normal(target.synthesis.size, seed, case.network.device), NOISE_HU)


def matched_noise(case: Case, seed: int) -> tuple[Climbed, Iterator[Measured]]:
    """Noise with the in-plane spectrum of the CT's own: what a Gaussian filter leaves, its phases made random."""
    target = _voxelwise(case)
    hu = np.clip(case.ct.hu[target.synthesis.region.slices], *SOFT_TISSUE)
    # Organs' edges are no noise: what they leave is cut off.
    residual = np.clip(hu - ndimage.gaussian_filter(hu, (0, 1.5, 1.5)), -30.0, 30.0)
    phases = np.fft.fft2(np.random.default_rng(seed).standard_normal(residual.shape))
    phases /= np.maximum(np.abs(phases), 1e-12)
    made = np.fft.ifft2(np.abs(np.fft.fft2(residual)) * phases).real
    unit = torch.from_numpy((made / made.std()).astype(np.float32)).flatten().to(case.network.device)
    return target, _louder(target, unit, NOISE_HU)


def random_deformation(case: Case, seed: int) -> tuple[Climbed, Iterator[Measured]]:
    """A random velocity on the search's own lattice, farther and farther; shrunk where it would fold."""
    ours = make_target(case, AttackRequest(appearance=False)).synthesis
    budget = Budget(FARTHEST_MM, 0.0, UNFOLDED)
    target = _climbed(case, Synthesis(case.ct, ours.region, budget, ours.kind, case.network.device))
    unit = _normal(target.synthesis.size, seed, case.network.device) / FARTHEST_MM
    return target, _louder(target, unit, RANDOM_MM)


def _louder(target: Climbed, unit: Tensor, sizes: tuple[float, ...]) -> Iterator[Measured]:
    for size in sizes:
        yield target.measure(target.synthesis.project(unit * size))


def _voxelwise(case: Case) -> Climbed:
    ours = make_target(case, AttackRequest()).synthesis
    return _climbed(case, Voxels(case.ct, ours.region, ours.kind.still_axis, case.network.device))


def _climbed(case: Case, synthesis: Synthesis) -> Climbed:
    return Climbed(case.placed, synthesis, case.reference, case.organs)


def _normal(size: int, seed: int, device: torch.device) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)).to(device)


PEERS = (
    *(Peer(f"PGD, {bound} HU", sign_ascent(cross_entropy, float(bound))) for bound in (2, 5, 10, 15)),
    Peer("SegPGD, 10 HU", sign_ascent(segpgd_loss, 10.0)),
    Peer("CosPGD, 10 HU", sign_ascent(cospgd_loss, 10.0)),
    Peer("PGD on our soft Dice, 10 HU", sign_ascent(soft_dice_loss, 10.0)),
    Peer("AdvChain-like", chain_ascent),
    Peer("white noise", white_noise),
    Peer("noise like the CT's", matched_noise),
    Peer("random deformation", random_deformation),
)
