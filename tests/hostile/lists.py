"""Lists of cases as CSV, and folders that stand for a list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_advseg.cohort import read_cases

from .images import nifti, write
from .registry import Opened, Shelf


def read(path: Any) -> Opened:
    return Opened(read_cases(path, names="file"))


LISTS = Shelf("lists", "`read_cases`, which the *Cases* dock opens a CSV or a folder with", read)


def table(content: str, encoding: str = "utf-8") -> Callable[[Path], Path]:
    """A maker of a CSV beside ``a.nii`` and ``b.nii``."""

    def make(folder: Path) -> Path:
        for name in ("a.nii", "b.nii"):
            nifti(name)(folder)
        return write(folder / "cases.csv", content.encode(encoding))

    return make


def has(*names: str) -> Callable[[Any], bool]:
    return lambda cases: [case.name for case in cases] == list(names)


def folder_with(*files: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        data = folder / "data"
        for name in files:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            nifti(Path(name).name)((data / name).parent)
        data.mkdir(exist_ok=True)
        return data

    return make


def linked_outside(folder: Path) -> Path:
    data = folder_with("a.nii")(folder)
    (folder / "elsewhere").mkdir()
    (data / "b.nii").symlink_to(nifti("far.nii")(folder / "elsewhere"))
    (data / "gone.nii").symlink_to(folder / "no such file")
    return data


def circular(folder: Path) -> Path:
    data = folder_with("a.nii")(folder)
    (data / "again").symlink_to(data)
    return data


def two_channels(folder: Path) -> Path:
    data = folder_with("imagesTr/a_0000.nii", "imagesTr/a_0001.nii")(folder)
    write(data / "dataset.json", b"[" * 100000)
    return data


LISTS.accepted("a byte order mark", table("\ufeffcase,ct\n1,a.nii\n"), has("1"))
LISTS.accepted("semicolons", table("case;ct\n1;a.nii\n2;b.nii\n"), has("1", "2"))
LISTS.accepted("tabs", table("case\tct\n1\ta.nii\n"), has("1"))
LISTS.accepted("line ends of Windows and of old Macs", table("case,ct\r\n1,a.nii\r2,b.nii\n"), has("1", "2"))
LISTS.accepted("names in Unicode", table("case,ct\n腹部 Müller,a.nii\n"), has("腹部 Müller"))
LISTS.accepted("one CT in two cases", table("case,ct\n1,a.nii\n2,a.nii\n"), has("1", "2"))
LISTS.accepted("a path that leads up and back", table("case,ct\n1,x/../a.nii\n"), has("1"))
LISTS.refused("an empty file", "is empty: expected a CSV with the columns case, ct", table(""))
LISTS.refused("only a header", "holds no case", table("case,ct\n"))
LISTS.refused(
    "a column missing", "row 1: the columns are case, path; expected case and ct", table("case,path\n1,a.nii\n")
)
LISTS.refused("a column twice", "each once", table("case,ct,ct\n1,a.nii,b.nii\n"))
LISTS.refused("an unknown column", "row 1: the columns are case, ct, age; expected", table("case,ct,age\n1,a.nii,7\n"))
LISTS.refused("a case twice", "row 3: the case '1' is in row 2 already", table("case,ct\n1,a.nii\n1,b.nii\n"))
LISTS.refused("a CT that is not there", "row 2: there is no CT", table("case,ct\n1,c.nii\n"))
LISTS.refused("a name of 5000 characters for a CT", "row 2: there is no CT", table(f"case,ct\n1,{'x' * 5000}.nii\n"))
LISTS.refused("a null byte in a path", "row 2: there is no CT", table("case,ct\n1,a\0.nii\n"))
LISTS.refused("no name", "row 2: the column 'case' is empty", table("case,ct\n,a.nii\n"))
LISTS.refused("cells beyond the columns", "row 2: 3 cells under 2 columns", table("case,ct\n1,a,b.nii\n"))
LISTS.refused("a quotation mark that is not closed", "this is no CSV", table('case,ct\n1,"a.nii\n'))
LISTS.refused("a cell of a megabyte", "this is no CSV", table(f"case,ct\n{'x' * 10**6},a.nii\n"))
LISTS.refused("UTF-16, as Excel's Unicode text", "is no CSV in UTF-8", table("case,ct\n1,a.nii\n", "utf-16"))
LISTS.refused("names in Latin-1", "is no CSV in UTF-8", table("case,ct\nMüller,a.nii\n", "latin-1"))
LISTS.refused("an image called .csv", "is no CSV in UTF-8", nifti("cases.csv"))
LISTS.refused(
    "label names nested 100000 deep",
    "label_names is",
    table('case,ct,label_names\n1,a.nii,"' + '{""a"":' * 10000 + '"\n'),
)
LISTS.refused(
    "label names without ids", "row 2: label_names is", table('case,ct,label_names\n1,a.nii,"{""liver"": null}"\n')
)
LISTS.refused("no file", "there is no folder or CSV file", lambda d: d / "cases.csv")
LISTS.refused("a name of 300 characters", "there is no folder or CSV file", lambda d: d / ("x" * 300))
LISTS.refused("an empty folder", "holds no case", folder_with())
LISTS.accepted("links to files elsewhere; a dead one is left out", linked_outside, has("a", "b"))
LISTS.accepted("a folder that links to itself", circular, lambda cases: len(cases) > 0)
LISTS.refused("channels, and a dataset.json nested 100000 deep", "does not say which one is the CT", two_channels)
