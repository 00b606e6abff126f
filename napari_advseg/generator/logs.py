"""What the steps of a training measured: one line of JSON each, and the same for TensorBoard."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOG, TENSORBOARD = "log.jsonl", "tensorboard"


def log_lines(folder: Path) -> list[str]:
    """The lines so far, without their ends."""
    path = folder / LOG
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def write_log(folder: Path, lines: Sequence[str]) -> None:
    """Write all lines, aside first."""
    aside = folder / f".{LOG}"
    aside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    aside.replace(folder / LOG)


def write_tensorboard(folder: Path, rows: Sequence[dict[str, Any]]) -> bool:
    """Add rows to the folder's TensorBoard log; False where TensorBoard is not installed (extra: tensorboard)."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        return False
    if rows:
        # Events of steps that are taken again after a kill are dropped.
        with _said_once():
            writer = SummaryWriter(folder / TENSORBOARD, purge_step=rows[0]["step"])
            for row in rows:
                for name, value in row.items():
                    if name != "step":
                        writer.add_scalar(name, value, row["step"])
            writer.close()
    return True


@contextmanager
def _said_once() -> Iterator[None]:
    """TensorBoard's thread hands an error, such as a full disk, to the caller, and prints its trace as well: not here."""
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if type(arguments.thread).__name__ != "_AsyncWriterThread":
            before(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
