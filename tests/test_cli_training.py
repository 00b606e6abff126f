"""The shell's train: labels, what it writes and says, and wrong requests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import shell

from napari_advseg.generator import AttackerCard


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CTs, one of labels under the same names, and the labels' names."""
    folder = tmp_path_factory.mktemp("patients")
    for part in ("cts", "labels"):
        (folder / part).mkdir()
    for seed in (0, 1):
        made = folder / f"made{seed}"
        assert shell("sample", "phantom", "--out", made, "--seed", seed).returncode == 0
        shutil.move(made / "ct.nii.gz", folder / "cts" / f"p{seed}.nii.gz")
        shutil.move(made / "labels.nii.gz", folder / "labels" / f"p{seed}.nii.gz")
        shutil.copy(made / "labels.json", folder / "labels.json")
    return folder


def test_train_with_labels_writes_an_attacker_its_misses_and_examples(patients: Path, tmp_path: Path) -> None:
    out = tmp_path / "attacker"
    arguments = (
        "train", patients / "cts", "--network", "phantom2d", "--out", out, "--references", patients / "labels",
        "--label-names", patients / "labels.json", "--steps", 2, "--validation", 0.5, "--organs", "liver,spleen",
        "--device", "cpu",
    )  # fmt: skip
    done = shell(*arguments)
    assert done.returncode == 0, done.stderr
    assert "2 CTs" in done.stderr
    assert "trained for 2 steps" in done.stderr
    card = AttackerCard.read(out)
    assert (card.network, card.cases, card.steps) == ("phantom2d", 1, 2)
    assert json.loads((out / "validation.json").read_text())["patients"] == 1
    for picture in ("examples.png", "training.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    other = shell(*arguments[:-2], "--device", "cpu", "--no-critic")
    assert other.returncode == 2
    assert "other settings" in other.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--precision", "16-true"), "the precision is one of 32-true, bf16-mixed, not '16-true'"),
        (("--organs", "brain"), "no CT shows anything to score (brain)"),
        (("--references", "."), "holds no labels named p0.nii.gz"),
    ],
)
def test_a_wrong_training_ends_with_status_2_and_one_line(
    patients: Path, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    done = shell("train", patients / "cts", "--network", "phantom2d", "--out", tmp_path / "a", "--device", "cpu", *more)
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")
    assert not (tmp_path / "a" / "attacker.yaml").exists()
