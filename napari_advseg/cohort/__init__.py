"""Many cases: the case list, what has been done on each, and running them."""

from .case_list import read_cases
from .case_table import write_table
from .ct_of_bundle import find_ct, lost_ct_line
from .identity import AttackJob, network_digest
from .listed import ListedCase
from .lock import LockedError
from .queue import CohortRequest, CohortSummary, attack_all
from .status import CaseStatus, Outcome, State
from .work_folder import WorkFolder, is_work_folder, place_of_list

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
    "find_ct",
    "is_work_folder",
    "lost_ct_line",
    "network_digest",
    "place_of_list",
    "read_cases",
    "write_table",
]
