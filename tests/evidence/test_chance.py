"""What is said of an attack that chance nearly equals: the same words in the dock, the shell, the figure, the report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from findings import toy_finding

from napari_advseg.evidence import chance_costs, chance_sentence, chance_verdict, result_sentences, sentence

NONE = "the attack as such shows no particular weakness"


@pytest.mark.parametrize(("achieved", "control"), [(0.3, 0.008), (0.3, 0.149), (0.3, -0.02), (0.0, 0.0), (-0.01, 0.0)])
def test_nothing_is_added_where_the_attack_stands_out_or_nothing_fails(achieved: float, control: float) -> None:
    assert chance_verdict(achieved, control) == ""
    assert chance_sentence(achieved, control).endswith(f"{abs(control) if control == 0 else control:.3f}.")


@pytest.mark.parametrize("control", [0.15, 0.2, 0.299])
def test_a_random_change_that_costs_half_as_much_is_named(control: float) -> None:
    text = chance_sentence(0.3, control)
    assert f"costs {control:.3f}." in text
    assert "The network fails about as much under a random change of the same size" in text
    assert NONE in text


@pytest.mark.parametrize("control", [0.3, 0.5])
def test_a_random_change_that_costs_more_is_named(control: float) -> None:
    text = chance_sentence(0.3, control)
    assert f"costs {control:.3f}." in text
    assert "A random change of the same size costs as much or more" in text
    assert NONE in text


def test_nothing_lost_has_no_minus() -> None:
    assert chance_costs(-0.001, digits=2).endswith("costs 0.00")
    assert chance_costs(-0.02, digits=2).endswith("costs -0.02")


def test_everyone_who_tells_of_a_result_says_so() -> None:
    finding = toy_finding()
    result, evidence = finding.result, finding.evidence
    assert evidence is not None
    drop = result.achieved_drop
    weak, strong = replace(evidence, control_drop=drop + 0.01), replace(evidence, control_drop=0.1 * drop)
    record = {
        "network": {"name": "net"}, "dice": {"clean": 0.9, "attacked": 0.7}, "achieved_drop": drop, "target_drop": 0.2,
        "tolerance": 0.01, "reached": True, "change": {"max_displacement_mm": 1.0, "max_hu": 4.0},
    }  # fmt: skip
    for control, said in ((weak, True), (strong, False)):
        report = " ".join(result_sentences(record | {"control": {"drop": control.control_drop}}))
        for text in (sentence(result, control), report):
            assert (NONE in text) == said
            assert f"costs {control.control_drop:.3f}." in text
