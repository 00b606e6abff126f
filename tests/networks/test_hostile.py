"""Checkpoints made to do harm: each is refused in one line, and nothing of what it tries has happened."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toy_networks import SmallConv

from napari_advseg.networks import open_network

CARD = {
    "name": "mine",
    "dimensions": 3,
    "labels": {"background": 0, "liver": 1},
    "architecture": {
        "class": "monai.networks.nets.UNet",
        "arguments": {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]},
    },
}
DATASET = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def with_card(path: Path, card: dict = CARD) -> Path:
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    return path


def pickled(folder: Path, mark: Path) -> Path:
    path = with_card(folder / "net.pth")
    torch.save({"state_dict": Touch(mark)}, path)
    return path


def bare_pickle(folder: Path, mark: Path) -> Path:
    path = with_card(folder / "net.pth")
    path.write_bytes(pickle.dumps(Touch(mark)))
    return path


def nnunet_pickle(folder: Path, mark: Path) -> Path:
    (folder / "result" / "fold_0").mkdir(parents=True)
    (folder / "result" / "plans.json").write_text(json.dumps({"configurations": {}}))
    (folder / "result" / "dataset.json").write_text(json.dumps(DATASET))
    torch.save({"network_weights": {}, "init_args": Touch(mark)}, folder / "result" / "fold_0" / "checkpoint_final.pth")
    return folder / "result"


def nnunet_plans(folder: Path, mark: Path) -> Path:
    described = {
        "network_class_name": "pathlib.Path.touch",
        "arch_kwargs": {"self": str(mark), "conv_op": "pathlib.Path.touch"},
        "_kw_requires_import": ["conv_op"],
    }
    plans = {
        "configurations": {
            "2d": {
                "architecture": described, "patch_size": [8, 8], "spacing": [1.0, 1.0],
                "normalization_schemes": ["NoNormalization"],
            }
        }
    }  # fmt: skip
    (folder / "result" / "fold_0").mkdir(parents=True)
    (folder / "result" / "plans.json").write_text(json.dumps(plans))
    (folder / "result" / "dataset.json").write_text(json.dumps(DATASET))
    content = {"network_weights": {}, "init_args": {"configuration": "2d"}}
    torch.save(content, folder / "result" / "fold_0" / "checkpoint_final.pth")
    return folder / "result"


class WritesAtLoad(torch.nn.Module):
    """Scripted, it makes a file whenever it is loaded, before any pass."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([image, -image], 1)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.training = state[1]
        self.path = state[0] + str(torch.from_file(state[0], True, 4).numel())


def torchscript(folder: Path, mark: Path) -> Path:
    path = with_card(folder / "net.pt", {k: v for k, v in CARD.items() if k != "architecture"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(WritesAtLoad(str(mark))).save(str(path))
    return path


def disguised_torchscript(folder: Path, mark: Path) -> Path:
    path = torchscript(folder, mark)
    return with_card(path.rename(folder / "weights.pth"))


def exported(folder: Path, mark: Path, where: str, name: str) -> Path:
    """A .pt2 whose table of weights or constants sends torch.export to a pickle."""
    path = with_card(folder / "net.pt2", {k: v for k, v in CARD.items() if k != "architecture"})
    program = torch.export.export(SmallConv(3, 2).eval(), (torch.zeros(1, 1, 8, 8, 8),))
    torch.export.save(program, str(path))
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    table = f"net/data/{where}/model_{where}_config.json"
    payload = {"path_name": name, "is_param": False, "use_pickle": True, "tensor_meta": None}
    content = json.loads(entries[table])
    entries[table] = json.dumps(content | {"config": content["config"] | {"harm": payload}}).encode()
    buffer = io.BytesIO()
    torch.save(Touch(mark), buffer)
    entries[f"net/data/{where}/{name}"] = pickle.dumps(Touch(mark)) if "opaque" in name else buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, held in entries.items():
            archive.writestr(entry, held)
    return path


def pickled_weight(folder: Path, mark: Path) -> Path:
    return exported(folder, mark, "weights", "weight_9")


def pickled_constant(folder: Path, mark: Path) -> Path:
    return exported(folder, mark, "constants", "tensor_9")


def opaque_object(folder: Path, mark: Path) -> Path:
    return exported(folder, mark, "constants", "opaque_obj_9")


def disguised_export(folder: Path, mark: Path) -> Path:
    path = pickled_weight(folder, mark)
    return with_card(path.rename(folder / "weights.pth"))


def bundle(folder: Path, network: dict) -> Path:
    (folder / "bundle" / "configs").mkdir(parents=True)
    (folder / "bundle" / "models").mkdir()
    (folder / "bundle" / "configs" / "inference.json").write_text(
        json.dumps({"network_def": network, "preprocessing": {"_target_": "Compose", "transforms": []}})
    )
    torch.save({}, folder / "bundle" / "models" / "model.pt")
    return folder / "bundle"


def bundle_expression(folder: Path, mark: Path) -> Path:
    arguments = CARD["architecture"]["arguments"] | {"act": f"$__import__('pathlib').Path({str(mark)!r}).touch()"}
    return bundle(folder, {"_target_": "UNet"} | arguments)


def bundle_target(folder: Path, mark: Path) -> Path:
    return bundle(folder, {"_target_": "pathlib.Path.touch", "self": str(mark)})


def truncated(folder: Path, mark: Path) -> Path:
    path = with_card(folder / "net.pth")
    torch.save(SmallConv(3, 2).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def climbing_zip(folder: Path, mark: Path) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("result/plans.json", "{}")
        archive.writestr(f"../{mark.name}", "climbed")
    return path


def zip_bomb(folder: Path, mark: Path) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result/plans.json", b"0" * (200 * 2**20))
    return path


def huge_shape(folder: Path, mark: Path) -> Path:
    """One number, viewed as a weight of 2^50 numbers."""
    path = with_card(folder / "net.pth")
    torch.save({"model.0.conv.unit0.conv.weight": torch.zeros(1).expand(2**50)}, path)
    return path


def huge_network(folder: Path, mark: Path) -> Path:
    wide = CARD["architecture"] | {"arguments": CARD["architecture"]["arguments"] | {"channels": [2**19, 2**20]}}
    path = with_card(folder / "net.pth", CARD | {"architecture": wide})
    torch.save({"weight": torch.zeros(2)}, path)
    return path


HOSTILE: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a pickle that runs code": (pickled, "does not load as plain weights"),
    "a bare pickle": (bare_pickle, "does not load as plain weights"),
    "an nnU-Net checkpoint that runs code": (nnunet_pickle, "does not load as an nnU-Net checkpoint"),
    "plans that name a callable": (nnunet_plans, "'pathlib.Path.touch'"),
    "a TorchScript that writes at load": (torchscript, "can run code when it is loaded"),
    "a TorchScript called weights": (disguised_torchscript, "can run code when it is loaded"),
    "a .pt2 with a pickle for a weight": (pickled_weight, "can run code"),
    "a .pt2 with a pickle for a constant": (pickled_constant, "can run code"),
    "a .pt2 with a pickle for an object": (opaque_object, "can run code"),
    "a .pt2 called weights": (disguised_export, "can run code when it is loaded"),
    "a bundle with an expression": (bundle_expression, r"\$"),
    "a bundle with a callable": (bundle_target, "pathlib.Path.touch"),
    "a truncated file": (truncated, "does not load as plain weights"),
    "a zip that climbs out": (climbing_zip, "leads out of it"),
    "a zip bomb": (zip_bomb, "would swell"),
    "a huge tensor": (huge_shape, "does not fit"),
    "a huge network": (huge_network, "does not fit"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused_in_one_line_and_nothing_happened(tmp_path: Path, what: str) -> None:
    make, words = HOSTILE[what]
    folder, mark = tmp_path / "given", tmp_path / "ran"
    folder.mkdir()
    path = make(folder, mark)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=words) as caught:
        open_network(path, device="cpu")
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("make", [pickled, torchscript, pickled_weight, pickled_constant, opaque_object])
def test_the_harm_is_real(tmp_path: Path, make: Callable[[Path, Path], Path]) -> None:
    """The same files, loaded without care, do run their code."""
    mark = tmp_path / "ran"
    path = make(tmp_path, mark)
    assert not mark.exists()
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # some fail once the harm is done
        warnings.simplefilter("ignore")
        if make is pickled:
            torch.load(path, weights_only=False)
        elif make is torchscript:
            torch.jit.load(str(path))
        else:
            torch.export.load(str(path))
    assert mark.exists()


def test_numpy_types_of_a_checkpoint_are_no_way_in(tmp_path: Path) -> None:
    """Scalars of numpy are let through for nnU-Net's log; an array of objects is not."""
    folder = nnunet_plans(tmp_path, tmp_path / "ran")
    content = {"network_weights": {}, "init_args": np.array([Touch(tmp_path / "ran")], dtype=object)}
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ValueError, match="does not load as an nnU-Net checkpoint"):
        open_network(folder, device="cpu")
    assert not (tmp_path / "ran").exists()
