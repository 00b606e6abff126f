"""A training that sets out from another attacker."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_attackers import toy_card, toy_target, train_state

from napari_advseg.attacks import CancelToken
from napari_advseg.case import finish
from napari_advseg.generator import Attacker, TrainingSettings, train


def test_the_first_step_is_taken_from_the_other_attackers_weights(tmp_path: Path) -> None:
    other = Attacker(toy_card(), train_state(3))
    with torch.no_grad():
        for value in other.generator.parameters():
            value.mul_(0.5)
    still = TrainingSettings(steps=1, learning_rate=1e-12, filter_rate=1e-12)
    for name, start in (("from", other), ("new", None)):
        made = finish(train([toy_target()], toy_card(), still, tmp_path / name, CancelToken(), start=start))
        near = torch.allclose(made.generator.enter.weight, other.generator.enter.weight, atol=1e-6)
        assert near == (start is other)


def test_a_training_that_set_out_from_another_is_not_gone_on_with_without_it(tmp_path: Path) -> None:
    other = Attacker(toy_card(), train_state(3))
    settings = TrainingSettings(steps=1)
    finish(train([toy_target()], toy_card(), settings, tmp_path, CancelToken(), start=other))
    with pytest.raises(ValueError, match="other settings"):
        finish(train([toy_target()], toy_card(), settings, tmp_path, CancelToken()))


def test_an_attacker_of_another_shape_is_refused_in_one_line(tmp_path: Path) -> None:
    flat = Attacker(toy_card(2), train_state(2))
    with pytest.raises(ValueError, match=r"attacker of 'toy' \(2-D, 2 classes"):
        finish(train([toy_target()], toy_card(), TrainingSettings(steps=1), tmp_path, CancelToken(), start=flat))
