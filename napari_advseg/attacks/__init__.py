"""Finding the change that costs the asked-for Dice: objective, search, calibration, result."""

from .cost import CostMeter, peak_memory_mb
from .dice import organ_dice, soft_dice
from .progress import Cancelled, CancelToken, Progress
from .repeats import Repeats, repeat
from .result import AttackResult, Cost, Organ, PathPoint, as_saved, broken_off_by
from .search import SearchSettings, search, set_strength
from .strength_path import first_crossing, meeting_strength
from .target import SMALLEST_ORGAN, Measured, Target, score_organs

__all__ = [
    "SMALLEST_ORGAN",
    "AttackResult",
    "CancelToken",
    "Cancelled",
    "Cost",
    "CostMeter",
    "Measured",
    "Organ",
    "PathPoint",
    "Progress",
    "Repeats",
    "SearchSettings",
    "Target",
    "as_saved",
    "broken_off_by",
    "first_crossing",
    "meeting_strength",
    "organ_dice",
    "peak_memory_mb",
    "repeat",
    "score_organs",
    "search",
    "set_strength",
    "soft_dice",
]
