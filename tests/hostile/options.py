"""What is asked of an attack: numbers out of range, and what is not there."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import shell

from napari_advseg.case.python import attack
from napari_advseg.networks import open_network

from .images import nifti
from .registry import Opened, Shelf
from .toys import threshold_network, toy_ct


def ask(options: Any) -> Opened:
    return Opened(attack(toy_ct(), threshold_network(), **options))


def run(arguments: Any) -> Opened:
    """The shell; its line is an error of this process, so that it is looked at like the others."""
    done = shell(*arguments)
    if done.returncode == 2:
        raise ValueError(done.stderr.strip().removeprefix("error: "))
    assert done.returncode == 0, done
    return Opened(done)


def open_on(device: Any) -> Opened:
    return Opened(open_network("phantom2d", device=device))


OPTIONS = Shelf("options", "`attack` in Python, and `napari-advseg` in the shell", ask)


def given(**options: Any) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: options


def command(*arguments: str) -> Callable[[Path], list[object]]:
    """A maker of the arguments of ``attack`` for a CT beside which the bundle would come."""

    def make(folder: Path) -> list[object]:
        return ["attack", nifti()(folder), "--network", "phantom2d", "--out", folder / "out", *arguments]

    return make


def onto_a_file(folder: Path) -> list[object]:
    (folder / "out").write_text("no bundle")
    return command("--drop", "0.3")(folder)


def onto_other_things(folder: Path) -> list[object]:
    (folder / "out").mkdir()
    (folder / "out" / "thesis.tex").write_text("")
    return command("--drop", "0.3")(folder)


above, below = "drop: Input should be less than or equal to 1", "drop: Input should be greater than 0"
for value, line in ((0.0, below), (-0.1, below), (1.5, above), (math.nan, above), (math.inf, above)):
    OPTIONS.refused(f"a drop of {value:g}", line, given(drop=value))
OPTIONS.refused("a drop that is text", "drop: Input should be a valid number", given(drop="much"))
OPTIONS.refused("a tolerance of 0", "tolerance: Input should be greater than 0", given(tolerance=0.0))
OPTIONS.refused(
    "a tolerance that is NaN", "tolerance: Input should be less than or equal to 0.5", given(tolerance=math.nan)
)
for value in (-1.0, 1e6, math.nan):
    OPTIONS.refused(
        f"a budget of {value:g} HU", "the greatest intensity change must be 0 to 1000 HU", given(max_hu=value)
    )
    OPTIONS.refused(
        f"a budget of {value:g} mm", "the greatest displacement must be 0 to 100 mm", given(max_displacement_mm=value)
    )
for low, high in ((0.0, 2.0), (1.5, 2.0), (2.0, 0.5), (math.nan, 2.0)):
    OPTIONS.refused(
        f"Jacobians from {low:g} to {high:g}",
        "the Jacobian range needs 0 < low < 1 < high",
        given(jacobian=(low, high)),
    )
OPTIONS.refused("one Jacobian", "jacobian.1: Field required", given(jacobian=(0.5,)))
OPTIONS.refused("neither deformation nor appearance", "nothing may change", given(deformation=False, appearance=False))
OPTIONS.refused("budgets of 0", "nothing may change", given(max_hu=0.0, max_displacement_mm=0.0))
OPTIONS.refused(
    "an unknown organ", "'spleen' is not an organ of the network; these can be scored: liver", given(organs=["spleen"])
)
OPTIONS.refused("organs as one text", "is not an organ of the network", given(organs="liver"))
OPTIONS.refused(
    "an unknown interpolation", "interpolation: Input should be 'bspline' or 'linear'", given(interpolation="sinc")
)
OPTIONS.refused("an unknown attacker", "the attacker is 'search', 'phantom2d' or a folder", given(attacker="luck"))
OPTIONS.refused("a seed below 0", "seed: Input should be greater than or equal to 0", given(seed=-1))
OPTIONS.refused("a seed of 2^70", "seed: Input should be less than", given(seed=2**70))
for region, line in (
    ("0:4,0:4,0:99", "leaves the volume, whose shape (z, y, x) is (12, 12, 12)"),
    ("-3:4,0:4,0:4", "a region is written z0:z1,y0:y1,x0:x1"),
    ("4:4,0:4,0:4", "with start < stop"),
    ("4:2,0:4,0:4", "with start < stop"),
    ("0:4,0:4", "a region is written z0:z1,y0:y1,x0:x1"),
    ("all", "a region is written z0:z1,y0:y1,x0:x1"),
    ("", "a region is written z0:z1,y0:y1,x0:x1"),
    ("0:4:2,0:4,0:4", "a region is written z0:z1,y0:y1,x0:x1"),
    (f"0:{'9' * 5000},0:4,0:4", "a region is written z0:z1,y0:y1,x0:x1"),
):
    OPTIONS.refused(
        f"the region {region!r}" if len(region) < 20 else "a region of 5000 digits", line, given(region=region)
    )
OPTIONS.refused(
    "a device that is not there", "the device 'cuda:99' does not work here", lambda folder: "cuda:99", open=open_on
)
OPTIONS.refused(
    "a device that is none", "the device 'abacus' does not work here", lambda folder: "abacus", open=open_on
)
OPTIONS.refused("the shell: no drop", "--drop", command(), open=run)
OPTIONS.refused("the shell: a drop of 0", "drop: Input should be greater than 0", command("--drop", "0"), open=run)
OPTIONS.refused("the shell: a drop that is text", "Invalid value for '--drop'", command("--drop", "much"), open=run)
OPTIONS.refused(
    "the shell: a budget of -1 HU",
    "the greatest intensity change must be",
    command("--drop", "0.3", "--max-hu", "-1"),
    open=run,
)
OPTIONS.refused(
    "the shell: a file where the bundle should come", "exists and is no attack bundle", onto_a_file, open=run
)
OPTIONS.refused(
    "the shell: a folder of other things there", "exists and is no attack bundle", onto_other_things, open=run
)
