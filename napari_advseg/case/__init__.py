"""The case in hand, without Qt: the user's intentions -> a checked job -> a run."""

from .case import Case, RegionNeededError, open_case
from .request import AttackRequest, CaseRequest
from .run import Finding, attack_case, complete_finding, finish, pick_organs, run, save_finding
from .training import Trained, TrainingRequest, train_attacker

__all__ = [
    "AttackRequest",
    "Case",
    "CaseRequest",
    "Finding",
    "RegionNeededError",
    "Trained",
    "TrainingRequest",
    "attack_case",
    "complete_finding",
    "finish",
    "open_case",
    "pick_organs",
    "run",
    "save_finding",
    "train_attacker",
]
