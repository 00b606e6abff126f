"""What makes an attack the same attack: the bytes of the case's files, the network, and the settings, as SHA-256."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from ..case import AttackRequest
from ..case.folder import is_image, visible
from ..generator import AttackerCard
from ..networks import SegmentationNetwork
from ..samples import attacker_folder
from ..volume import file_sha256, read_label_names
from .listed import ListedCase

_SETTLED_S = 2.0  # a file that was written within the clock's grain may change again under the same time stamp
_FACTS = ("size", "mtime_ns", "ctime_ns", "ino")
_DATA_FILE = re.compile(rb"ElementDataFile\s*=\s*(?P<name>[^\r\n]+)")


class AttackJob(BaseModel):
    """An attack whatever the case: the network, how it is attacked, and what else changes the outcome.

    Parameters
    ----------
    network, network_sha256
        Name, and :func:`network_digest`.
    attacker_sha256
        Of a learned attacker's files; "" for the search.
    region
        Where the CT may change, as :class:`CaseRequest` takes it.
    half
        Whether gradients come in half precision, which stays on once it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    network_sha256: str
    attack: AttackRequest
    attacker_sha256: str = ""
    region: str = "auto"
    half: bool = False

    @classmethod
    def of(
        cls, network: SegmentationNetwork, attack: AttackRequest, *, region: str = "auto", half: bool = False
    ) -> AttackJob:
        """The job of attacking an open network; a ValueError where the attacker is none."""
        learned = ""
        if attack.attacker != "search":
            folder = attacker_folder(attack.attacker)
            AttackerCard.read(folder)
            learned = file_sha256([one for one in visible(folder) if one.suffix in (".yaml", ".safetensors")])
        return cls(
            network=network.card.name, network_sha256=network_digest(network), attack=attack, attacker_sha256=learned,
            region=region, half=half or network.execution.half,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """SHA-256 of the job; the network's name and the place of the attacker, which may change, take no part."""
        content = self.model_dump(mode="json", exclude={"network": True, "attack": {"attacker"}})
        if not (self.attack.thorough and self.attack.searches):  # as before there was such a thing: no difference
            del content["attack"]["thorough"]
        return digest(content)


def digest(content: Any) -> str:
    """SHA-256 of plain data as JSON without spaces, keys sorted."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def network_digest(network: SegmentationNetwork) -> str:
    """SHA-256 of a network: of what its model card says of the computation, the checkpoint's SHA-256 included.

    A network made in Python is known by its class's name and its weights; its code is not looked at.
    """
    card = network.card
    content: dict[str, Any] = card.model_dump(mode="json", by_alias=True, exclude={"name", "source", "licence"})
    if card.sha256 is None or card.format == "module":
        weights = hashlib.sha256(type(network.module).__name__.encode())
        for name, tensor in sorted(network.module.state_dict().items()):
            weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            weights.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        content["weights_sha256"] = weights.hexdigest()
    return digest(content)


@dataclass
class CaseHashes:
    """SHA-256 of cases; those of files that have not changed since are kept.

    Parameters
    ----------
    known
        {stamp of the files: their SHA-256}, to be stored between runs. A stamp is itself a hash and names no file.
    """

    known: dict[str, str]

    def digest(self, case: ListedCase) -> str:
        """SHA-256 of all that is read of a case: CT, series, reference and label names, not their paths.

        Raises
        ------
        OSError, ValueError
            A file is missing or cannot be read.
        """
        names = case.label_names
        if isinstance(names, Path):
            names = read_label_names(names)
        return digest(
            {
                "ct": self._sha256(files_of(case.ct)),
                "series": case.series,
                "reference": None if case.reference is None else self._sha256(files_of(case.reference)),
                "label_names": None if names is None else sorted(names.items()),
            }
        )

    def _sha256(self, files: list[Path]) -> str:
        stamp = stamp_of(files)
        if stamp not in self.known:
            sha256 = file_sha256(files)
            newest = max(file.stat().st_mtime for file in files)
            if time.time() - newest < _SETTLED_S or stamp_of(files) != stamp:
                return sha256
            self.known[stamp] = sha256
        return self.known[stamp]


def stamp_of(files: list[Path]) -> str:
    """A hash of the files' paths, sizes and times, which changes when they do."""
    facts = [(str(file), *(getattr(file.stat(), f"st_{key}") for key in _FACTS)) for file in files]
    return digest(facts)


def files_of(path: Path) -> list[Path]:
    """The files that reading an image may open: itself, the data beside an MHD, or all of a DICOM folder.

    Raises
    ------
    OSError
        Nothing is there.
    """
    if is_image(path):
        if path.suffix.lower() != ".mhd":
            return [path]
        with path.open("rb") as stream:
            found = _DATA_FILE.search(stream.read(1 << 16))
        data = path.parent / found["name"].decode(errors="replace").strip() if found else path
        return [path, data] if data.is_file() else [path]
    folder = path if path.is_dir() else path.parent
    files = [one for one in visible(folder) if one.is_file() and not (path.is_dir() and is_image(one))]
    if not path.exists() or not files:
        raise FileNotFoundError(f"there is no CT and no labels at {path}: list the cases anew")
    return files
