"""The readers of the project's own formats, each as one function of bytes, and how reading may end.

A reader ends in a value or in a ValueError (or FileNotFoundError) whose text is one line, for that is what the shell and
the viewer show. Whatever else comes out of it is a fault.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from PIL import Image

from napari_advseg.case import save_finding
from napari_advseg.case.python import attack
from napari_advseg.cohort import read_cases
from napari_advseg.evidence import read_bundle, verify_bundle, write_report
from napari_advseg.evidence.bundle_reading import FIGURE, RECORD, read_record
from napari_advseg.generator import AttackerCard
from napari_advseg.networks import read_card
from napari_advseg.networks.plain_yaml import parse_yaml
from napari_advseg.volume import read_ct, read_label_names, write_image

CORPUS = Path(__file__).with_name("corpus")


class Wrong(AssertionError):
    """Reading ended in a way that it may not."""


@dataclass(frozen=True)
class Target:
    """A reader: ``read`` is given the input's bytes; ``words`` are what inputs are made of."""

    name: str
    read: Callable[[bytes], object]
    words: tuple[str, ...]

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name


def ends_well(target: Target, content: bytes) -> bool:
    """Read it; whether a value came out of it.

    Raises
    ------
    Wrong
        Another error than one line of a ValueError.
    """
    try:
        target.read(content)
    except (ValueError, FileNotFoundError) as fault:
        if isinstance(fault, UnicodeError) or len(str(fault).splitlines()) != 1:
            raise Wrong(f"{target.name}: {type(fault).__name__} of no single line: {str(fault)!r}") from fault
        return False
    except Exception as fault:
        raise Wrong(f"{target.name}: {type(fault).__name__}: {fault}") from fault
    return True


@cache
def place() -> Path:
    """A folder to put the input into, gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="fuzzing-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def put(content: bytes, name: str) -> Path:
    path = place() / name
    path.write_bytes(content)
    return path


@cache
def bundle() -> Path:
    """A bundle of the toy network on its CT, with a small figure."""
    from hostile.toys import threshold_network, toy_ct

    ct = toy_ct()
    path = write_image(place() / "ct.nii.gz", ct.hu.astype("i2"), ct.grid)
    folder = save_finding(attack(read_ct(path), threshold_network(), 0.2), place() / "bundle")
    Image.new("RGB", (8, 8)).save(folder / FIGURE)
    shutil.copy(folder / RECORD, place() / "whole.json")
    return folder


def _record(content: bytes) -> object:
    """All that is done with a record: read, verified, told in a report."""
    folder = bundle()
    (folder / RECORD).write_bytes(content)
    read_record(folder)
    read = read_bundle(folder)
    verify_bundle(folder, read_ct(place() / "ct.nii.gz"))
    write_report([folder], place() / "report.html")
    return read


def _table(content: bytes) -> object:
    for name in ("ct.nii.gz", "labels.nii.gz", "labels.json"):
        if not (place() / name).exists():
            put(b"", name)
    return read_cases(put(content, "list.csv"), names="file")


def _plain_yaml(content: bytes) -> object:
    """Its callers make one line of a YAMLError, and decode the text themselves."""
    try:
        return parse_yaml(content.decode("utf-8", "replace"))
    except yaml.YAMLError as fault:
        raise ValueError((str(fault).splitlines() or ["?"])[0]) from fault


_YAML = ("!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!pairs ", "!!null ",
         "!!str ", "!!seq ", "!!map ", "&a ", "*a", "<<: ", "- ", ": ", "? ", "---\n", "...\n", "%YAML 1.1\n", "|\n", ">\n",
         "2001-12-14t21:59:43.10-05:00", "0x1F", "0b1", "1:30", ".inf", ".nan", "~", "[", "{", "'", '"', "# ")  # fmt: skip
_CARD = ("name", "dimensions", "labels", "orientation", "spacing", "input_size", "divisible_by", "patch", "overlap", "tiling",
         "weights", "mirror_axes", "steps", "regions", "region_margin_mm", "intensity", "output", "batch", "architecture",
         "class", "arguments", "source", "licence", "sha256", "format", "monai", "nnunet", "SPL", "rule", "window", "zscore",
         "low", "high", "clip", "mean", "std", "kind", "orient", "resample", "scale", "axes", "background")  # fmt: skip
_ATTACKER = (*AttackerCard.model_fields, "- ")
_RECORD = ("schema_version", "ct", "path", "sha256", "network", "name", "source", "format", "mirror_axes", "fell_back",
           "target_drop", "tolerance", "achieved_drop", "reached", "stopped", "dice", "clean", "attacked", "organs", "id",
           "voxels", "repeats", "drops", "mean", "standard_error", "control", "drop", "budget", "max_displacement_mm",
           "max_hu", "jacobian", "change", "mean_displacement_mm", "rms_hu", "min_jacobian", "max_jacobian", "noise_ratio",
           "ssim", "cost", "forward", "backward", "seconds", "peak_memory_mb", "strength", "strength_path", "region",
           "attacker", "generated", "attacker_note", "interpolation", "seed", "device", "half_precision", "thorough", "versions",
           "null", "true", "false", "NaN", "Infinity", "1e999", "[]", "{}", '""', "-1", "0:12,0:12,0:12")  # fmt: skip
_TABLE = ("case", "ct", "reference", "label_names", "series", "ct.nii.gz", "labels.nii.gz", "labels.json", ",", ";", "\t", "\n",
          '"', '""', "\r\n", '{"5": "liver"}', "..", "/")  # fmt: skip
_NAMES = (
    "labels",
    "liver",
    "spleen",
    "background",
    "1",
    "5",
    "true",
    "null",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "1e400",
)

TARGETS = {
    target.name: target
    for target in (
        Target("card", lambda content: read_card(put(content, "net.yaml")), (*_CARD, *_YAML)),
        Target(
            "json-card", lambda content: read_card(put(content, "net.json")), (*_CARD, "null", "true", "1e999", "NaN")
        ),
        Target(
            "attacker", lambda content: AttackerCard.read(put(content, "attacker.yaml").parent), (*_ATTACKER, *_YAML)
        ),
        Target("record", _record, _RECORD),
        Target("table", _table, _TABLE),
        Target("names", lambda content: read_label_names(put(content, "names.json")), _NAMES),
        Target("yaml", _plain_yaml, _YAML),
    )
}
