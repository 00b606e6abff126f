from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from toy_networks import SmallConv

from napari_advseg.networks import (
    CardNeededError,
    ConsentNeededError,
    describe,
    known_networks,
    memory_of_one_pass,
    open_network,
    remember_trust,
    trusted,
    withdraw_trust,
)
from napari_advseg.volume import file_sha256

CARD = {
    "name": "mine",
    "dimensions": 3,
    "labels": {"background": 0, "liver": 1},
    "divisible_by": 4,
    "architecture": {
        "class": "monai.networks.nets.UNet",
        "arguments": {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]},
    },
}


def module() -> torch.nn.Module:
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    return UNet(**CARD["architecture"]["arguments"])


def weights(folder: Path, suffix: str = ".pth", card: dict | None = CARD, wrap: str | None = None) -> Path:
    path = folder / f"net{suffix}"
    state = module().state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({wrap: {f"module.{k}": v for k, v in state.items()}} if wrap else state, path)
    if card is not None:
        (folder / "net.yaml").write_text(yaml.safe_dump(card))
    return path


@pytest.mark.parametrize(
    ("suffix", "wrap"), [(".pth", None), (".pt", "state_dict"), (".pt", "model"), (".safetensors", None)]
)
def test_weights_with_a_card_open_and_predict_as_the_module_does(tmp_path: Path, suffix: str, wrap: str | None) -> None:
    network = open_network(weights(tmp_path, suffix, wrap=wrap), device="cpu")
    image = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network.module(image), module().eval()(image))
    assert network.card.sha256 == file_sha256([tmp_path / f"net{suffix}"])
    assert network.format == "weights"


def test_a_json_card_serves_too(tmp_path: Path) -> None:
    path = weights(tmp_path, card=None)
    (tmp_path / "net.json").write_text(json.dumps(CARD))
    assert open_network(path, device="cpu").card.name == "mine"


def changed(**architecture: object) -> dict:
    arguments = CARD["architecture"]["arguments"] | architecture
    return CARD | {"architecture": {"class": "monai.networks.nets.UNet", "arguments": arguments}}


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (None, "no model card"),
        (CARD | {"architecture": None}, "no 'architecture'"),
        (changed(channels=[4, 8, 16], strides=[2, 2]), "does not fit.*missing in the file"),
        (changed(channels=[4, 12]), "another shape"),
        (changed(out_channels=3), "another shape"),
        (changed(num_res_units=1), "does not fit"),
        (CARD | {"labels": ["background", "liver", "spleen"]}, "gives 2 classes, its card names 3"),
        (CARD | {"sha256": "0" * 64}, "not the file that its card describes"),
        (CARD | {"architecture": {"class": "os.system"}}, "must be one of monai.networks.nets"),
        (CARD | {"architecture": {"class": "monai.networks.nets.unet.UNet"}}, "must be one of monai.networks.nets"),
        (CARD | {"architecture": {"class": "monai.networks.nets.NoSuch"}}, "no network class"),
        (CARD | {"architecture": {"class": "monai.networks.nets.annotations"}}, "no network class"),
        (changed(act="$__import__('os').system('x')"), "plain values only"),
        (changed(act={"_target_": "os.system"}), "may not hold the key"),
        (changed(no_such_argument=1), "does not take these arguments"),
        (CARD | {"dimensions": 4}, "dimensions"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_line_that_names_the_mismatch(
    tmp_path: Path, card, words
) -> None:
    path = weights(tmp_path, card=card)
    with pytest.raises(ValueError, match=words) as caught:
        open_network(path, device="cpu")
    assert "\n" not in str(caught.value)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = weights(tmp_path)
    torch.save({"state_dict": Evil(tmp_path / "ran")}, path)
    with pytest.raises(ValueError, match="does not load as plain weights"):
        open_network(path, device="cpu")
    assert not (tmp_path / "ran").exists()


def test_damaged_and_missing_files_get_one_line(tmp_path: Path) -> None:
    path = weights(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="does not load as plain weights"):
        open_network(path, device="cpu")
    bad = weights(tmp_path, ".safetensors")
    bad.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no safetensors file"):
        open_network(bad, device="cpu")
    with pytest.raises(FileNotFoundError, match="no checkpoint.*phantom2d"):
        open_network(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="neither an nnU-Net v2 results folder"):
        open_network(tmp_path)


def script(folder: Path) -> Path:
    path = folder / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(SmallConv(3, 2).eval(), torch.zeros(1, 1, 8, 8, 8)).save(str(path))
    (folder / "net.yaml").write_text(yaml.safe_dump({k: v for k, v in CARD.items() if k != "architecture"}))
    return path


def test_torchscript_loads_only_after_consent_which_is_remembered_and_can_be_withdrawn(tmp_path: Path) -> None:
    path = script(tmp_path)
    sha256 = file_sha256([path])
    with pytest.raises(ConsentNeededError, match="run code when it is loaded") as caught:
        open_network(path, device="cpu")
    assert (caught.value.path, caught.value.sha256) == (path, sha256)
    assert not trusted(sha256)
    network = open_network(path, device="cpu", trust=True)
    image = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network.module(image), SmallConv(3, 2)(image))
    assert open_network(path, device="cpu").format == "torchscript"
    withdraw_trust(sha256)
    with pytest.raises(ConsentNeededError):
        open_network(path, device="cpu")
    remember_trust(sha256)
    assert open_network(path, device="cpu").card.name == "mine"


def test_consent_is_for_these_bytes_only(tmp_path: Path) -> None:
    path = script(tmp_path)
    open_network(path, device="cpu", trust=True)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ConsentNeededError):
        open_network(path, device="cpu")


def test_the_shipped_network_opens_by_name_and_describes_itself() -> None:
    network = open_network("phantom2d", device="cpu")
    content = describe(network)
    assert content["format"] == "shipped"
    assert content["dimensions"] == 2
    assert content["parameters"] > 10_000
    assert content["missing"] == []
    assert set(known_networks()) == {"phantom2d", "abdomen8"}


def test_a_published_network_is_taken_from_the_cache_without_a_network(real_data: Path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_ADVSEG_CACHE", str(real_data / "checkpoints"))
    network = open_network("abdomen8", device="cpu")
    assert network.card.sha256 == file_sha256([real_data / "checkpoints" / "allconvunet_tcia_fold2.pth"])
    assert network.parameters == 883_740


def test_a_download_that_fails_says_where_to_put_the_file(monkeypatch) -> None:
    import pooch

    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(OSError, match="could not be downloaded.*put the file into"):
        open_network("abdomen8", device="cpu")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="does not work here; these do: .*cpu"):
        open_network("phantom2d", device="cuda:99")


def program(folder: Path) -> Path:
    path = folder / "net.pt2"
    torch.export.save(torch.export.export(SmallConv(3, 2).eval(), (torch.zeros(1, 1, 8, 8, 8),)), str(path))
    content = {k: v for k, v in CARD.items() if k not in ("architecture", "divisible_by")}
    (folder / "net.yaml").write_text(yaml.safe_dump(content | {"patch": [8, 8, 8], "batch": 1}))
    return path


def test_an_exported_program_of_fixed_shape_works_through_windows_after_consent(tmp_path: Path) -> None:
    from napari_advseg.volume import Grid

    path = program(tmp_path)
    with pytest.raises(ConsentNeededError, match=r"torch.export \(.pt2\) file, a format that can run code"):
        open_network(path, device="cpu")
    network = open_network(path, device="cpu", trust=True)
    assert (network.format, network.random) == ("export", False)
    image = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(network.module(image), SmallConv(3, 2)(image))
    hu = (torch.randn(12, 14, 10) * 100).requires_grad_()
    network.on(Grid((12, 14, 10), (2.0, 2.0, 2.0))).scores(hu)[1].sum().backward()
    assert float(hu.grad.abs().min()) > 0


def test_a_checkpoint_without_a_card_says_what_it_is(tmp_path: Path) -> None:
    for path, kind in (
        (script(tmp_path), "torchscript"),
        (program(tmp_path), "export"),
        (weights(tmp_path), "weights"),
    ):
        path.with_suffix(".yaml").unlink(missing_ok=True)
        with pytest.raises(CardNeededError, match="no model card") as caught:
            open_network(path, device="cpu")
        assert (caught.value.path, caught.value.kind, caught.value.sha256) == (path, kind, file_sha256([path]))


def test_weights_of_nnunets_architectures_open_with_a_card(tmp_path: Path) -> None:
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    arguments = {
        "n_stages": 2, "features_per_stage": [4, 8], "conv_op": "torch.nn.Conv3d", "kernel_sizes": 3, "strides": [1, 2],
        "n_conv_per_stage": 1, "n_conv_per_stage_decoder": 1, "nonlin": "torch.nn.ReLU",
    }  # fmt: skip
    built = arguments | {"conv_op": torch.nn.Conv3d, "nonlin": torch.nn.ReLU}
    own = PlainConvUNet(1, num_classes=2, **built).eval()
    torch.save(own.state_dict(), tmp_path / "net.pth")
    named = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    (tmp_path / "net.yaml").write_text(
        yaml.safe_dump(CARD | {"architecture": {"class": named, "arguments": arguments}})
    )
    image = torch.randn(1, 1, 8, 8, 8)
    torch.testing.assert_close(open_network(tmp_path / "net.pth", device="cpu").module(image), own(image))


def test_inspecting_tells_the_memory_of_one_pass() -> None:
    network = open_network("phantom2d", device="cpu")
    assert 1 < memory_of_one_pass(network) < 100
    network.card = network.card.model_copy(update={"patch": (192, 160), "tiling": "nnunet", "divisible_by": 32})
    assert memory_of_one_pass(network, quickly=True) == pytest.approx(memory_of_one_pass(network), rel=0.05)


def test_labels_can_be_renamed() -> None:
    card = open_network("phantom2d", device="cpu").card
    assert card.renamed({1: "milza"}).labels[1] == "milza"
    with pytest.raises(ValueError, match="no label 99"):
        card.renamed({99: "x"})
    with pytest.raises(ValueError, match="same organ"):
        card.renamed({1: card.labels[2]})
    with pytest.raises(ValueError, match="may not be empty"):
        card.renamed({1: " "})
