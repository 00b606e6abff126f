"""What the dock says of jobs that fail."""

from __future__ import annotations

import pytest

from napari_advseg.logs import start_log, stop_log
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
            "Something went wrong (RuntimeError: surprise); the details are on standard error.",
        ),
    ],
)
def test_a_fault_is_told_in_one_line(fault: Exception, line: str) -> None:
    stop_log()
    assert fault_line(fault) == line


def test_a_fault_that_nobody_foresaw_says_where_the_log_is() -> None:
    place = start_log()
    assert place is not None
    assert fault_line(RuntimeError("surprise")).endswith("the details are in the log, " + str(place) + ".")
    assert "RuntimeError: surprise" in place.read_text()
    stop_log()
