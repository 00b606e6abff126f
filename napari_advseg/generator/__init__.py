"""The learned attacker: generator, critic, training, use."""

from .attacker import WEIGHTS, Attacker, clean_features, draw_noise
from .card import AttackerCard
from .crew import PRECISIONS, Crew, Precision
from .curves import draw_curves
from .model import FieldGenerator, PatchCritic
from .objective import TrainingSettings
from .training import StepLog, train

__all__ = [
    "PRECISIONS",
    "WEIGHTS",
    "Attacker",
    "AttackerCard",
    "Crew",
    "FieldGenerator",
    "PatchCritic",
    "Precision",
    "StepLog",
    "TrainingSettings",
    "clean_features",
    "draw_curves",
    "draw_noise",
    "train",
]
