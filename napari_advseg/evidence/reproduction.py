"""The command lines that make a bundle anew, without anything that names the patient."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from .bundle_reading import Bundle

_DEFAULT_TOLERANCE = 0.01
_BY_NAME = ("shipped", "published")


@dataclass(frozen=True)
class Reproduction:
    """Command lines for the shell, and what their words in capitals stand for."""

    commands: tuple[str, ...]
    placeholders: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]


def reproduction(bundle: Bundle) -> Reproduction:
    """How to make the bundle anew from the shell, and how to check it.

    Files are named by words in capitals, because their paths may name the patient; the SHA-256 says which are meant.
    """
    record = bundle.record
    network = record["network"]
    sha256 = record["ct"].get("sha256")
    placeholders = [("CT", f"the CT with SHA-256 {sha256}" if sha256 else "the CT, which was made in memory")]
    remarks = []
    checkpoint = network["name"] if network.get("format") in _BY_NAME else "CHECKPOINT"
    if checkpoint == "CHECKPOINT":
        known = f"SHA-256 {network['sha256']}" if network.get("sha256") else "no SHA-256: it was made in memory"
        placeholders.append((checkpoint, f"the checkpoint of {network['name']}, {known}"))
    words = ["napari-advseg", "attack", "CT", "--network", checkpoint, "--drop", f"{record['target_drop']:g}"]
    if not (bundle.reference == bundle.clean_labels).all():
        words += ["--reference", "LABELS", "--label-names", "NAMES.json"]
        placeholders.append(("LABELS", "the reference of the CT"))
        placeholders.append(("NAMES.json", "the names of its ids; leave the option out where they are the network's"))
    words += ["--organs", ",".join(organ.name for organ in bundle.organs), *_settings(bundle)]
    if record["attacker"] != "search":
        words += ["--attacker", "ATTACKER"]
        weights = f", whose weights have the SHA-256 {sha}" if (sha := record.get("generator_sha256")) else ""
        placeholders.append(("ATTACKER", f"the folder or the name of the learned attacker{weights}"))
        if record.get("generated"):
            words += ["--generated", record["generated"]]
    if record.get("stopped"):
        remarks.append("This attack was stopped before its end; run to its end it may find another change.")
    if str(record.get("device", "cpu")) != "cpu":
        remarks.append("Another device or version may round otherwise and end at a slightly different change.")
    words += ["--out", "BUNDLE"]
    verify = ["napari-advseg", "verify", "BUNDLE", "--ct", "CT", "--network", checkpoint]
    if network.get("format") in ("torchscript", "export"):
        words.append("--trust")
        verify.append("--trust")
    placeholders.append(
        ("BUNDLE", "a folder of your choice; for verify also the bundle that this report was made from")
    )
    return Reproduction((_line(words), _line(verify)), tuple(placeholders), tuple(remarks))


def _settings(bundle: Bundle) -> list[str]:
    """The options that set the change, those at their default left out where that is the same for every network."""
    record, budget = bundle.record, bundle.record["budget"]
    words = ["--seed", str(record["seed"]), "--max-displacement-mm", f"{budget['max_displacement_mm']:g}"]
    words += ["--max-hu", f"{budget['max_hu']:g}"]
    if record["tolerance"] != _DEFAULT_TOLERANCE:
        words += ["--tolerance", f"{record['tolerance']:g}"]
    if any(
        high - low != n for low, high, n in zip(bundle.region.start, bundle.region.stop, bundle.grid.shape, strict=True)
    ):
        words += ["--region", str(bundle.region)]
    if record["interpolation"] != "bspline":
        words += ["--interpolation", record["interpolation"]]
    kind = None if bundle.path is None else bundle.path.kind
    if kind is not None and not kind.deformation:
        words.append("--no-deformation")
    if kind is not None and not kind.appearance:
        words.append("--no-appearance")
    if record.get("thorough"):
        words.append("--thorough")
    if record.get("half_precision"):
        words.append("--half")
    if record["network"].get("format") == "nnunet" and not record["network"].get("mirror_axes"):
        words.append("--no-mirroring")
    return words


def _line(words: list[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
