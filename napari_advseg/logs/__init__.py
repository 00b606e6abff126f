"""The log of faults: one file of the user's own, and text in which no path names a patient."""

from .file import last_lines, log_folder, log_place, start_log, stop_log, without_user
from .text import without_paths

__all__ = ["last_lines", "log_folder", "log_place", "start_log", "stop_log", "without_paths", "without_user"]
