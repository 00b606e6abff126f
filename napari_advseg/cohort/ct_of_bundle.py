"""The CT that a bundle was made on, known by its SHA-256: beside the bundle, or in the list of its work folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..evidence import Bundle
from ..volume import Volume, read_ct
from .case_list import read_cases
from .work_folder import case_in, case_names, place_of_list

GIVEN = "ct.nii.gz"  # what a CT is called that is put into a bundle's folder


def find_ct(bundle: Bundle) -> Volume | None:
    """The CT where it is found with the same grid and SHA-256, else None.

    It is looked for where the bundle says, in the bundle's folder and beside it, and, for a bundle in the work folder of
    a list of cases, where that list has it.
    """
    wanted = bundle.record["ct"].get("sha256")
    for place, series in _places(bundle):
        try:
            ct = read_ct(place, series=series)
        except (OSError, ValueError):
            continue
        if ct.grid.matches(bundle.grid) and (wanted is None or ct.source is None or ct.source.sha256 == wanted):
            return ct
    return None


def lost_ct_line(bundle: Bundle) -> str:
    """What is missing where :func:`find_ct` has found nothing, and how to give it; one line, without a path."""
    wanted = bundle.record["ct"].get("sha256")
    which = f" (SHA-256 {wanted[:12]}…)" if wanted else ""
    listed = ", nor in the list of its work folder" if case_in(bundle.folder) is not None else ""
    return (
        f"The CT that was attacked{which} is not where it was{listed}: copy it into the bundle's folder as {GIVEN} and "
        "open the bundle again"
    )


def _places(bundle: Bundle) -> Iterator[tuple[Path, str | int | None]]:
    said = bundle.record["ct"].get("path")
    names = [GIVEN] if not said else [Path(said).name, GIVEN]
    beside = [folder / name for name in names for folder in (bundle.folder, bundle.folder.parent)]
    for place in ([Path(said)] if said else []) + beside:
        try:
            found = place.exists()
        except OSError:  # a name that is too long
            found = False
        if found:
            yield place, None
    yield from _listed(bundle.folder)


def _listed(folder: Path) -> Iterator[tuple[Path, str | int | None]]:
    """Where the list of a work folder has the case whose bundle this is."""
    if (place := case_in(folder)) is None:
        return
    work, wanted = place
    name_of = case_names(work)
    try:
        cases = read_cases(place_of_list(work))
    except (OSError, ValueError):
        return
    for case in cases:
        try:
            found = name_of(case) == wanted
        except (OSError, ValueError):
            continue
        if found:
            yield case.ct, case.series
