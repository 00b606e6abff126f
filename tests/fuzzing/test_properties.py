"""Cards, records, label names and regions of any content: read to a value or refused in one line, and read back as written."""

from __future__ import annotations

import copy
import json
import string
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from fuzzing.targets import TARGETS, bundle, ends_well, place
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import AXIS_CODES, grids

from napari_advseg.generator import AttackerCard
from napari_advseg.networks import Intensity, ModelCard, find_card, read_card, write_card
from napari_advseg.volume import Grid, Region, organ_key, read_label_names

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
names = st.text(string.ascii_letters + "äßéΩ肝 _-", min_size=1, max_size=12).filter(lambda name: name.strip() == name)
positive = st.floats(0.1, 100)


def places_in(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value stands, all the way down; the first entry of a list stands for all."""
    inside = (
        content.items() if isinstance(content, dict) else enumerate(content[:1]) if isinstance(content, list) else ()
    )
    return [path, *(one for key, value in inside for one in places_in(value, (*path, key)))]


def put_at(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.copy(content)
    changed[path[0]] = put_at(content[path[0]], path[1:], value)
    return changed


def spoilt(content: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The content with any value in the place of one of its own."""
    return st.builds(put_at, st.just(content), st.sampled_from(places_in(content)), values)


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_record_with_any_value_anywhere_is_told_or_refused_in_a_line(data: st.DataObject) -> None:
    bundle()
    whole = json.loads((place() / "whole.json").read_text())
    ends_well(TARGETS["record"], as_json(data.draw(spoilt(whole))))


CARD: dict[str, Any] = {
    "name": "mine", "dimensions": 3, "labels": {"background": 0, "liver": 1}, "spacing": [1.0, 1.0, 2.0], "patch": [32, 32, 32],
    "mirror_axes": [0], "steps": [{"step": "orient", "axes": "SPL"}, {"step": "scale", "intensity": {"rule": "none"}}],
    "regions": [1], "intensity": {"rule": "window", "low": -100.0, "high": 200.0},
    "architecture": {"class": "monai.networks.nets.UNet", "arguments": {"channels": [4, 8]}},
}  # fmt: skip
ATTACKER: dict[str, Any] = {
    "network": "toy", "network_sha256": "0" * 64, "classes": 2, "dimensions": 3, "spacing_mm": 4.0, "drops": [0.02, 0.8],
    "max_displacement_mm": 3.0, "max_hu": 12.0, "appearance_mm": [3.0],
}  # fmt: skip


@given(spoilt(CARD))
@example(put_at(CARD, ("name",), {"a\nb": 1}))
@example(CARD | {"a\nb": 1})
def test_a_card_with_any_value_anywhere_is_read_or_refused_in_a_line(content: Any) -> None:
    ends_well(TARGETS["json-card"], as_json(content))


@given(spoilt(ATTACKER))
@example(ATTACKER | {"a\nb": 1})
def test_an_attackers_card_with_any_value_anywhere_is_read_or_refused_in_a_line(content: Any) -> None:
    ends_well(TARGETS["attacker"], yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(st.text(max_size=200) | values.map(json.dumps))
def test_label_names_of_any_text_are_read_or_refused_in_a_line(text: str) -> None:
    ends_well(TARGETS["names"], text.encode("utf-8", "surrogatepass"))


@st.composite
def cards(draw: st.DrawFn) -> ModelCard:
    dimensions = draw(st.sampled_from((2, 3)))
    organs = draw(st.lists(names, min_size=1, max_size=4, unique_by=organ_key))
    axes = st.tuples(*[positive] * dimensions)
    return ModelCard(
        name=draw(names),
        dimensions=dimensions,
        labels=dict(enumerate(["background", *organs])),
        orientation=draw(st.sampled_from(AXIS_CODES)),
        spacing=draw(st.none() | axes),
        patch=draw(st.none() | st.tuples(*[st.integers(1, 64)] * dimensions)),
        overlap=draw(st.floats(0, 0.9)),
        mirror_axes=draw(st.sampled_from(((), (0,), tuple(range(dimensions))))),
        intensity=draw(st.sampled_from((Intensity(), Intensity(rule="window", low=-100, high=200)))),
        batch=draw(st.integers(1, 16)),
        source=draw(names),
    )


@given(cards())
def test_a_card_is_read_back_as_it_was_written(card: ModelCard) -> None:
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "net.pth"
        written = write_card(checkpoint, card)
        assert find_card(checkpoint) == written
        assert read_card(written) == card


@given(
    network=names, classes=st.integers(2, 100), dimensions=st.sampled_from((2, 3)), mm=positive, hu=positive,
    drops=st.tuples(st.floats(0, 1), st.floats(0, 1)), scales=st.lists(positive, min_size=1, max_size=3),
)  # fmt: skip
def test_an_attackers_card_is_read_back_as_it_was_written(
    network: str, classes: int, dimensions: Any, mm: float, hu: float, drops: tuple[float, float], scales: list[float]
) -> None:
    card = AttackerCard(
        network=network, network_sha256="0" * 64, classes=classes, dimensions=dimensions, spacing_mm=mm, drops=drops,
        max_displacement_mm=mm, max_hu=hu, appearance_mm=tuple(scales),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        card.write(Path(folder))
        assert AttackerCard.read(Path(folder)) == card


@given(st.dictionaries(names, st.integers(0, 65535), min_size=1, max_size=6))
def test_label_names_are_the_same_whichever_side_the_ids_stand(content: dict[str, int]) -> None:
    ids = {index: name for name, index in content.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "labels.json"
        path.write_text(json.dumps({str(index): name for index, name in ids.items()}), encoding="utf-8")
        assert read_label_names(path) == ids
        if len(ids) == len(content):
            path.write_text(json.dumps(content), encoding="utf-8")
            assert read_label_names(path) == ids


@given(grid=grids(), data=st.data())
def test_a_region_is_parsed_back_from_its_text(grid: Grid, data: st.DataObject) -> None:
    ends = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in grid.shape]
    region = Region((ends[0][0], ends[1][0], ends[2][0]), (ends[0][1], ends[1][1], ends[2][1]))
    assert Region.parse(str(region), grid) == region


@given(grid=grids(), text=st.text("0123456789:,- x²", max_size=24) | st.text(max_size=12))
def test_a_region_of_any_text_is_parsed_or_refused_in_a_line(grid: Grid, text: str) -> None:
    try:
        region = Region.parse(text, grid)
    except ValueError as fault:
        said = str(fault)
    else:
        said = str(region)
        assert all(high <= n for high, n in zip(region.stop, grid.shape, strict=True))
    assert len(said.splitlines()) == 1
