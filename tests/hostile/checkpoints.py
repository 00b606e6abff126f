"""Checkpoints: what they try when they are opened, and what is wrong with them."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import UNet
from safetensors.torch import save_file

from .cards import ARGUMENTS, CARD, read, text, weights, whole
from .images import cut, write
from .registry import MARK, Shelf

CHECKPOINTS = Shelf(
    "checkpoints", "`open_network`, which `--network` and the *Network* panel open a checkpoint with", read
)
Made = Callable[[Path], Path]
DATASET = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / MARK

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def saved(content: Callable[[Path], Any], name: str = "net.pth") -> Made:
    """A maker of what torch.save writes, with the whole card beside it."""

    def make(folder: Path) -> Path:
        write(folder / "net.yaml", whole.encode())
        torch.save(content(folder), folder / name)
        return folder / name

    return make


def state(folder: Path) -> dict[str, Any]:
    return dict(UNet(**ARGUMENTS).state_dict())


def changed(change: Callable[[torch.Tensor], torch.Tensor]) -> Made:
    return saved(lambda folder: {name: change(tensor) for name, tensor in state(folder).items()})


def named(name: str, content: bytes) -> Made:
    def make(folder: Path) -> Path:
        write(folder / "net.yaml", whole.encode())
        return write(folder / name, content)

    return make


def bare_pickle(folder: Path) -> Path:
    return named("net.pth", pickle.dumps(Touch(folder)))(folder)


def safetensors(folder: Path) -> Path:
    write(folder / "net.yaml", whole.encode())
    save_file(state(folder), folder / "net.safetensors")
    return folder / "net.safetensors"


def zipped(entries: dict[str, bytes], pack: int = zipfile.ZIP_STORED) -> Made:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "export.zip", "w", pack) as archive:
            for name, content in entries.items():
                archive.writestr(zipfile.ZipInfo(name), content, pack)
        return folder / "export.zip"

    return make


def patched(make: Made, change: Callable[[bytearray], object]) -> Made:
    def made(folder: Path) -> Path:
        path = make(folder)
        content = bytearray(path.read_bytes())
        change(content)
        return write(path, bytes(content))

    return made


def encrypted(content: bytearray) -> None:
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(sign)
        while start >= 0:
            content[start + at] |= 1
            start = content.find(sign, start + 4)


def damaged(content: bytearray) -> None:
    content[43:52] = b"\xff" * 9  # behind the first name


def nnunet(plans: Any, checkpoint: Callable[[Path], Any]) -> Made:
    def make(folder: Path) -> Path:
        (folder / "result" / "fold_0").mkdir(parents=True)
        write(folder / "result" / "plans.json", plans if isinstance(plans, bytes) else json.dumps(plans).encode())
        write(folder / "result" / "dataset.json", json.dumps(DATASET).encode())
        torch.save(checkpoint(folder), folder / "result" / "fold_0" / "checkpoint_final.pth")
        return folder / "result"

    return make


def monai(network: Callable[[Path], dict[str, Any]]) -> Made:
    def make(folder: Path) -> Path:
        for name in ("configs", "models"):
            (folder / "bundle" / name).mkdir(parents=True)
        content = {"network_def": network(folder), "preprocessing": {"_target_": "Compose", "transforms": []}}
        write(folder / "bundle" / "configs" / "inference.json", json.dumps(content).encode())
        torch.save({}, folder / "bundle" / "models" / "model.pt")
        return folder / "bundle"

    return make


def scripted(folder: Path) -> Path:
    """The layout of a TorchScript file is enough: it must not come to be loaded."""
    write(folder / "net.yaml", whole.encode())
    with zipfile.ZipFile(folder / "net.pth", "w") as archive:
        archive.writestr("net/code/__torch__.py", f"open({str(folder / MARK)!r}, 'w')")
        archive.writestr("net/data.pkl", pickle.dumps(Touch(folder)))
    return folder / "net.pth"


def exported(folder: Path) -> Path:
    buffer = io.BytesIO()
    torch.save(Touch(folder), buffer)
    write(folder / "net.yaml", whole.encode())
    with zipfile.ZipFile(folder / "net.pt2", "w") as archive:
        archive.writestr("net/archive_format", "pt2")
        archive.writestr("net/data/weights/weight_0", buffer.getvalue())
    return folder / "net.pt2"


def linked_weights(folder: Path) -> Path:
    write(folder / "net.yaml", whole.encode())
    (folder / "elsewhere").mkdir()
    (folder / "net.pth").symlink_to(weights(folder / "elsewhere"))
    return folder / "net.pth"


huge = CARD | {"architecture": CARD["architecture"] | {"arguments": ARGUMENTS | {"channels": [2**19, 2**20]}}}


def huge_network(folder: Path) -> Path:
    return text(json.dumps(huge), "net.json")(folder)


def huge_network_that_fits(folder: Path) -> Path:
    """One number, viewed as every weight of a network of terabytes."""
    with torch.device("meta"):
        sketch = UNet(**huge["architecture"]["arguments"]).state_dict()
    content = {
        name: torch.zeros(1).expand(tensor.shape) if tensor.ndim else torch.zeros(()) for name, tensor in sketch.items()
    }
    write(folder / "net.json", json.dumps(huge).encode())
    torch.save(content, folder / "net.pth")
    return folder / "net.pth"


plain, nnunet_only, runs = (
    "does not load as plain weights",
    "does not load as an nnU-Net checkpoint",
    "can run code when it is loaded",
)
CHECKPOINTS.accepted("whole weights", saved(state))
CHECKPOINTS.accepted(
    "weights under the names of DataParallel",
    saved(lambda folder: {f"module.{name}": tensor for name, tensor in state(folder).items()}),
)
CHECKPOINTS.accepted("weights of half precision", changed(lambda tensor: tensor.half()))
CHECKPOINTS.accepted("a link to weights elsewhere", linked_weights)
CHECKPOINTS.refused("a pickle that runs code", plain, saved(lambda folder: {"state_dict": Touch(folder)}))
CHECKPOINTS.refused("a bare pickle that runs code", plain, bare_pickle)
CHECKPOINTS.refused(
    "a pickle that runs code, in an nnU-Net",
    nnunet_only,
    nnunet({"configurations": {}}, lambda folder: {"network_weights": {}, "init_args": Touch(folder)}),
)
CHECKPOINTS.refused("TorchScript called .pth", runs, scripted)
CHECKPOINTS.refused("a .pt2 with a pickle for a weight", runs, exported)
CHECKPOINTS.refused(
    "a MONAI bundle with an expression",
    "$__import__",
    monai(
        lambda folder: {
            "_target_": "UNet",
            **ARGUMENTS,
            "act": f"$__import__('pathlib').Path({str(folder / MARK)!r}).touch()",
        }
    ),
)
CHECKPOINTS.refused(
    "a MONAI bundle with a callable",
    "pathlib.Path.touch",
    monai(lambda folder: {"_target_": "pathlib.Path.touch", "self": str(folder / MARK)}),
)
CHECKPOINTS.refused("nothing there", "there is no checkpoint", lambda folder: folder / "net.pth")
CHECKPOINTS.refused("a name of 300 characters", "there is no checkpoint", lambda folder: folder / ("x" * 300))
CHECKPOINTS.refused("an empty file", plain, named("net.pth", b""))
CHECKPOINTS.refused("text called .pth", plain, named("net.pth", b"weights"))
CHECKPOINTS.refused("weights cut off", plain, cut(saved(state), 0.9))
CHECKPOINTS.refused("half of the weights' file", plain, cut(saved(state), 0.5))
CHECKPOINTS.refused("safetensors cut off", "is no safetensors file that can be read", cut(safetensors, 0.9))
CHECKPOINTS.refused(
    "safetensors with a header of exabytes",
    "is no safetensors file that can be read",
    named("net.safetensors", b"\xff" * 8 + b"{}"),
)
CHECKPOINTS.refused("a whole network instead of its weights", plain, saved(lambda folder: UNet(**ARGUMENTS)))
CHECKPOINTS.refused("a list of tensors", "holds no table of weights", saved(lambda folder: [torch.zeros(2)]))
CHECKPOINTS.refused("no weights", "holds no table of weights", saved(lambda folder: {}))
CHECKPOINTS.refused(
    "weights of another network", "does not fit the network UNet", saved(lambda folder: {"weight": torch.zeros(2)})
)
CHECKPOINTS.refused("weights of another shape", "weights of another shape", changed(lambda tensor: tensor[None]))
CHECKPOINTS.refused("weights that are NaN", "its weights are damaged", changed(lambda tensor: tensor * float("nan")))
CHECKPOINTS.refused("complex weights", "does not fit the network UNet", changed(lambda tensor: tensor * 1j))
CHECKPOINTS.refused(
    "weights without values", "does not fit the network UNet", changed(lambda tensor: tensor.to("meta"))
)
CHECKPOINTS.refused("a card of a network of terabytes", "does not fit the network UNet", huge_network)
CHECKPOINTS.refused(
    "one number viewed as terabytes of weights", "bytes of weights, more than the", huge_network_that_fits
)
CHECKPOINTS.refused("a zip that is none", "is no zip file that can be read", named("export.zip", b"PK\3\4"))
CHECKPOINTS.refused("a zip of something else", "is neither an nnU-Net v2 results folder", zipped({"notes.txt": b""}))
CHECKPOINTS.refused(
    "a zip whose names lead out of it", "leads out of it, '../ran'", zipped({"result/plans.json": b"{}", "../ran": b""})
)
CHECKPOINTS.refused("a zip with a name from the root", "leads out of it, '/tmp/ran'", zipped({"/tmp/ran": b""}))
CHECKPOINTS.refused("a zip with a drive's name", "leads out of it", zipped({"C:\\ran": b""}))
CHECKPOINTS.refused("a zip with an empty name", "is neither an nnU-Net v2 results folder", zipped({".": b"x"}))
CHECKPOINTS.refused("a zip bomb", "would swell", zipped({"result/plans.json": bytes(2**26)}, zipfile.ZIP_DEFLATED))
CHECKPOINTS.refused(
    "a zip with a password",
    "is damaged at",
    patched(zipped({"r/plans.json": b"{}", "r/dataset.json": b"{}", "r/fold_0/checkpoint_final.pth": b""}), encrypted),
)
CHECKPOINTS.refused(
    "a packed zip whose content is damaged",
    "is damaged at",
    patched(
        zipped(
            {"r/plans.json": b"a b c d e f" * 9, "r/dataset.json": b"{}", "r/fold_0/checkpoint_final.pth": b"x" * 99},
            zipfile.ZIP_DEFLATED,
        ),
        damaged,
    ),
)
CHECKPOINTS.refused(
    "an nnU-Net whose plans are cut off",
    "plans.json cannot be read",
    nnunet(b'{"configurations"', lambda folder: {"network_weights": {}, "init_args": {}}),
)
CHECKPOINTS.refused(
    "an nnU-Net whose plans are nested 100000 deep",
    "plans.json cannot be read",
    nnunet(b"[" * 100000, lambda folder: {"network_weights": {}, "init_args": {}}),
)
CHECKPOINTS.refused(
    "an nnU-Net whose plans lack its configuration",
    "has no configuration '2d'",
    nnunet({"configurations": {}}, lambda folder: {"network_weights": {}, "init_args": {"configuration": "2d"}}),
)
CHECKPOINTS.refused(
    "an nnU-Net configuration that inherits from itself",
    "has no configuration",
    nnunet(
        {"configurations": {"2d": {"inherits_from": "2d"}}},
        lambda folder: {"network_weights": {}, "init_args": {"configuration": "2d"}},
    ),
)
CHECKPOINTS.refused("an empty folder", "is neither an nnU-Net v2 results folder", lambda folder: folder)
