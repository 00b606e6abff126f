"""Learning to attack: a generator against one frozen network and a critic, by adversarial learning.

Every step takes one CT per process, a drop drawn uniformly and a noise vector. The generator's change is synthesised,
rounded to whole HU and shown to the network; what counts is the soft drop, shifted to the hard one that was measured. The
random numbers of a step follow from the seed, the step's number and the process, so training that was interrupted goes
on to the same result.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attacks import Cancelled, CancelToken, Measured, Progress, Target
from ..synthesis import Synthesis
from .attacker import Attacker, clean_features
from .card import AttackerCard
from .crew import Crew
from .features import in_window
from .logs import log_lines, write_log, write_tensorboard
from .model import FieldGenerator, PatchCritic, critic_loss
from .muon import optimisers_of
from .objective import TrainingSettings, likeness, part_of, roughness, size_of

STATE = "training.pt"
_TWO_DRAWS_EVERY = 4  # steps: a second draw takes the generator one more pass
_MILD = 0.25  # budgets: deformation of the critic's real examples
_SAVE_S = 60.0  # a state is kept at least this often
_SMALL_DROP = 0.1  # keeps the weight of a change's size finite; larger drops may take larger changes


@dataclass(frozen=True)
class StepLog:
    """What one step measured, a mean over the processes; drops in Dice points of 1, ``size`` in budgets."""

    step: int
    asked: float
    achieved: float
    missed: float
    size: float
    loss: float
    critic_real: float
    critic_fake: float


def train(
    targets: Sequence[Target],
    card: AttackerCard,
    settings: TrainingSettings,
    folder: Path,
    cancel: CancelToken,
    crew: Crew | None = None,
    start: Attacker | None = None,
) -> Generator[Progress, None, Attacker]:
    """Train a generator on cases that are open; goes on where an earlier training in ``folder`` stopped.

    Parameters
    ----------
    targets
        The CTs of this process.
    crew
        The processes that train together; None for this one alone.
    start
        An attacker, for instance of another network, whose generator this one sets out from.

    Raises
    ------
    ValueError
        The folder holds a training with other settings or for another network; ``start`` has another shape.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not targets:
        raise ValueError("there is no CT to train on")
    run = _Training(targets, card, settings, folder, crew or Crew.alone(targets[0].placed.network.device), start)
    run.resume()
    if run.step:
        yield Progress(f"Going on after step {run.step} of {settings.steps}", run.step / settings.steps)
    started, first, saved = time.monotonic(), run.step, time.monotonic()
    try:
        while run.step < settings.steps:
            log = run.take_step(cancel)
            if run.step % settings.save_every == 0 or run.step == settings.steps or time.monotonic() - saved > _SAVE_S:
                run.save()
                saved = time.monotonic()
            yield Progress(
                f"Step {run.step} of {settings.steps}: asked {log.asked:.2f}, cost {log.achieved:.2f}",
                run.step / settings.steps,
                seconds_left=(time.monotonic() - started) / (run.step - first) * (settings.steps - run.step),
            )
    except Cancelled:
        run.save()
    return run.attacker()


class _Training:
    def __init__(
        self,
        targets: Sequence[Target],
        card: AttackerCard,
        settings: TrainingSettings,
        folder: Path,
        crew: Crew,
        start: Attacker | None,
    ) -> None:
        self.targets, self.card, self.settings, self.folder, self.crew = targets, card, settings, folder, crew
        self.device = targets[0].placed.network.device
        with torch.random.fork_rng([]):
            torch.manual_seed(settings.seed)
            self.generator = FieldGenerator(card).to(self.device)
            self.critic = PatchCritic(card.dimensions).to(self.device)
        if start is not None:
            _take_over(self.generator, start)
        rate = settings.learning_rate
        self.optimisers = optimisers_of(self.generator, settings.filter_rate, rate)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), rate / 2, betas=(0.5, 0.9))
        self.step = 0
        self._cases = card.cases or round(crew.mean(len(targets)) * crew.size)
        self._identity = self._describe(start)
        self._features: dict[int, Tensor] = {}
        self._logs: list[StepLog] = []

    def take_step(self, cancel: CancelToken) -> StepLog:
        """One CT, one drop, one noise: the generator's step and the critic's, both or none.

        Raises
        ------
        Cancelled
            Before anything was learned from this step.
        ValueError
            The gradient is no number; nothing was learned from it.
        """
        settings, card, crew = self.settings, self.card, self.crew
        if crew.size > 1 and crew.any(cancel.cancelled):  # all stop before the same step
            raise Cancelled
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step * crew.size + crew.rank)
        index = int(torch.randint(len(self.targets), (1,), generator=random))
        target = self.targets[index]
        low, high = card.drops[0], min(card.drops[1], float(target.clean.mean()))
        drop = low + (high - low) * float(torch.rand(1, generator=random))
        noises = torch.randn(2, card.noise, generator=random).to(self.device)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["first_rate"] * (1 - 0.95 * self.step / settings.steps)

        attacker = Attacker(card, self.generator)
        critic_before = deepcopy(self.critic.state_dict())  # its spectral norms learn in every pass
        # One process that stopped alone would leave the others waiting.
        check = cancel.check if crew.size == 1 else _go_on
        network = target.placed.network
        with network.stopping_at(check), target.synthesis.stopping_at(check):
            try:
                check()
                real = self._real_example(target.synthesis, random) if settings.realism else None
                features = self._features_of(index)
                with network.execution.halved(crew.half):  # of windows also on the way back
                    loss, fake, measured = self._loss(attacker, target, features, drop, noises, random)
                    self.generator.zero_grad()
                    loss.backward()
            except Cancelled:
                self.critic.load_state_dict(critic_before)
                raise
        crew.share_gradients(self.generator.parameters())
        if not torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0).isfinite():
            raise ValueError(
                f"the gradient of step {self.step + 1} is no number: train in full precision (32-true), or check the network"
            )
        for optimiser in self.optimisers:
            optimiser.step()
        judged = (0.0, 0.0) if real is None else self._train_critic(real, fake.detach())

        self.step += 1
        figures = (drop, measured.drop, abs(measured.drop - drop), measured.size, float(loss.detach()), *judged)
        log = StepLog(self.step, *(crew.mean(figure) for figure in figures))
        self._logs.append(log)
        return log

    def _loss(
        self,
        attacker: Attacker,
        target: Target,
        features: Tensor,
        drop: float,
        noises: Tensor,
        random: torch.Generator,
    ) -> tuple[Tensor, Tensor, Measured]:
        """What the generator is to make small; what the critic is to see of its change, and the measurement."""
        settings = self.settings
        with self._autocast():
            raw = attacker.propose(target.synthesis, features, drop, noises[0]).float()
        parameters = raw + (target.synthesis.project(raw.detach().clone()) - raw).detach()
        measured, soft, change = target.measure_softly(parameters, settings.temperature)
        missed = (soft + (measured.drop - soft).detach() - drop) / 0.1
        loss = 2 * settings.miss * F.huber_loss(missed, torch.zeros_like(missed))
        loss = loss + settings.size / (drop + _SMALL_DROP) * size_of(change, target.synthesis)
        loss = loss + settings.smoothness * roughness(raw, target.synthesis)
        rounded = change.hu + (change.hu.round() - change.hu).detach()
        fake = part_of(target.synthesis.batched(in_window(rounded)[None]), random)
        if settings.realism:
            with self._autocast():
                loss = loss - settings.realism * self.critic(fake).float().mean()
        if settings.diversity and self.step % _TWO_DRAWS_EVERY == 0:
            with torch.no_grad(), self._autocast():
                other = attacker.propose(target.synthesis, features, drop, noises[1]).float()
            loss = loss + settings.diversity * _TWO_DRAWS_EVERY * likeness(raw, other, target.synthesis)
        return loss, fake, measured

    @torch.no_grad()
    def _real_example(self, synthesis: Synthesis, random: torch.Generator) -> Tensor:
        """The CT moved a little at random and rounded, so that resampling does not give the others away."""
        parts = [torch.zeros_like(part) for part in synthesis.split(synthesis.zeros())]
        if synthesis.kind.deformation:
            parts[0] = torch.randn(parts[0].shape, generator=random).to(self.device) * _MILD
        moved = synthesis.change(synthesis.project(torch.cat([part.flatten() for part in parts]))).hu.round()
        return part_of(synthesis.batched(in_window(moved)[None]), random)

    def _train_critic(self, example: Tensor, fake: Tensor) -> tuple[float, float]:
        with self._autocast():
            real, attacked = self.critic(example).float(), self.critic(fake).float()
        self.critic_optimiser.zero_grad()
        critic_loss(real, attacked).backward()
        self.crew.share_gradients(self.critic.parameters())
        self.critic_optimiser.step()
        return float(real.detach().mean()), float(attacked.detach().mean())

    def _autocast(self) -> AbstractContextManager[None]:
        """The precision of generator and critic. On a CPU those in space stay in full: the weights' gradient of some
        convolutions of theirs is NaN in bfloat16 (torch 2.13, 144 channels at 4 x 28 x 36)."""
        in_full = self.card.dimensions == 3 and self.device.type == "cpu"
        return nullcontext() if in_full else self.crew.autocast()

    def _features_of(self, index: int) -> Tensor:
        if index not in self._features:
            self._features[index] = clean_features(self.targets[index], self.card)
        return self._features[index]

    def attacker(self) -> Attacker:
        """The generator as it stands, for use."""
        card = self.card.model_copy(update={"steps": self.step, "cases": self._cases})
        return Attacker(card, self.generator.eval())

    def save(self) -> None:
        """The state to go on from, and the attacker so far; each written aside and renamed. One process does it."""
        if self.crew.rank != 0:
            return
        state = {
            "step": self.step,
            "settings": self._identity,
            "generator": self.generator.state_dict(),
            "critic": self.critic.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "critic_optimiser": self.critic_optimiser.state_dict(),
        }
        aside = self.folder / f".{STATE}"
        packed = io.BytesIO()  # torch's own writer says a full disk as a RuntimeError of many lines
        torch.save(state, packed)
        aside.write_bytes(packed.getbuffer())
        rows = [asdict(log) for log in self._logs]
        self._logs.clear()
        self.attacker().save(self.folder)
        self.generator.train()
        write_log(self.folder, log_lines(self.folder) + [json.dumps(row) for row in rows])
        write_tensorboard(self.folder, rows)
        aside.replace(self.folder / STATE)  # last: what it counts as done has been written

    def resume(self) -> None:
        """Take up the training that the folder holds, if any."""
        path = self.folder / STATE
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["settings"] != self._identity:
            raise ValueError(
                f"{self.folder} holds a training with other settings, CTs, precision or processes, or for another network: "
                "choose another folder"
            )
        self.generator.load_state_dict(state["generator"])
        self.critic.load_state_dict(state["critic"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        self.step = int(state["step"])
        if self.crew.rank == 0:
            write_log(self.folder, log_lines(self.folder)[: self.step])  # steps after the checkpoint are taken again

    def _describe(self, start: Attacker | None) -> str:
        """What a training must have in common with one that it goes on from."""
        card = self.card.model_dump(mode="json", exclude={"calibration"})  # that is made at the end
        settings = self.settings.model_dump(mode="json", exclude={"save_every"})
        cts = [[*t.synthesis.ct.grid.shape, float(t.synthesis.ct.hu.sum(dtype=float))] for t in self.targets]
        digest = hashlib.sha256(json.dumps([self.crew.rank, cts]).encode()).digest()
        shares = self.crew.mean(float(int.from_bytes(digest[:5], "big")))
        described = [card, settings, self.crew.size, self._cases, shares]
        if self.crew.half or self.targets[0].placed.network.execution.half:
            described.append("half precision")
        if start is not None:
            described.append({name: float(value.double().sum()) for name, value in self.generator.state_dict().items()})
        return json.dumps(described)


def _take_over(generator: FieldGenerator, start: Attacker) -> None:
    """The weights of another attacker; one line of error where its generator has another shape."""
    try:
        generator.load_state_dict(start.generator.state_dict())
    except RuntimeError as fault:
        mine, its = generator.card, start.card
        raise ValueError(
            f"the training cannot set out from the attacker of '{its.network}' ({its.dimensions}-D, {its.classes} classes, "
            f"fields {its.fields}): this network's is {mine.dimensions}-D with {mine.classes} classes, fields {mine.fields}"
        ) from fault


def _go_on() -> None:
    return None
