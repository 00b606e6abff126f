"""What the fuzzer has found once is read as it must be: to a value, or to one line of error."""

from __future__ import annotations

import pytest
from fuzzing.targets import CORPUS, TARGETS, Wrong, ends_well

MOST = 200_000  # bytes of all corpora together


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_ends_in_a_value_or_in_one_line(name: str) -> None:
    target = TARGETS[name]
    inputs = sorted(path.read_bytes() for path in target.corpus.iterdir())
    ended = [ends_well(target, content) for content in inputs]
    assert any(ended), "no input is right: the fuzzer had nothing to start from"
    assert not all(ended)


def test_the_corpora_are_small_and_hold_nothing_twice() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == set(TARGETS)
    assert sum(path.stat().st_size for path in files) < MOST
    for name in TARGETS:
        contents = [path.read_bytes() for path in TARGETS[name].corpus.iterdir()]
        assert len(set(contents)) == len(contents)


@pytest.mark.parametrize(
    "fault", [ValueError("two\nlines"), ValueError(""), KeyError("x"), TypeError("x"), RecursionError()]
)
def test_other_ends_are_found(fault: Exception) -> None:
    from dataclasses import replace

    def fail(_: bytes) -> object:
        raise fault

    with pytest.raises(Wrong, match="names: "):
        ends_well(replace(TARGETS["names"], read=fail), b"")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("yaml", b"a: !!timestamp x"),
        ("yaml", b"a: !!bool x"),
        ("yaml", b"a: !!int ''"),
        ("card", b'"a\\nb": 1'),
        ("json-card", b'{"a\\nb": 1}'),
        ("attacker", b'"a\\nb": 1'),
        ("table", b'case,ct\n"a\nb",ct.nii.gz\n"a\nb",ct.nii.gz\n'),
        ("table", b'case,ct\na,"no\nct.nii.gz"\n'),
        ("table", b'case,ct,label_names\na,ct.nii.gz,"{5\n"\n'),
        ("table", b'case,"c\nt"\n'),
    ],
)
def test_what_was_a_fault_once_is_one_line_now(name: str, content: bytes) -> None:
    assert not ends_well(TARGETS[name], content)
