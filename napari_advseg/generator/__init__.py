"""The learned attacker: generator, critic, training, use."""

from .attacker import Attacker, clean_features, draw_noise
from .card import AttackerCard
from .curves import draw_curves
from .model import FieldGenerator, PatchCritic
from .training import StepLog, TrainingSettings, train

__all__ = [
    "Attacker",
    "AttackerCard",
    "FieldGenerator",
    "PatchCritic",
    "StepLog",
    "TrainingSettings",
    "clean_features",
    "draw_curves",
    "draw_noise",
    "train",
]
