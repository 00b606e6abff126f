"""The course of a training, drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .logs import LOG

CURVES = "training.png"
_SMOOTH = 25  # steps


def draw_curves(folder: Path) -> Path | None:
    """Draw what the log of a training holds: asked against cost, the miss, the size, the critic. None without a log."""
    from matplotlib.figure import Figure

    path = folder / LOG
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    if not rows:
        return None
    column = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    late = slice(len(rows) // 2, None)
    figure = Figure(figsize=(11, 6), layout="constrained")
    asked, missed, size, critic = figure.subplots(2, 2).ravel()
    asked.plot([0, 1], [0, 1], color="0.7")
    asked.scatter(column["asked"][late], column["achieved"][late], s=6)
    top = float(max(column["asked"].max(), column["achieved"].max()))
    asked.set(title="Second half of training", xlabel="Dice drop asked", ylabel="cost", xlim=(0, top), ylim=(0, top))
    for axes, values, title in (
        (missed, column["missed"], "Missed by (Dice)"),
        (size, column["size"], "Size of the change (budgets)"),
    ):
        axes.plot(column["step"], _smoothed(values))
        axes.set(title=title, xlabel="step", ylim=(0, None))
    for key, label in (("critic_real", "real"), ("critic_fake", "attacked")):
        critic.plot(column["step"], _smoothed(column[key]), label=label)
    critic.set(title="The critic's verdict", xlabel="step")
    critic.legend()
    aside = folder / f".{CURVES}"
    figure.savefig(aside, format="png", dpi=110)
    return aside.replace(folder / CURVES)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """The mean of the last steps."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    end = np.arange(1, len(values) + 1)
    start = np.maximum(0, end - _SMOOTH)
    return np.asarray((total[end] - total[start]) / (end - start))
