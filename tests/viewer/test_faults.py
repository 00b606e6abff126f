"""What the dock says of jobs that fail."""

from __future__ import annotations

import pytest

from napari_advseg.networks import OutOfMemory
from napari_advseg.viewer.faults import fault_line


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (ImportError("this needs a package: pip install it"), "this needs a package: pip install it"),
        (OutOfMemory("memory ran out on cpu: give a smaller region"), "memory ran out on cpu: give a smaller region"),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied: /x"),
        (
            RuntimeError("surprise\nand more"),
            "Something went wrong (RuntimeError: surprise); the details are in the log.",
        ),
    ],
)
def test_a_fault_is_told_in_one_line(fault: Exception, line: str) -> None:
    assert fault_line(fault) == line
