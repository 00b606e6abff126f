"""One line for whatever went wrong."""

from __future__ import annotations

import logging

from ..logs import log_place

log = logging.getLogger("napari_advseg")

QUESTIONS = ("ConsentNeededError", "SeveralSeriesError", "CardNeededError")  # what only the user can settle


def fault_line(fault: BaseException) -> str:
    """What the dock says of a job that failed; what is not the user's to correct goes to the log as well."""
    name = type(fault).__name__
    if name == "RegionNeededError":
        return (
            "This network looks at one box, and without reference labels nothing says where: draw the region "
            "or type it (More about the case), or give reference labels."
        )
    if name in ("OutOfMemory", "DeviceLost"):  # after every slower way: its own line says what to do
        log.error("the device failed", exc_info=fault)
        return first_line(fault)
    if name == "OutOfMemoryError":
        log.error("out of memory", exc_info=fault)
        return "The device's memory is full: choose the device cpu, or a smaller region."
    if isinstance(fault, (ValueError, OSError, ImportError)):
        return first_line(fault)
    log.error("unexpected fault", exc_info=fault)
    return f"Something went wrong ({name}: {first_line(fault)}); the details are {log_place()}."


def first_line(fault: BaseException) -> str:
    """One line of an error, pydantic's lists of faults joined."""
    if hasattr(fault, "errors") and callable(fault.errors):
        return "; ".join(_pydantic_line(error) for error in fault.errors())
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.strerror}: {fault.filename}" if fault.filename else fault.strerror
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]


def _pydantic_line(error: dict[str, object]) -> str:
    where = ".".join(str(part) for part in error["loc"])  # type: ignore[attr-defined]
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
