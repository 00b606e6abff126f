"""The log's words: no path, no file name and no name of a patient, and yet enough to find the fault."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from napari_advseg.logs import file as log_file
from napari_advseg.logs import start_log, stop_log
from napari_advseg.logs.text import PrivateFormatter, code_file, fault_lines, without_paths
from napari_advseg.volume import read_ct

LOG = logging.getLogger("napari_advseg.cohort.queue")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A log of the test's own."""
    monkeypatch.setenv("NAPARI_ADVSEG_LOGS", str(tmp_path))
    found = start_log()
    assert found is not None
    yield found
    stop_log()


def _own_wording() -> None:
    read_ct("Erika Mustermann 1970.nii.gz")


def _foreign_wording() -> None:
    sitk.ReadImage("cases/Erika Mustermann/ct.nii.gz")


def _folder_alone() -> None:
    read_ct("Mustermann")


def _system() -> None:
    Path("/data/Erika Mustermann/ct.nii.gz").read_bytes()


def _key() -> None:
    _ = {}["Mustermann"]  # type: ignore[var-annotated]


def _number() -> None:
    float("Mustermann")


def _with_a_cause() -> None:
    try:
        _system()
    except OSError as fault:
        raise RuntimeError("Mustermann\\ct.nii.gz failed") from fault


@pytest.mark.parametrize(
    "fail",
    [_own_wording, _foreign_wording, _folder_alone, _system, _key, _number, _with_a_cause],
    ids=lambda one: one.__name__,
)
def test_no_fault_names_the_patient(place: Path, fail: Callable[[], None]) -> None:
    try:
        fail()
    except Exception as fault:
        LOG.exception("an attack failed in a way that nobody foresaw")
        kind = type(fault).__name__
    text = place.read_text()
    assert kind in text
    assert "an attack failed in a way that nobody foresaw" in text
    assert "ustermann" not in text
    assert "Erika" not in text
    assert str(Path(__file__).parent) not in text


def test_a_fault_is_told_well_enough_to_find_it(place: Path) -> None:
    try:
        np.zeros(2) + np.zeros(3)
    except ValueError:
        LOG.exception("of numpy")
    try:
        read_ct("none.nii.gz")
    except OSError:
        LOG.exception("of our own")
    text = place.read_text()
    assert "ValueError: operands could not be broadcast together with shapes (2,) (3,)" in text
    assert 'File "napari_advseg/volume/reading.py", line ' in text
    assert 'raise FileNotFoundError(f"there is no file or folder {path}")' in text
    assert text.rstrip().endswith("FileNotFoundError")


def test_causes_are_told_first() -> None:
    try:
        _with_a_cause()
    except RuntimeError as fault:
        lines = fault_lines(fault)
    kinds = [line for line in lines if not line.startswith(" ")]
    assert kinds == [
        "FileNotFoundError: ENOENT, No such file or directory",
        "which led to:",
        "RuntimeError: <text with a path to a .nii.gz>",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)",
        "Tried to allocate 20.00 MiB. GPU 0 has 78.1 GiB; torch 2.13.0+cpu",
        "shape '[1, 2]' is invalid for input of size 3",
    ],
)
def test_harmless_words_are_kept(text: str) -> None:
    assert without_paths(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "/data/Erika M/ct is bad",
        "~/ct",
        "C:\\Users\\Erika is bad",
        "\\\\server\\share",
        "Erika M.nii.gz",
        "Erika.DCM is no image",
        "a/b",
        "../Erika",
        "Erika M/ is a folder",
    ],
)
def test_words_with_a_path_are_left_out_whole(text: str) -> None:
    assert without_paths(text).startswith("<text with a path")
    assert "Erika" not in without_paths(text)


def test_links_and_uids_are_left_out_alone() -> None:
    text = without_paths("see https://pytorch.org/docs/x.html of 1.2.840.113619.2 and\nfurther")
    assert text == "see <URL> of <UID> and further"


@pytest.mark.parametrize(
    ("message", "arguments", "written"),
    [
        ("%s cannot be read", (Path("/data/Erika/ct"),), "<path> cannot be read"),
        ("%s cannot be read", (Path("/data/Erika/ct.nii.gz"),), "<path to a .nii.gz> cannot be read"),
        ("%s failed after %.1f s", ("/data/Erika/ct.dcm", 1.25), "<text with a path to a .dcm> failed after 1.2 s"),
        ("%s", (ValueError("/data/Erika"),), "ValueError: <text with a path>"),
        ("%(where)s", ({"where": Path("/data/Erika")},), "<path>"),
        ("in /data/Erika after %d", (3,), "<text with a path>"),
        ("100 % of %d", (), "100 % of %d"),
        ("%s", ([Path("/data/Erika")],), "<list>"),
    ],
)
def test_messages_have_placeholders(message: str, arguments: tuple[object, ...], written: str) -> None:
    record = logging.LogRecord("napari_advseg", logging.WARNING, "x.py", 1, message, arguments, None)
    assert PrivateFormatter().format(record).endswith(f" WARNING napari_advseg: {written}")


def test_what_others_have_formatted_is_not_taken_over() -> None:
    record = logging.LogRecord("napari_advseg", logging.WARNING, "x.py", 1, "bad", (), None)
    record.exc_text, record.stack_info = "Erika", "Erika"
    assert "Erika" not in PrivateFormatter().format(record)


def test_code_is_shown_without_what_leads_to_it() -> None:
    assert code_file(log_file.__file__) == "napari_advseg/logs/file.py"
    assert code_file(logging.__file__) == "logging/__init__.py"
    assert code_file(np.__file__) == "numpy/__init__.py"
    assert code_file("/home/erika/study.py") is None
