"""Many cases: the case list, what has been done on each, and running them."""

from .case_list import read_cases
from .case_table import write_table
from .listed import ListedCase

__all__ = ["ListedCase", "read_cases", "write_table"]
