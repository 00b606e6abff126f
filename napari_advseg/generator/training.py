"""Learning to attack: a generator against one frozen network and a critic, by adversarial learning.

Every step takes one CT, a drop drawn uniformly and a noise vector. The generator's change is synthesised, rounded to
whole HU and shown to the network; what counts is the soft drop, shifted to the hard one that was measured. The random
numbers of a step follow from the seed and the step's number alone, so training that was interrupted goes on to the same
result.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..attacks import Cancelled, CancelToken, Measured, Progress, Target
from ..synthesis import Change, Synthesis
from .attacker import Attacker, clean_features
from .card import AttackerCard
from .features import in_window
from .model import FieldGenerator, PatchCritic, critic_loss

STATE, LOG = "training.pt", "log.jsonl"
_MILD = 0.25  # budgets: deformation of the critic's real examples


class TrainingSettings(BaseModel):
    """How a generator is trained.

    Parameters
    ----------
    steps
        One CT each.
    miss, size, smoothness, realism, diversity
        Weights of: the square of the missed drop in units of 0.1; the mean square of the change in budgets; the mean
        square of the differences of neighbouring control values; the critic's verdict; the likeness of two draws.
    save_every
        Steps between checkpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(1500, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    miss: float = 1.0
    size: float = 3.0
    smoothness: float = 0.05
    realism: float = Field(0.02, ge=0)
    diversity: float = Field(0.05, ge=0)
    seed: int = 0
    save_every: int = Field(50, ge=1)


@dataclass(frozen=True)
class StepLog:
    """What one step measured; drops in Dice points of 1, ``size`` in budgets."""

    step: int
    asked: float
    achieved: float
    size: float
    loss: float
    critic_real: float
    critic_fake: float


def train(
    targets: Sequence[Target], card: AttackerCard, settings: TrainingSettings, folder: Path, cancel: CancelToken
) -> Generator[Progress, None, Attacker]:
    """Train a generator on cases that are open; goes on where an earlier training in ``folder`` stopped.

    Raises
    ------
    ValueError
        The folder holds a training with other settings or for another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Training(targets, card, settings, folder)
    run.resume()
    if run.step:
        yield Progress(f"Going on after step {run.step} of {settings.steps}", run.step / settings.steps)
    try:
        while run.step < settings.steps:
            log = run.take_step(cancel)
            if run.step % settings.save_every == 0 or run.step == settings.steps:
                run.save()
            yield Progress(
                f"Step {run.step} of {settings.steps}: asked {log.asked:.2f}, cost {log.achieved:.2f}",
                run.step / settings.steps,
            )
    except Cancelled:
        run.save()
    return run.attacker()


class _Training:
    def __init__(self, targets: Sequence[Target], card: AttackerCard, settings: TrainingSettings, folder: Path) -> None:
        if not targets:
            raise ValueError("there is no CT to train on")
        self.targets, self.card, self.settings, self.folder = targets, card, settings, folder
        self.device = targets[0].placed.network.device
        with torch.random.fork_rng([]):
            torch.manual_seed(settings.seed)
            self.generator = FieldGenerator(card).to(self.device)
            self.critic = PatchCritic(card.dimensions).to(self.device)
        rate = settings.learning_rate
        self.optimiser = torch.optim.Adam(self.generator.parameters(), rate, betas=(0.5, 0.9))
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), rate / 2, betas=(0.5, 0.9))
        self.step = 0
        self._features: dict[int, Tensor] = {}
        self._logs: list[StepLog] = []

    def take_step(self, cancel: CancelToken) -> StepLog:
        """One CT, one drop, one noise: the generator's step and the critic's, both or none.

        Raises
        ------
        Cancelled
            Before anything was learned from this step.
        """
        settings, card = self.settings, self.card
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        index = int(torch.randint(len(self.targets), (1,), generator=random))
        target = self.targets[index]
        low, high = card.drops[0], min(card.drops[1], float(target.clean.mean()))
        drop = low + (high - low) * float(torch.rand(1, generator=random))
        noises = torch.randn(2, card.noise, generator=random).to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 - 0.95 * self.step / settings.steps)

        attacker = Attacker(card, self.generator)
        critic_before = deepcopy(self.critic.state_dict())  # its spectral norms learn in every pass
        with target.placed.network.stopping_at(cancel.check), target.synthesis.stopping_at(cancel.check):
            try:
                cancel.check()
                real = self._real_example(target.synthesis, random) if settings.realism else None
                loss, fake, measured = self._loss(attacker, target, self._features_of(index), drop, noises)
                self.optimiser.zero_grad()
                loss.backward()
            except Cancelled:
                self.critic.load_state_dict(critic_before)
                raise
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.optimiser.step()
        judged = (0.0, 0.0) if real is None else self._train_critic(real, fake.detach())

        self.step += 1
        log = StepLog(self.step, drop, measured.drop, measured.size, float(loss.detach()), *judged)
        self._logs.append(log)
        return log

    def _loss(
        self, attacker: Attacker, target: Target, features: Tensor, drop: float, noises: Tensor
    ) -> tuple[Tensor, Tensor, Measured]:
        """What the generator is to make small; the critic's view of its change, and the measurement."""
        settings = self.settings
        raw = attacker.propose(target.synthesis, features, drop, noises[0])
        parameters = raw + (target.synthesis.project(raw.detach().clone()) - raw).detach()
        measured, soft, change = target.measure_softly(parameters)
        achieved = soft + (measured.drop - soft).detach()
        rounded = change.hu + (change.hu.round() - change.hu).detach()
        fake = target.synthesis.batched(in_window(rounded)[None])
        loss = settings.miss * ((achieved - drop) / 0.1).square().clamp(max=25.0)
        loss = loss + settings.size * size_of(change, target.synthesis)
        loss = loss + settings.smoothness * roughness(raw, target.synthesis)
        if settings.realism:
            loss = loss - settings.realism * self.critic(fake).mean()
        if settings.diversity:
            other = attacker.propose(target.synthesis, features, drop, noises[1])
            loss = loss + settings.diversity * torch.cosine_similarity(raw, other, 0).square()
        return loss, fake, measured

    @torch.no_grad()
    def _real_example(self, synthesis: Synthesis, random: torch.Generator) -> Tensor:
        """The CT moved a little at random and rounded, so that resampling does not give the others away."""
        parts = [torch.zeros_like(part) for part in synthesis.split(synthesis.zeros())]
        if synthesis.kind.deformation:
            parts[0] = torch.randn(parts[0].shape, generator=random).to(self.device) * _MILD
        moved = synthesis.change(synthesis.project(torch.cat([part.flatten() for part in parts]))).hu.round()
        return synthesis.batched(in_window(moved)[None])

    def _train_critic(self, example: Tensor, fake: Tensor) -> tuple[float, float]:
        real, attacked = self.critic(example), self.critic(fake)
        self.critic_optimiser.zero_grad()
        critic_loss(real, attacked).backward()
        self.critic_optimiser.step()
        return float(real.detach().mean()), float(attacked.detach().mean())

    def _features_of(self, index: int) -> Tensor:
        if index not in self._features:
            self._features[index] = clean_features(self.targets[index], self.card)
        return self._features[index]

    def attacker(self) -> Attacker:
        """The generator as it stands, for use."""
        card = self.card.model_copy(update={"steps": self.step, "cases": len(self.targets)})
        return Attacker(card, self.generator.eval())

    def save(self) -> None:
        """The state to go on from, and the attacker so far; each written aside and renamed."""
        state = {
            "step": self.step,
            "settings": self._identity(),
            "generator": self.generator.state_dict(),
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
        }
        aside = self.folder / f".{STATE}"
        torch.save(state, aside)
        lines = _logged(self.folder) + [json.dumps(log.__dict__) for log in self._logs]
        self._logs.clear()
        self.attacker().save(self.folder)
        self.generator.train()
        log_aside = self.folder / f".{LOG}"
        log_aside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        log_aside.replace(self.folder / LOG)
        aside.replace(self.folder / STATE)  # last: what it counts as done has been written

    def resume(self) -> None:
        """Take up the training that the folder holds, if any."""
        path = self.folder / STATE
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["settings"] != self._identity():
            raise ValueError(
                f"{self.folder} holds a training with other settings, CTs or for another network: choose another folder"
            )
        self.generator.load_state_dict(state["generator"])
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        self.step = int(state["step"])
        lines = _logged(self.folder)[: self.step]  # steps after the checkpoint are taken again
        (self.folder / LOG).write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def _identity(self) -> str:
        card, settings = (
            self.card.model_dump(mode="json"),
            self.settings.model_dump(mode="json", exclude={"save_every"}),
        )
        cts = [[*t.synthesis.ct.grid.shape, float(t.synthesis.ct.hu.sum(dtype=float))] for t in self.targets]
        return json.dumps([card, settings, cts])


def size_of(change: Change, synthesis: Synthesis) -> Tensor:
    """Mean square of a change in units of the budget, differentiable."""
    budget, total = synthesis.budget, torch.zeros((), device=change.hu.device)
    if budget.max_displacement_mm > 0:
        spacing = torch.tensor(synthesis.ct.grid.spacing, device=change.hu.device).view(3, 1, 1, 1)
        moved = (change.displacement * spacing / budget.max_displacement_mm).square().sum(0)
        total = total + moved.mean()
    if budget.max_hu > 0:
        total = total + (change.appearance / budget.max_hu).square().mean()
    return total


def roughness(parameters: Tensor, synthesis: Synthesis) -> Tensor:
    """Mean square of the differences between neighbouring control values, over all axes and fields."""
    total = torch.zeros((), device=parameters.device)
    for part in synthesis.split(parameters):
        for axis in range(1, 4):
            if part.shape[axis] > 1:
                total = total + part.diff(dim=axis).square().mean()
    return total


def _logged(folder: Path) -> list[str]:
    path = folder / LOG
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
