"""An open network's checkpoint as one file that another computer opens as the same network."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ..volume import file_sha256
from .archive import Archive
from .monai_bundle import files_of_bundle, is_bundle
from .network import SegmentationNetwork
from .nnunet import CHECKPOINTS, files_of_trained, find_trained, split_path
from .registry import PUBLISHED, cache_folder

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same zip


def portable_checkpoint(network: SegmentationNetwork) -> tuple[str, bytes]:
    """Suffix and content of a file from which ``open_network`` opens the network, given its card where it has one apart.

    Of an nnU-Net results folder and of a MONAI bundle it is a zip of what is read of them, and of nothing else: what
    lies beside the weights may tell of patients. A shipped network needs none and gives no bytes.

    Raises
    ------
    ValueError, OSError
        One line: the files have changed since the network was opened, are gone, or it was made in Python.
    """
    if network.format == "shipped":
        return "", b""
    if network.format == "module":
        raise ValueError(
            f"the network '{network.card.name}' was made in Python, and only a checkpoint can be sent: save its weights "
            "with a model card, and open that"
        )
    if network.format == "published":
        path = cache_folder() / PUBLISHED[network.source].file
        return _one_file(network, path)
    root, fold, checkpoint = split_path(Path(network.source))
    if network.format in ("nnunet", "monai-bundle"):
        return ".zip", _zipped(network, Archive(root), fold, checkpoint)
    return _one_file(network, Path(network.source))


def _one_file(network: SegmentationNetwork, path: Path) -> tuple[str, bytes]:
    if file_sha256([path]) != network.card.sha256:
        raise ValueError(_changed(path))
    return path.suffix.lower(), path.read_bytes()


def _zipped(network: SegmentationNetwork, archive: Archive, fold: str | None, checkpoint: str | None) -> bytes:
    if network.format == "nnunet":
        trained = find_trained(archive, fold, checkpoint)
        if checkpoint not in (None, *CHECKPOINTS):
            raise ValueError(f"{checkpoint} cannot be sent: give the fold's {' or '.join(CHECKPOINTS)}")
        names = [] if trained is None else files_of_trained(trained)
    else:
        bundle = is_bundle(archive)
        names = [] if bundle is None else files_of_bundle(archive, bundle)
    if not names or archive.sha256(names) != network.card.sha256:
        raise ValueError(_changed(archive.path))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(names):
            with archive.open(name) as stream:
                packed.writestr(zipfile.ZipInfo(name, _EPOCH), stream.read())
    return content.getvalue()


def _changed(path: Path) -> str:
    return f"{path} has changed since the network was opened: open the case again"
