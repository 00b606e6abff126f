"""What is asked for by default is the same wherever it is asked: the rooms without torch cannot look it up."""

from __future__ import annotations

import inspect

from napari_advseg.cli.training import train
from napari_advseg.generator import TrainingSettings
from napari_advseg.viewer.wishes import TrainingWish


def test_a_training_takes_as_many_steps_from_everywhere() -> None:
    core = TrainingSettings().steps
    assert inspect.signature(train).parameters["steps"].default == core
    assert TrainingWish.steps == core
