"""The learned attacker: shapes and places, learning a drop, resuming to the same bits, and use."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_attackers import CPU, toy_card, toy_network, toy_target, train_state
from toy_networks import graded_ct

from napari_advseg.attacks import CancelToken, SearchSettings, set_strength
from napari_advseg.case import AttackRequest, CaseRequest, TrainingRequest, finish, run, train_attacker
from napari_advseg.case.python import attack, save_bundle
from napari_advseg.evidence import verify_bundle
from napari_advseg.generator import Attacker, AttackerCard, TrainingSettings, draw_noise, train
from napari_advseg.generator.features import parameters_of, shown_to_generator
from napari_advseg.generator.model import fold, unfold, with_neighbours
from napari_advseg.samples import attacker_folder, load_sample
from napari_advseg.synthesis import Budget, Kind, Synthesis
from napari_advseg.volume import Grid, Region, Volume


@pytest.mark.parametrize("still_axis", [None, 0, 2])
def test_a_control_point_takes_the_value_at_its_place(still_axis: int | None) -> None:
    """A field that is the position itself, in mm, must come out as the control points' positions."""
    shape, spacing = (14, 22, 26), (3.0, 2.0, 2.5)
    ct = Volume(np.zeros(shape, np.float32), Grid(shape, spacing))
    kind = Kind(velocity_mm=8.0, appearance_mm=(6.0,), still_axis=still_axis)
    synthesis = Synthesis(ct, Region.whole(ct.grid), Budget(), kind, CPU)
    for axis in synthesis.axes:
        coarse = [n if other == still_axis else n // 2 for other, n in enumerate(shape)]
        at = (torch.arange(coarse[axis]) + 0.5) * shape[axis] / coarse[axis] - 0.5
        line = [1, 1, 1]
        line[axis] = -1
        field = at.view(line).expand(coarse)[None]
        stack = synthesis.batched(field)
        values = parameters_of(synthesis, stack.expand(-1, len(synthesis.axes), *stack.shape[2:]), stack)
        for (_, lattice), part in zip(synthesis.lattices, synthesis.split(values), strict=True):
            wanted = lattice.centres[axis].clamp(float(at[0]), float(at[-1])).view(line).expand(part.shape[1:])
            assert torch.allclose(part[0], wanted, atol=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_one_pass_gives_a_change_within_the_budget_on_any_grid(dimensions: int) -> None:
    target = toy_target(dimensions)
    attacker = Attacker(toy_card(dimensions), train_state(dimensions))
    for drop in (0.05, 0.5):
        parameters = attacker.generate(target, drop, seed=3)
        assert parameters.shape == target.synthesis.zeros().shape
        change = target.synthesis.change(parameters)
        low, high = target.synthesis.jacobian_range(change.displacement)
        assert low >= 0.5
        assert high <= 2.0
        assert float(change.appearance.abs().max()) <= 12.0
        assert torch.equal(parameters, attacker.generate(target, drop, seed=3))
        assert not torch.equal(parameters, attacker.generate(target, drop, seed=4))


def test_slices_are_shown_with_their_neighbours() -> None:
    target, card = toy_target(2), toy_card(2)
    stack = shown_to_generator(target.synthesis, target.clean_scores(), card)
    assert stack.shape[:2] == (12, 3)
    shown = with_neighbours(stack, card)
    assert shown.shape[:2] == (12, 9)
    assert torch.equal(shown[5, 0:3], stack[4])  # the slice before
    assert torch.equal(shown[5, 3:6], stack[5])
    assert torch.equal(shown[5, 6:9], stack[6])  # the slice after
    assert torch.equal(shown[0, 0:3], stack[0])  # at the end the slice itself


@pytest.mark.parametrize("sides", [(8, 6), (4, 8, 6)])
def test_folding_loses_nothing(sides: tuple[int, ...]) -> None:
    image = torch.arange(float(2 * 3 * np.prod(sides))).view(2, 3, *sides)
    assert torch.equal(unfold(fold(image)), image)
    if len(sides) == 2:
        assert torch.equal(fold(image), torch.nn.functional.pixel_unshuffle(image, 2))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_training_learns_to_cost_what_is_asked(tmp_path: Path, dimensions: int) -> None:
    target, card = toy_target(dimensions), toy_card(dimensions, drops=(0.1, 0.5))
    settings = TrainingSettings(steps=100, learning_rate=5e-3, size=0.3)
    attacker = finish(train([target], card, settings, tmp_path, CancelToken()))
    misses = [abs(target.measure(attacker.generate(target, drop, 0)).drop - drop) for drop in (0.15, 0.3, 0.45)]
    untrained = Attacker(card, train_state(dimensions))
    before = [abs(target.measure(untrained.generate(target, drop, 0)).drop - drop) for drop in (0.15, 0.3, 0.45)]
    assert np.mean(misses) < 0.14
    assert np.mean(misses) < np.mean(before) / 1.5


def test_training_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    card, settings = toy_card(), TrainingSettings(steps=8, save_every=3)
    whole = finish(train([toy_target()], card, settings, tmp_path / "whole", CancelToken()))

    cancel = CancelToken()
    finish(
        train([toy_target()], card, settings, tmp_path / "parts", cancel),
        lambda step: cancel.cancel() if step.text.startswith("Step 2 ") else None,
    )
    target, cancel, calls = toy_target(), CancelToken(), itertools.count()
    check = cancel.check

    def in_the_middle() -> None:
        if next(calls) == 13:  # within a step, between layers
            cancel.cancel()
        check()

    cancel.check = in_the_middle  # type: ignore[method-assign]
    finish(train([target], card, settings, tmp_path / "parts", cancel))
    assert cancel.cancelled
    killed = train([toy_target()], card, settings, tmp_path / "parts", CancelToken())
    for _ in range(5):  # killed between two checkpoints: steps are taken again
        next(killed)
    killed.close()
    parts = finish(train([toy_target()], card, settings, tmp_path / "parts", CancelToken()))
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, parts.generator.state_dict()[name]), name
    rows = [json.loads(line)["step"] for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert rows == list(range(1, 9))
    with pytest.raises(ValueError, match="other settings"):
        finish(train([toy_target()], card, TrainingSettings(steps=9), tmp_path / "parts", CancelToken()))


def test_two_processes_learn_one_generator_and_stop_together(tmp_path: Path) -> None:
    program = Path(__file__).with_name("together.py")

    def learn(folder: Path, stop_after: int = 0) -> list[dict[str, float]]:
        folder.mkdir(exist_ok=True)
        environment = os.environ | {"PYTHONPATH": f"{program.parent}{os.pathsep}{program.parents[1]}"}
        command = [sys.executable, str(program), str(folder), str(stop_after)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads((folder / f"sums{rank}.json").read_text()) for rank in range(2)]

    first, second = learn(tmp_path / "whole")
    assert first == second
    assert AttackerCard.read(tmp_path / "whole").cases == 2
    half = learn(tmp_path / "parts", stop_after=3)  # one of the two is stopped
    assert half[0] == half[1]
    assert half[0] != first
    assert AttackerCard.read(tmp_path / "parts").steps == 3
    assert learn(tmp_path / "parts") == [first, first]
    rows = [json.loads(line)["step"] for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert rows == list(range(1, 7))


def test_the_strength_is_set_without_a_backward_pass(tmp_path: Path) -> None:
    target = toy_target()
    parameters = target.synthesis.zeros()
    for part in target.synthesis.split(parameters)[1:]:
        part.copy_(-torch.linspace(0, 1, part.shape[2]).view(1, 1, -1, 1).expand_as(part))  # darker along y
    clean = target.placed.labels(torch.from_numpy(target.synthesis.ct.hu))
    passes = target.placed.network.passes
    forward, backward = passes.forward, passes.backward
    asked: list[float] = []

    def propose(drop: float) -> torch.Tensor:
        asked.append(drop)
        return parameters * min(1.0, drop)

    result = finish(set_strength(target, SearchSettings(0.3), propose, clean, CancelToken(), most=6))
    assert passes.forward - forward <= 6
    assert passes.backward == backward
    assert 0 < result.strength <= 1
    asked.clear()
    alone = finish(set_strength(target, SearchSettings(0.3), propose, clean, CancelToken(), most=1))
    assert alone.strength == 1.0
    assert asked == [0.3]


def test_where_a_proposal_falls_short_larger_drops_are_asked_for(tmp_path: Path) -> None:
    """A generator that gives half of what it is asked for; the least proposal that costs enough is scaled down."""
    target = toy_target()
    darker = target.synthesis.zeros()
    for part in target.synthesis.split(darker)[1:]:
        part.copy_(-torch.linspace(0, 1, part.shape[2]).view(1, 1, -1, 1).expand_as(part))
    clean = target.placed.labels(torch.from_numpy(target.synthesis.ct.hu))
    strengths = np.linspace(0, 1, 21)
    costs = np.maximum.accumulate([target.measure(darker, float(strength)).drop for strength in strengths])
    asked: list[float] = []

    def propose(drop: float) -> torch.Tensor:
        asked.append(drop)
        return darker * float(np.interp(drop / 2, costs, strengths))

    wanted = SearchSettings(0.3, tolerance=0.02)
    result = finish(set_strength(target, wanted, propose, clean, CancelToken(), most=6))
    assert asked[0] == 0.3
    assert len(asked) in (2, 3)
    assert asked == sorted(asked)
    assert result.achieved_drop > 0.2
    asked.clear()
    finish(set_strength(target, wanted, propose, clean, CancelToken(), most=6, greatest=0.35))
    assert max(asked) <= 0.35


def test_train_and_attack_from_files_to_bundle(tmp_path: Path) -> None:
    ct, reference = graded_ct()
    texture = np.random.default_rng(0).normal(0, 50, ct.hu.shape).astype(np.float32)
    ct.hu[reference == 0] += np.rint(texture[reference == 0].clip(-100, 100))
    network = toy_network()
    request = TrainingRequest(
        cases=(CaseRequest(ct=ct, network=network),) * 3, network=network, out=tmp_path / "attacker",
        settings=TrainingSettings(steps=30, learning_rate=3e-3), validation=0.34, drops=(0.1, 0.5),
    )  # fmt: skip
    trained = finish(train_attacker(request, CancelToken()))
    assert trained.attacker.card.cases == 2
    assert {len(missed) for missed in trained.misses.values()} == {1}
    assert AttackerCard.read(tmp_path / "attacker") == trained.attacker.card
    for name in ("attacker.yaml", "generator.safetensors", "training.png", "validation.json", "log.jsonl"):
        assert (tmp_path / "attacker" / name).stat().st_size > 0

    case = CaseRequest(ct=ct, network=network, reference=None)
    for generated, most in (("alone", 3), ("strength", 8), ("start", 99)):
        wish = AttackRequest(drop=0.3, attacker=str(tmp_path / "attacker"), generated=generated)
        spent = network.passes.backward
        found = finish(run(case, wish, CancelToken()))
        assert found.result.cost.forward - 3 <= most  # without the random control
        assert generated == "start" or network.passes.backward == spent
        assert found.result.attacker == "generator"
        assert found.result.note == ""
        folder = save_bundle(found, tmp_path / generated)
        assert json.loads((folder / "result.json").read_text())["attacker"] == "generator"
        checks = verify_bundle(folder, ct, network)
        assert all(check.ok for check in checks), [check for check in checks if not check.ok]
    assert found.result.reached
    assert attack(ct, network, 0.3, attacker=tmp_path / "attacker").result.attacker == "generator"


def test_another_network_is_told_of_and_an_unlike_one_is_refused(tmp_path: Path) -> None:
    attacker = Attacker(toy_card(), train_state(3))
    own = toy_network().card
    assert attacker.warning(own) == ""
    assert "not for 'toy'" in attacker.warning(own.model_copy(update={"sha256": "1" * 64}))
    with pytest.raises(ValueError, match="3-D network of 2 classes"):
        attacker.fits(toy_network(2).card, Kind())
    with pytest.raises(ValueError, match="without the deformation"):
        Attacker(toy_card(deformation=False), train_state(3)).fits(own, Kind())


def test_a_folder_that_is_no_attacker_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"attacker\.yaml is missing"):
        Attacker.load(tmp_path, CPU)
    (tmp_path / "attacker.yaml").write_text("width: [")
    with pytest.raises(ValueError, match="not an attacker's card"):
        Attacker.load(tmp_path, CPU)
    toy_card().write(tmp_path)
    (tmp_path / "generator.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="does not hold the generator"):
        Attacker.load(tmp_path, CPU)
    Attacker(toy_card(), train_state(3)).save(tmp_path)
    again = Attacker.load(tmp_path, CPU)
    assert torch.equal(again.generator.enter.weight, train_state(3).enter.weight)
    assert draw_noise(again.card, 5).shape == (8,)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_shipped_attacker_costs_what_is_asked_of_a_patient_it_has_not_seen(seed: int) -> None:
    sample = load_sample("phantom", seed)
    found = finish(
        run(
            CaseRequest(ct=sample.ct, network="phantom2d", reference=sample.label_volume),
            AttackRequest(drop=0.3, attacker="phantom2d"),
            CancelToken(),
        )
    )
    assert found.result.reached
    assert found.result.note == ""  # its own network
    assert found.result.cost.backward == 0
    assert found.result.cost.forward <= 8 + 3  # the random control's three are counted too
    assert found.evidence is not None
    assert found.evidence.control_drop < 0.15


def test_the_shipped_attacker_is_small() -> None:
    assert sum(path.stat().st_size for path in attacker_folder("phantom2d").iterdir()) < 3_000_000
