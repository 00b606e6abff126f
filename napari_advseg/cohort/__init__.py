"""Many cases: the case list, what has been done on each, and running them."""

from .case_list import read_cases
from .case_table import write_table
from .identity import AttackJob, network_digest
from .listed import ListedCase
from .lock import LockedError
from .queue import CohortRequest, CohortSummary, attack_all
from .status import CaseStatus, Outcome, State
from .work_folder import WorkFolder

__all__ = [
    "AttackJob",
    "CaseStatus",
    "CohortRequest",
    "CohortSummary",
    "ListedCase",
    "LockedError",
    "Outcome",
    "State",
    "WorkFolder",
    "attack_all",
    "network_digest",
    "read_cases",
    "write_table",
]
