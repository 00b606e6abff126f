"""Who the patient is stands in no output, but where the user's own paths are kept on purpose."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from privacy.outputs import Output, make_all
from privacy.planted import OF_THE_FILES, OF_THE_PATHS, PLANTED, found_in

CT = {"user", "folder", "CT file"}
# {output: what is kept in it on purpose}. All but these keep nothing.
KEPT: dict[str, set[str]] = {
    "attack --json, all but the paths of CT and checkpoint": set(),
    "attack's words": set(),
    # The CT has to be found again, for verify and in napari; SECURITY.md says so.
    "the paths in the result.json of a nifti": {*CT, "checkpoint"},
    "the paths in the result.json of a dicom": CT,
    "the rest of the result.json of a nifti": set(),
    "the rest of the result.json of a dicom": set(),
    "the bundle of a nifti, but for its result.json": set(),
    "the bundle of a dicom, but for its result.json": set(),
    "verify's words": set(),
    "inspect's words": set(),
    "reports, pictures and films": set(),
    "the list's table as it is shown": set(),
    "the work folder, but for cohort.json": {"checkpoint"},  # its name without the folders that lead to it
    "the work folder's cohort.json": {"user", "list"},  # so that no other list is worked on there
    "the folder of a learned attacker": set(),
    "train's words": set(),
    # One line on the user's screen says which file of theirs is meant.
    "the error of a CT that is not there": CT,
    "the error of a folder of two series": {"user", "folder", "series UID"},  # one of which is to be chosen
    "cohort's words": set(),
    "the folder of a cohort": {"checkpoint"},  # the name of its file, in the bundles
    "what is said of a slice that is cut off": set(),
    "the error of label names that do not fit": {"unknown label"},  # which are to be corrected
    "the trace of a crash on the screen": CT,
    "the log": set(),
    "doctor": set(),
    "the settings": set(),
    "what is drawn into pictures": set(),
    "what is left in the temporary folder": set(),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    return make_all(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("output", KEPT)
def test_an_output_keeps_what_it_keeps_on_purpose_and_nothing_else(made: dict[str, Output], output: str) -> None:
    assert found_in(made[output]) == KEPT[output]


def test_every_output_is_searched_and_has_something_in_it(made: dict[str, Output]) -> None:
    assert set(made) == set(KEPT)
    empty = {
        name
        for name, one in made.items()
        if not (any(one.iterdir()) if isinstance(one, Path) and one.is_dir() else one)
    }
    assert empty <= {"the settings", "what is left in the temporary folder"}
    log = made["the log"]
    assert isinstance(log, Path)
    assert "RuntimeError" in (log / "napari-advseg.log").read_text()


def test_nothing_that_stands_in_a_file_of_a_patient_is_kept_on_purpose() -> None:
    kept = set().union(*KEPT.values())
    assert kept <= set(OF_THE_PATHS) | {"series UID", "unknown label"}  # asked of the user on the screen
    assert len({word.lower() for word in PLANTED.values()}) == len(PLANTED)


@pytest.mark.parametrize("where", OF_THE_FILES)
def test_the_inputs_do_hold_what_is_planted(made: dict[str, Output], where: str) -> None:
    log = made["the log"]
    assert isinstance(log, Path)
    assert where in found_in(log.parent)


@pytest.mark.parametrize("pack", ["plain", "utf-16", "gzip", "zip", "note", "packed note", "base64"])
def test_the_search_finds_what_is_packed(pack: str) -> None:
    name = PLANTED["family name"]
    plain = f"of {name} only, and of nobody else".encode()
    picture = io.BytesIO()
    notes = PngInfo()
    notes.add_text("About", plain.decode(), zip=pack == "packed note")
    Image.new("L", (4, 4)).save(picture, "PNG", pnginfo=notes)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a", gzip.compress(plain))
    packed = {
        "plain": plain, "utf-16": name.upper().encode("utf-16"), "gzip": gzip.compress(plain), "zip": archive.getvalue(),
        "note": picture.getvalue(), "packed note": picture.getvalue(),
        "base64": b'<img src="data:image/png;base64,' + base64.b64encode(picture.getvalue()) + b'">',
    }  # fmt: skip
    assert found_in(packed[pack]) == {"family name"}
    assert found_in(b"nobody") == set()
