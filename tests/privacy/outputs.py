"""Every kind of output, made once from inputs that name a patient everywhere."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.text
import PIL.ImageDraw
from commands import Done, shell

import napari_advseg.case
from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, finish
from napari_advseg.cohort import CohortRequest, WorkFolder, attack_all, read_cases
from napari_advseg.logs import stop_log
from napari_advseg.volume import read_ct

from .inputs import Inputs, word, write_inputs

QUICK = ("--tolerance", 0.3, "--device", "cpu", "--drop", 0.2)
LEARNED = (*QUICK, "--attacker", "phantom2d", "--generated", "alone")
Output = bytes | str | Path


def make_all(root: Path) -> dict[str, Output]:
    """{what it is: its content, file or folder}; ``root`` names nobody, and nor do the places of the outputs."""
    given, out, temporary = write_inputs(root), root / "out", root / "temporary"
    temporary.mkdir()
    made: dict[str, Output] = {}
    drawn: list[str] = []
    with ExitStack() as stack:
        folders = {f"NAPARI_ADVSEG_{name.upper()}": str(given.home / name) for name in ("logs", "settings", "cache")}
        stack.enter_context(
            patch.dict(os.environ, {"HOME": str(given.home), "USERPROFILE": str(given.home), **folders})
        )
        stack.enter_context(patch.object(tempfile, "tempdir", str(temporary)))
        _spy(stack, matplotlib.text.Text, "set_text", drawn)
        _spy(stack, PIL.ImageDraw.ImageDraw, "text", drawn)
        stop_log()
        try:
            _attack(given, out, made)
            _tell(out, made)
            _list(given, out, made)
            _cohort(given, out, made)
            _learn(given, out, made)
            _fail(given, out, made)
            logging.getLogger("napari_advseg").warning("reading %s of %s", given.nifti, given.dicom)
            made["the log"] = given.home / "logs"
            made["doctor"] = _said(shell("doctor")) + _said(shell("doctor", "--json"))
            made["the settings"] = given.home / "settings"
        finally:
            stop_log()
    made["what is drawn into pictures"] = "\n".join(drawn)
    made["what is left in the temporary folder"] = temporary
    return made


def _attack(given: Inputs, out: Path, made: dict[str, Output]) -> None:
    labels = ("--reference", given.reference, "--label-names", given.label_names)
    done = shell("attack", given.nifti, "--network", given.network, *labels, "--out", out / "nifti", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    made["attack --json, all but the paths of CT and checkpoint"] = _without_paths(done.stdout) + done.stderr
    done = shell("attack", given.dicom, "--network", "phantom2d", *labels, "--out", out / "dicom", *LEARNED)
    assert done.returncode == 0, done.stderr
    made["attack's words"] = _said(done)
    for kind in ("nifti", "dicom"):
        record = out / kind / "result.json"
        text = record.read_text()
        made[f"the paths in the result.json of a {kind}"] = json.dumps(_paths(json.loads(text)))
        made[f"the rest of the result.json of a {kind}"] = _without_paths(text)
        record.rename(out / "record")
        made[f"the bundle of a {kind}, but for its result.json"] = b"\n".join(_contents(out / kind))
        (out / "record").rename(record)
    done = shell("verify", out / "nifti", "--network", given.network, "--device", "cpu")
    assert done.returncode == 0, done.stdout
    made["verify's words"] = _said(done) + _said(shell("verify", out / "dicom", "--json"))
    made["inspect's words"] = _said(shell("inspect", given.network))


def _tell(out: Path, made: dict[str, Output]) -> None:
    told = out / "told"
    for name, bundles in (("one", [out / "nifti"]), ("two", [out / "nifti", out / "dicom"])):
        done = shell("report", *bundles, "--out", told / f"{name}.html")
        assert done.returncode == 0, done.stderr
    for name, play in (("change.gif", "--play"), ("change.mp4", "--blink"), ("change.png", "--play")):
        done = shell("picture", out / "dicom", "--out", told / name, play)
        assert done.returncode == 0, done.stderr
    made["reports, pictures and films"] = told


def _list(given: Inputs, out: Path, made: dict[str, Output]) -> None:
    """All cases of the list are attacked: one well, two refused, and one in a way that nobody foresaw."""
    request = CohortRequest(
        cases=read_cases(given.table), network=str(given.network), device="cpu",
        attacks=(AttackRequest(drop=0.2, tolerance=0.3, attacker="phantom2d", generated="alone"),),
    )  # fmt: skip
    work = WorkFolder(out / "work", given.table)
    found = finish(attack_all(request, work, CancelToken()))
    assert [row.state for row in found.rows] == ["done", "failed", "failed"], [row.reason for row in found.rows]
    made["the list's table as it is shown"] = "\n".join(
        f"{row.case.name} {row.state} {row.reason} {row.outcome} {row.place}" for row in found.rows
    )
    (out / "work" / "cohort.json").rename(out / "cohort.json")
    made["the work folder, but for cohort.json"] = out / "work"
    made["the work folder's cohort.json"] = out / "cohort.json"


def _cohort(given: Inputs, out: Path, made: dict[str, Output]) -> None:
    """The same list as a cohort: one case is done, two are rows with their reason."""
    given_options = ("--network", given.network, "--out", out / "cohort", "--scheduler", "none", "--bundles", *LEARNED)
    done = shell("cohort", given.table, *given_options)
    assert done.returncode == 3, done.stderr
    made["cohort's words"] = _said(done)
    (out / "cohort" / "cohort.json").unlink()  # as that of the list above: the place of the list
    made["the folder of a cohort"] = out / "cohort"


def _learn(given: Inputs, out: Path, made: dict[str, Output]) -> None:
    settings = ("--steps", 2, "--validation", 0.5, "--organs", "liver", "--device", "cpu")
    done = shell("train", given.cts, "--network", given.network, "--out", out / "attacker", *settings)
    assert done.returncode == 0, done.stderr
    made["the folder of a learned attacker"] = out / "attacker"
    made["train's words"] = _said(done)


def _fail(given: Inputs, out: Path, made: dict[str, Output]) -> None:
    """Errors say which file of the user's is meant, and nothing of what stands in it."""
    network = ("--network", "phantom2d", "--out", out / "none", *LEARNED)
    made["the error of a CT that is not there"] = _said(shell("attack", f"{given.nifti}2", *network))
    made["the error of a folder of two series"] = _said(shell("attack", given.two_series, *network))
    broken = given.dicom / f"{word('slice file')}_1_1.dcm"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-100])
    made["what is said of a slice that is cut off"] = _said(shell("attack", given.dicom, *network))
    broken.write_bytes(whole)
    names = given.label_names.with_name("other.json")
    names.write_text(json.dumps({word("unknown label"): 77}))
    made["the error of label names that do not fit"] = _said(
        shell("attack", given.nifti, "--reference", given.reference, "--label-names", names, *network)
    )

    def crash(*_: object) -> None:
        raise RuntimeError(f"cannot go on with {read_ct(given.nifti).source}")

    with patch.object(napari_advseg.case, "run", crash):
        done = shell("attack", given.nifti, *network)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    made["the trace of a crash on the screen"] = _said(done)
    assert not (out / "none").exists()


def _spy(stack: ExitStack, owner: type, name: str, texts: list[str]) -> None:
    """Note all texts that are given to a method, which no search of pixels would find."""
    real: Callable[..., Any] = getattr(owner, name)

    def noted(self: object, *arguments: Any, **options: Any) -> Any:
        texts.extend(str(one) for one in (*arguments, *options.values()) if isinstance(one, str))
        return real(self, *arguments, **options)

    stack.enter_context(patch.object(owner, name, noted))


def _said(done: Done) -> str:
    return done.stdout + done.stderr


def _paths(record: dict[str, Any]) -> list[Any]:
    return [record["ct"].pop("path"), record["network"].pop("source")]


def _without_paths(text: str) -> str:
    record = json.loads(text)
    _paths(record)
    return json.dumps(record)


def _contents(folder: Path) -> list[bytes]:
    from .planted import unpacked

    return [part for path in sorted(folder.iterdir()) for part in (path.name.encode(), *unpacked(path.read_bytes()))]
