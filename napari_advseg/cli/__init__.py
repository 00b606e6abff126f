"""The same pipeline from the shell. Exit status: 0 reached, 3 not reached, 2 the request is wrong, 1 a fault."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import NoReturn

import typer

from ..logs import start_log
from . import attacking, checkpoints, cohort, doctor, pictures, reporting, training  # noqa: F401  each adds its commands
from .options import FAULT, WRONG_REQUEST, app
from .running import say

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command line; every wrong request ends in one line and status 2."""
    start_log()
    try:
        status = app(standalone_mode=False)  # typer hands back the status of its Exit here
    except typer.Abort:
        sys.exit(FAULT)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(FAULT)
    except Exception as fault:
        sys.exit(_report(fault))
    sys.exit(status or 0)


def _report(fault: Exception) -> int:
    from pydantic import ValidationError

    from ..attacks import Cancelled
    from ..networks import DeviceLost, OutOfMemory, one_line, ran_out

    if isinstance(fault, Cancelled):
        say("stopped before anything was measured; nothing was written")
        return FAULT
    if hasattr(fault, "format_message") and hasattr(fault, "exit_code"):  # typer's own usage errors
        say(f"error: {fault.format_message()}")
        return WRONG_REQUEST
    if isinstance(fault, ValidationError):
        say(f"error: {one_line(fault, 'request')}")
        return WRONG_REQUEST
    if isinstance(fault, ValueError | FileNotFoundError | FileExistsError | ImportError):
        say(f"error: {fault}")
        return WRONG_REQUEST
    if start_log() is not None:  # without the file, Python would print it a second time
        logging.getLogger("napari_advseg").error("a command failed", exc_info=fault)
    if isinstance(fault, OSError | OutOfMemory | DeviceLost):
        say(f"fault: {fault}")
        return FAULT
    if ran_out(fault):  # outside the network, which has its own ways of needing less
        say("fault: memory ran out: give a smaller region, close other programs, or use a computer with more memory")
        return FAULT
    traceback.print_exception(fault)
    say("'napari-advseg doctor' prints what a report of this needs")
    return FAULT
