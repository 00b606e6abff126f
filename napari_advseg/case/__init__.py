"""The case in hand, without Qt: the user's intentions -> a checked job -> a run."""

from .along_path import complete_on_path, finding_at, path_target
from .case import Case, RegionNeededError, open_case
from .folder import cts_in, reference_of
from .reopening import result_from_bundle, result_to_look_at, target_from_bundle
from .request import AttackRequest, CaseRequest
from .run import (
    CONTROL_DRAWS,
    Finding,
    attack_case,
    complete_finding,
    finish,
    make_target,
    pick_organs,
    run,
    save_finding,
)
from .slim import restored, slimmed
from .training import Trained, TrainingRequest, train_attacker

__all__ = [
    "CONTROL_DRAWS",
    "AttackRequest",
    "Case",
    "CaseRequest",
    "Finding",
    "RegionNeededError",
    "Trained",
    "TrainingRequest",
    "attack_case",
    "complete_finding",
    "complete_on_path",
    "cts_in",
    "finding_at",
    "finish",
    "make_target",
    "open_case",
    "path_target",
    "pick_organs",
    "reference_of",
    "restored",
    "result_from_bundle",
    "result_to_look_at",
    "run",
    "save_finding",
    "slimmed",
    "target_from_bundle",
    "train_attacker",
]
