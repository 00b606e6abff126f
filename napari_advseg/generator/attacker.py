"""A learned attacker in use: one pass of the generator gives a change for any CT and any drop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..attacks import Target
from ..networks import ModelCard, ran_out
from ..synthesis import Kind, Synthesis
from .card import AttackerCard
from .features import parameters_of, shown_to_generator
from .model import FieldGenerator

WEIGHTS = "generator.safetensors"
_RISE = (
    0.005  # of the cost from one drop that was tried to the next, Dice points: below, it says nothing of what to ask
)


@dataclass(frozen=True, eq=False)
class Attacker:
    """A generator with its card."""

    card: AttackerCard
    generator: FieldGenerator

    @classmethod
    def load(cls, folder: str | Path, device: torch.device) -> Attacker:
        """Read a folder that training wrote; a ValueError of one line where it is none."""
        folder = Path(folder)
        card = AttackerCard.read(folder)
        generator = FieldGenerator(card)
        try:
            generator.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as fault:
            if ran_out(fault):  # the file is right, and there is no room for it
                raise MemoryError(str(fault).splitlines()[0]) from fault
            raise ValueError(
                f"{folder / WEIGHTS} does not hold the generator that the card describes: {str(fault).splitlines()[0]}"
            ) from fault
        return cls(card, generator.to(device).eval())

    def save(self, folder: Path) -> None:
        """Write card and weights, each aside first."""
        aside = folder / f".{WEIGHTS}"
        weights = {name: value.detach().cpu().contiguous() for name, value in self.generator.state_dict().items()}
        aside.write_bytes(save(weights))  # not safetensors' own writer, whose errors are no OSError
        aside.replace(folder / WEIGHTS)
        self.card.write(folder)

    def calibrated(self, missed: dict[float, float]) -> Attacker:
        """With what was found on patients kept out: drop asked for -> mean of what was missed by, with its sign."""
        points = sorted((asked, asked + by) for asked, by in missed.items())
        costs = [0.0] + [cost for _, cost in points]
        # Drops beyond what the generator can do cost what the one before did; the line below them goes on.
        rising = list(takewhile(lambda pair: pair[1] - pair[0] >= _RISE, pairwise(costs)))
        told = self.card.conditioned and len(rising) >= min(2, len(points))
        return replace(
            self, card=self.card.model_copy(update={"calibration": tuple(points[: len(rising)]) if told else ()})
        )

    def fits(self, network: ModelCard, kind: Kind) -> None:
        """A ValueError of one line where the network, or what may change, is not what the generator was made for."""
        lacking = [
            name
            for name, asked, has in (
                ("the deformation", kind.deformation, self.card.deformation),
                ("the appearance", kind.appearance, self.card.appearance),
            )
            if asked and not has
        ]
        if lacking:
            raise ValueError(f"the attacker was trained without {lacking[0]}: leave it out, or use the search")
        if network.dimensions != self.card.dimensions or len(network.labels) != self.card.classes:
            raise ValueError(
                f"the attacker was trained for a {self.card.dimensions}-D network of {self.card.classes} classes "
                f"('{self.card.network}'); '{network.name}' is {network.dimensions}-D with {len(network.labels)}: "
                "train one for it, or use the search"
            )

    def warning(self, network: ModelCard) -> str:
        """What to tell where the attacker is used on another network than its own; "" where it is not."""
        if network.sha256 == self.card.network_sha256:
            return ""
        return (
            f"The attacker was trained for '{self.card.network}', not for '{network.name}': what it costs here shows "
            "how far attacks carry over"
        )

    def generate(self, target: Target, drop: float, seed: int) -> Tensor:
        """Parameters of the change for ``drop`` with the noise of ``seed``, in the budget; one clean pass of the
        network for its scores, none backward."""
        return self.drawing(target, seed)(drop)

    def drawing(self, target: Target, seed: int) -> Callable[[float], Tensor]:
        """What gives the parameters for any drop with the noise of ``seed``, in the budget; the network's one clean
        pass is made here, and asking for drops takes none."""
        features = clean_features(target, self.card)
        noise = draw_noise(self.card, seed).to(features.device)

        @torch.no_grad()
        def draw(drop: float) -> Tensor:
            asked = self.card.asked_for(drop)
            return target.synthesis.project(self.propose(target.synthesis, features, asked, noise))

        return draw

    def propose(self, synthesis: Synthesis, features: Tensor, drop: float, noise: Tensor) -> Tensor:
        """Parameters as the generator gives them, differentiable in its weights, not yet in the Jacobians' range."""
        velocity, appearance = self.generator(features, drop, noise)
        return parameters_of(synthesis, velocity, appearance)


def clean_features(target: Target, card: AttackerCard) -> Tensor:
    """What the generator is shown of a case: one forward pass of the network on the clean CT."""
    with torch.no_grad():
        return shown_to_generator(target.synthesis, target.clean_scores(), card)


def draw_noise(card: AttackerCard, seed: int) -> Tensor:
    """(noise,) normal numbers, the same for the same seed on every device."""
    return torch.randn(card.noise, generator=torch.Generator().manual_seed(seed))
