"""What a record may claim, and what it may not: each bound from both sides."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_advseg.evidence.record_schema import Claims, check_claims

RECORD: dict[str, Any] = {
    "ct": {"path": None, "sha256": None}, "network": {"name": "toy"}, "target_drop": 0.3, "tolerance": 0.01,
    "achieved_drop": 0.3, "dice": {"clean": 0.9, "attacked": 0.6},
    "organs": [{"id": 1, "name": "liver", "clean": 0.9, "attacked": 0.6, "voxels": 100}],
    "repeats": {"drops": [0.3, 0.31], "mean": 0.305, "standard_error": 0.005}, "control": {"drop": 0.01},
    "budget": {"max_displacement_mm": 5.0, "max_hu": 15.0, "jacobian": [0.3, 3.0]}, "strength": 0.8,
    "strength_path": [[0.0, 0.0], [1.0, 0.4]], "interpolation": "bspline", "device": "cpu", "versions": {},
    "cost": {"forward": 10, "backward": 5, "seconds": 1.5},
    "change": {
        "max_displacement_mm": 4.0, "mean_displacement_mm": 1.0, "max_hu": 10.0, "rms_hu": 2.0, "min_jacobian": -0.1,
        "max_jacobian": 1.4, "noise_ratio": 0.9, "ssim": -0.1,
    },
}  # fmt: skip


def holds(place: str, value: object, kind: type[Claims] | None = None) -> bool:
    """Whether a record may hold the value at the place."""
    record = copy.deepcopy(RECORD)
    part: Any = record
    *way, last = place.split(".")
    for word in way:
        part = part[int(word)] if word.isdigit() else part[word]
    part[int(last) if last.isdigit() else last] = value
    try:
        check_claims(record, Path("result.json"), *(() if kind is None else (kind,)))
    except ValueError as fault:
        return not (str(fault).startswith("result.json is not") and len(str(fault).splitlines()) == 1)
    return True


def test_the_record_holds_as_it_is() -> None:
    check_claims(RECORD, Path("result.json"))
    check_claims(RECORD, Path("result.json"), Claims)


@pytest.mark.parametrize(
    ("places", "within", "beyond"),
    [
        ("dice.clean dice.attacked organs.0.clean organs.0.attacked", (0.0, 1.0, 0.5), (-1e-3, 1.001, 2.0)),
        ("achieved_drop repeats.mean repeats.drops.1 control.drop", (-1.0, 0.0, 1.0), (-1.001, 1.001)),
        ("target_drop", (1e-3, 1.0), (0.0, -0.1, 1.001)),
        ("tolerance strength repeats.standard_error budget.max_hu change.rms_hu cost.seconds", (0.0, 0.5, 9.0), (-1e-3,)),
        ("organs.0.voxels cost.forward cost.backward", (0, 1, 10**9), (-1, 0.5)),
        ("organs.0.id", (0, 1, 65535), (-1, 65536)),
        ("repeats.drops", ([0.1, 0.2], [0.1] * 9), ([], [0.1])),
        ("budget.jacobian", ([0.2, 4.0],), ([0.2], [0.2, 1.0, 4.0])),
        ("strength_path", ([], [[0.0, 0.0]]), ([[0.0]], [[0.0, 0.0, 0.0]])),
        ("organs", (), ([], None)),
        ("interpolation", ("linear",), ("nearest", "")),
        ("change.min_jacobian change.ssim", (-2.0, 2.0), ("much", None)),
    ],
)  # fmt: skip
def test_a_claim_has_its_bounds(places: str, within: tuple[object, ...], beyond: tuple[object, ...]) -> None:
    for place in places.split():
        for value in within:
            assert holds(place, value), (place, value)
        for value in (*beyond, float("nan"), float("inf"), True if place != "organs" else 1):
            assert not holds(place, value), (place, value)


@pytest.mark.parametrize("drop", [lambda r: r.pop("change"), lambda r: r.pop("control"), lambda r: r.pop("cost")])
def test_a_verification_needs_less_than_a_report(drop: Callable[[dict[str, Any]], object]) -> None:
    record = copy.deepcopy(RECORD)
    drop(record)
    check_claims(record, Path("result.json"), Claims)
    with pytest.raises(ValueError, match="is not what an attack writes"):
        check_claims(record, Path("result.json"))


def test_what_later_versions_add_does_not_matter() -> None:
    check_claims(RECORD | {"more": {"of": "it"}}, Path("result.json"))
    assert holds("network", {"name": "toy", "more": 1})


def test_what_may_be_left_out_may() -> None:
    for key in ("repeats", "device", "versions"):
        record = {name: value for name, value in RECORD.items() if name != key}
        check_claims(record, Path("result.json"), Claims)
    for key in ("half_precision", "thorough"):
        assert holds(key, True)
        assert not holds(key, "yes")
