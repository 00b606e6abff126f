"""The shell: exit status, standard output and error; one run as a user does it, in a process of its own."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done, process, shell
from toy_networks import graded_ct, threshold_network


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "case"
    assert shell("sample", "phantom", "--out", folder).returncode == 0
    return folder


def attack(case: Path, out: Path, *more: object, run: Callable[..., Done] = shell) -> Done:
    return run(
        "attack", case / "ct.nii.gz", "--network", "phantom2d", "--reference", case / "labels.nii.gz",
        "--label-names", case / "labels.json", "--out", out, *more,
    )  # fmt: skip


def test_attack_verify_and_json(case: Path, tmp_path: Path) -> None:
    done = attack(case, tmp_path / "b", "--drop", 0.2, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record == json.loads((tmp_path / "b" / "result.json").read_text())
    assert abs(record["achieved_drop"] - 0.2) <= 0.01
    assert "Asked for a Dice drop of 0.20: reached" in done.stderr
    checked = shell("verify", tmp_path / "b", "--network", "phantom2d")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("ok  ") == 12
    (tmp_path / "b" / "result.json").write_text(json.dumps(record | {"achieved_drop": 0.5}))
    assert shell("verify", tmp_path / "b").returncode == 1


def test_a_target_that_is_not_reached_ends_with_status_3_and_the_closest(case: Path, tmp_path: Path) -> None:
    done = attack(case, tmp_path / "b", "--drop", 0.6, "--max-hu", 1, "--no-deformation", run=process)
    assert done.returncode == 3, done.stderr
    assert "NOT reached, closest" in done.stderr
    assert json.loads((tmp_path / "b" / "result.json").read_text())["reached"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--drop", "0"], "drop"),
        (["--drop", "0.3", "--organs", "brain"], "'brain' is not an organ of the network"),
        (["--drop", "0.3", "--region", "1:2"], "a region is written"),
        (["--drop", "0.3", "--device", "cuda:99"], "does not work here"),
        (["--drop", "0.3", "--attacker", "luck"], "the attacker is 'search', 'phantom2d' or a folder"),
        (["--drop", "0.3", "--max-hu", "-1"], "intensity change must be"),
        (["--drop", "x"], "valid number"),
        ([], "--drop"),
    ],
)
def test_a_wrong_request_ends_with_status_2_and_one_line(
    case: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = attack(case, tmp_path / "b", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.strip().startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_wrong_files_end_with_status_2_and_one_line(case: Path, tmp_path: Path) -> None:
    for arguments in (
        ("attack", tmp_path / "no.nii.gz", "--network", "phantom2d", "--drop", 0.3, "--out", tmp_path / "b"),
        ("attack", case / "ct.nii.gz", "--network", "no_such_network", "--drop", 0.3, "--out", tmp_path / "b"),
        ("attack", case / "ct.nii.gz", "--network", "phantom2d", "--drop", 0.3, "--out", case),
        ("verify", tmp_path),
        ("inspect", tmp_path),
        ("sample", "brain", "--out", tmp_path / "s"),
    ):
        done = shell(*arguments)
        assert done.returncode == 2, arguments
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_inspect_prints_the_card() -> None:
    content = json.loads(shell("inspect", "phantom2d", "--json").stdout)
    assert content["name"] == "phantom2d"
    plain = shell("inspect", "phantom2d").stdout
    assert "orientation" in plain
    assert "liver" in plain


NNUNET = Path(__file__).parent / "data" / "nnunet" / "Dataset901_Phantom" / "nnUNetTrainer__nnUNetPlans__2d"


@pytest.mark.parametrize(("option", "axes"), [((), [0, 1]), (("--no-mirroring",), [])])
def test_inspect_tells_of_an_nnunet(option: tuple[str, ...], axes: list[int]) -> None:
    content = json.loads(shell("inspect", NNUNET, "--json", *option).stdout)
    assert content["mirror_axes"] == axes
    assert (content["class"], content["format"], content["random"]) == ("PlainConvUNet", "nnunet", False)
    assert content["memory_mb"] > 0


def test_trust_is_given_and_withdrawn(tmp_path: Path) -> None:
    from napari_advseg.networks import remember_trust, trusted
    from napari_advseg.volume import file_sha256

    path = tmp_path / "net.pt2"
    path.write_bytes(b"a program")
    assert "was not trusted" in shell("distrust", path).stderr
    remember_trust(file_sha256([path]))
    assert "no longer trusted" in shell("distrust", path).stderr
    assert not trusted(file_sha256([path]))
    assert shell("distrust", tmp_path / "none").returncode == 2


def _interrupted_after(steps: int, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the shell's job on a toy network and press Ctrl-C after so many steps of progress."""
    import napari_advseg.case
    from napari_advseg.cli.running import attack_and_save
    from napari_advseg.volume import write_image

    real = napari_advseg.case.run

    def run(*arguments: object) -> object:
        job = real(*arguments)
        for count in itertools.count():
            if count == steps:
                signal.raise_signal(signal.SIGINT)
            try:
                yield next(job)
            except StopIteration as end:
                return end.value

    monkeypatch.setattr(napari_advseg.case, "run", run)
    ct, labels = graded_ct()
    path = write_image(out.parent / "labels.nii.gz", labels, ct.grid)
    request = napari_advseg.case.CaseRequest(ct=ct, network=threshold_network(), reference=path)
    attack_and_save(request, napari_advseg.case.AttackRequest(drop=0.3), out, as_json=False)


def test_a_thorough_search_is_asked_for_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_advseg.case
    from napari_advseg.volume import write_image

    asked: list[napari_advseg.case.AttackRequest] = []

    def run(_case: object, attack: napari_advseg.case.AttackRequest, *_: object) -> None:
        asked.append(attack)
        raise ValueError("seen")

    monkeypatch.setattr(napari_advseg.case, "run", run)
    ct, _ = graded_ct()
    path = write_image(tmp_path / "ct.nii.gz", ct.hu, ct.grid)
    for flags in ((), ("--thorough",)):
        shell("attack", path, "--network", "phantom2d", "--drop", 0.3, "--seed", 7, *flags, "--out", tmp_path / "b")
    assert [(attack.thorough, attack.seed) for attack in asked] == [(False, 7), (True, 7)]


def test_interrupting_saves_the_best_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    _interrupted_after(8, tmp_path / "b", monkeypatch)
    record = json.loads((tmp_path / "b" / "result.json").read_text())
    assert record["stopped"] == "cancelled"
    assert isinstance(record["control"]["drop"], float)
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupting_before_anything_was_measured_ends_in_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    from napari_advseg import cli
    from napari_advseg.attacks import Cancelled

    with pytest.raises(Cancelled) as caught:
        _interrupted_after(2, tmp_path / "b", monkeypatch)
    assert cli._report(caught.value) == 1
    assert "stopped before anything was measured" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the threshold network; its CT lies beside it."""
    from findings import finding_from_file

    from napari_advseg.case import save_finding

    folder = tmp_path_factory.mktemp("pictures")
    finding, _ = finding_from_file(folder)
    return save_finding(finding, folder / "bundle")


def test_a_picture_blinks_by_default_and_plays_when_asked_to(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    for way, name, frames in ((["--blink"], "b.gif", 2), ([], "default.gif", 2), (["--play"], "p.gif", 24)):
        done = shell("picture", bundle, *way, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert name in done.stderr
        assert done.stdout == ""
        with Image.open(tmp_path / name) as moving:
            assert getattr(moving, "n_frames", 1) == frames
            size = moving.size
    done = shell("picture", bundle, "--out", tmp_path / "both.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "both.png") as still:
        assert still.size == (2 * size[0], size[1])


def test_a_picture_needs_the_very_ct_and_a_known_suffix(bundle: Path, tmp_path: Path) -> None:
    done = shell("picture", bundle, "--out", tmp_path / "p.webm")
    assert done.returncode == 2
    assert "error: a picture is saved as .gif, .mp4, .png; got 'p.webm'" in done.stderr
    away = tmp_path / "away"
    shutil.copytree(bundle, away)
    record = json.loads((away / "result.json").read_text())
    record["ct"]["path"] = str(tmp_path / "gone.nii.gz")
    (away / "result.json").write_text(json.dumps(record))
    done = shell("picture", away, "--out", tmp_path / "p.gif")
    assert done.returncode == 2
    assert "name it with --ct" in done.stderr
    assert shell("picture", away, "--ct", bundle.parent / "ct.nii.gz", "--out", tmp_path / "p.gif").returncode == 0
    assert shell("picture", away, "--ct", away / "reference.nii.gz", "--out", tmp_path / "q.gif").returncode == 2
    assert not (tmp_path / "q.gif").exists()


def test_a_fault_in_the_middle_is_told_and_the_best_until_then_is_saved(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_advseg.attacks import Target

    real, calls = Target.measure_with_gradient, itertools.count()

    def fails_once(self: Target, parameters: object) -> object:
        if next(calls) == 3:
            raise RuntimeError("the device fell asleep")
        return real(self, parameters)

    monkeypatch.setattr(Target, "measure_with_gradient", fails_once)
    done = attack(case, tmp_path / "b", "--drop", 0.3)
    assert done.returncode == 1
    assert "the attack was broken off by a fault: the device fell asleep; the best until then is saved" in done.stderr
    assert "fell asleep" in json.loads((tmp_path / "b" / "result.json").read_text())["stopped"]
