"""The command lines that a report gives: every setting that matters is in them, and nothing that is not needed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from findings import toy_finding

from napari_advseg.case import save_finding
from napari_advseg.evidence import Reproduction, read_bundle, reproduction
from napari_advseg.evidence.bundle_reading import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return read_bundle(save_finding(toy_finding(), tmp_path_factory.mktemp("r") / "bundle"))


def again(bundle: Bundle, change: Callable[[dict[str, Any]], object] = lambda _: None, **parts: Any) -> Reproduction:
    record = json.loads(json.dumps(bundle.record))
    record.update(attacker="search", stopped="", device="cpu")
    change(record)
    return reproduction(replace(bundle, record=record, **parts))


def options(made: Reproduction) -> dict[str, str]:
    words = shlex.split(made.commands[0])
    assert words[:3] == ["napari-advseg", "attack", "CT"]
    found = {}
    for word, following in zip(words[3:], [*words[4:], "--"], strict=True):
        if word.startswith("--"):
            found[word] = "" if following.startswith("--") else following
    return found


def test_an_attack_as_it_comes_needs_few_words(bundle: Bundle) -> None:
    made = again(bundle)
    assert set(options(made)) <= {
        "--network", "--drop", "--reference", "--label-names", "--organs", "--seed", "--max-displacement-mm", "--max-hu",
        "--out",
    }  # fmt: skip
    assert options(made)["--drop"] == "0.2"
    assert options(made)["--organs"] == "liver"
    assert made.remarks == ()
    assert shlex.split(made.commands[1])[:3] == ["napari-advseg", "verify", "BUNDLE"]
    assert (made.placeholders[0][0], made.placeholders[-1][0]) == ("CT", "BUNDLE")


@pytest.mark.parametrize(
    ("change", "option", "value"),
    [
        ({"tolerance": 0.02}, "--tolerance", "0.02"),
        ({"interpolation": "linear"}, "--interpolation", "linear"),
        ({"region": "2:9,3:20,4:21"}, "--region", "2:9,3:20,4:21"),
        ({"region": "0:12,0:24,0:23"}, "--region", "0:12,0:24,0:23"),
        ({"half_precision": True}, "--half", ""),
        ({"thorough": True}, "--thorough", ""),
        ({"attacker": "generator", "generated": "start"}, "--generated", "start"),
        ({"attacker": "generator"}, "--attacker", "ATTACKER"),
        ({"seed": 7}, "--seed", "7"),
    ],
)
def test_a_setting_that_is_not_the_usual_one_is_named_and_else_not(
    bundle: Bundle, change, option: str, value: str
) -> None:
    assert options(again(bundle, lambda r: r.update(change)))[option] == value
    if option != "--seed":
        assert option not in options(again(bundle))


@pytest.mark.parametrize("missing", ["deformation", "appearance"])
def test_a_kind_of_change_that_was_switched_off_is_so_again(bundle: Bundle, missing: str) -> None:
    path = replace(bundle.path, kind=replace(bundle.path.kind, **{missing: False}))
    found = options(again(bundle, path=path))
    assert f"--no-{missing}" in found
    other = {"deformation": "appearance", "appearance": "deformation"}[missing]
    assert f"--no-{other}" not in found
    assert not {"--no-deformation", "--no-appearance"} & set(options(again(bundle, path=None)))


def test_a_reference_that_was_the_networks_own_is_not_asked_for(bundle: Bundle) -> None:
    own = again(bundle, reference=bundle.clean_labels)
    assert not {"--reference", "--label-names"} & set(options(own))
    assert {word for word, _ in own.placeholders} == {"CT", "CHECKPOINT", "BUNDLE"}
    other = bundle.clean_labels.copy()
    other.flat[np.flatnonzero(other)[0]] = 0
    given = again(bundle, reference=other)
    assert options(given)["--reference"] == "LABELS"
    assert options(given)["--label-names"] == "NAMES.json"


@pytest.mark.parametrize(
    ("format", "by_name", "trusted"),
    [("shipped", True, False), ("published", True, False), ("module", False, False), ("torchscript", False, True),
     ("export", False, True), ("nnunet", False, False)],
)  # fmt: skip
def test_a_network_goes_by_its_name_where_that_is_enough(
    bundle: Bundle, format: str, by_name: bool, trusted: bool
) -> None:
    made = again(bundle, lambda r: r["network"].update(format=format, sha256="ab12", mirror_axes=[0]))
    assert options(made)["--network"] == ("toy" if by_name else "CHECKPOINT")
    assert ("CHECKPOINT" in dict(made.placeholders)) is not by_name
    assert by_name or "SHA-256 ab12" in dict(made.placeholders)["CHECKPOINT"]
    for command in made.commands:
        assert ("--trust" in command) is trusted
    assert "--no-mirroring" not in made.commands[0]


def test_mirroring_is_switched_off_where_it_was_and_could_be(bundle: Bundle) -> None:
    for format, named in (("nnunet", True), ("module", False)):
        made = again(bundle, lambda r, format=format: r["network"].update(format=format, mirror_axes=[]))
        assert ("--no-mirroring" in made.commands[0]) is named


def test_files_are_known_by_their_sha256_and_what_has_none_is_said_to_be_in_memory(bundle: Bundle) -> None:
    named = again(
        bundle, lambda r: (r["ct"].update(sha256="cd34"), r.update(attacker="generator", generator_sha256="ef56"))
    )
    assert "SHA-256 cd34" in dict(named.placeholders)["CT"]
    assert "SHA-256 ef56" in dict(named.placeholders)["ATTACKER"]
    nameless = again(bundle, lambda r: (r["ct"].update(sha256=None), r["network"].update(sha256=None)))
    assert "in memory" in dict(nameless.placeholders)["CT"]
    assert "in memory" in dict(nameless.placeholders)["CHECKPOINT"]


def test_what_may_come_out_otherwise_is_said(bundle: Bundle) -> None:
    assert "stopped before its end" in " ".join(again(bundle, lambda r: r.update(stopped="cancelled")).remarks)
    assert "Another device" in " ".join(again(bundle, lambda r: r.update(device="cuda:0")).remarks)
    assert len(again(bundle, lambda r: r.update(stopped="cancelled", device="cuda:0")).remarks) == 2


def test_nothing_of_the_patient_s_paths_is_in_it(bundle: Bundle) -> None:
    made = again(bundle, lambda r: r["ct"].update(path="/home/Muster Erika/ct.nii.gz"))
    assert not any(
        "Muster" in text for text in (*made.commands, *made.remarks, *(t for pair in made.placeholders for t in pair))
    )


def test_a_name_with_a_blank_stays_one_word(bundle: Bundle) -> None:
    def change(record: dict[str, Any]) -> None:
        record["network"].update(format="published", name="a network; rm -rf")

    assert options(again(bundle, change))["--network"] == "a network; rm -rf"
