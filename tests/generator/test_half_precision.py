"""Training in half precision: everything that learns or is attacked runs so, what is measured afterwards does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_attackers import CPU, toy_card, toy_target

from napari_advseg.attacks import CancelToken
from napari_advseg.case import finish
from napari_advseg.generator import Crew, Precision, TrainingSettings, train


@pytest.mark.parametrize("card", [{}, {"patch": (12, 16, 24)}], ids=["at once", "windows"])
@pytest.mark.parametrize(("precision", "half"), [("32-true", False), ("bf16-mixed", True)])
def test_the_attacked_network_runs_in_the_trainings_precision(
    tmp_path: Path, precision: Precision, half: bool, card: dict[str, Any]
) -> None:
    target, halved = toy_target(), []
    network = target.placed.network
    network.card = network.card.model_copy(update=card)
    hook = network.module.register_forward_hook(lambda *_: halved.append(torch.is_autocast_enabled("cpu")))
    crew = Crew.alone(CPU, precision)
    finish(train([target], toy_card(), TrainingSettings(steps=2), tmp_path, CancelToken(), crew))
    hook.remove()
    features, *steps = halved  # the first gives the clean scores that are shown to the generator, as in use
    assert not features
    # Windows run without a gradient, in full, and once more on the way back.
    assert set(steps) == ({False, half} if card else {half})
    assert not network.execution.half


def test_a_training_is_not_gone_on_with_in_another_precision(tmp_path: Path) -> None:
    settings = TrainingSettings(steps=1)
    finish(train([toy_target()], toy_card(), settings, tmp_path, CancelToken(), Crew.alone(CPU, "bf16-mixed")))
    with pytest.raises(ValueError, match="other settings"):
        finish(train([toy_target()], toy_card(), settings, tmp_path, CancelToken()))


def test_a_gradient_that_is_no_number_ends_the_training_in_one_line(tmp_path: Path) -> None:
    target = toy_target()

    def spoil(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient * float("nan"))

    target.placed.network.module.register_forward_hook(spoil)
    steps = train([target], toy_card(), TrainingSettings(steps=2), tmp_path, CancelToken())
    with pytest.raises(ValueError, match="^the gradient of step 1 is no number: train in full precision"):
        finish(steps)
    assert not list(tmp_path.iterdir())
