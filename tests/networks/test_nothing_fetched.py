"""A stranger's card may name a network that fetches weights where it is built: nothing is fetched."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from napari_advseg.networks import open_network
from napari_advseg.networks.card import Architecture
from napari_advseg.networks.weights import build_monai


def _card(name: str, arguments: dict[str, Any]) -> Architecture:
    return Architecture.model_validate({"class": f"monai.networks.nets.{name}", "arguments": arguments})


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach another computer is noted, and fails."""
    tried: list[object] = []

    def refuse(*address: object, **_options: object) -> None:
        tried.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("HoVerNet", {"pretrained_url": "http://127.0.0.1:1/weights.pth"}),
        ("HoVerNet", {"pretrained_url": "http://127.0.0.1:1/w", "pretrained_state_dict_key": "net"}),
        ("TorchVisionFCModel", {"model_name": "resnet18", "weights": "IMAGENET1K_V1"}),
        ("Transchex", {"in_channels": 1}),
    ],
)
def test_a_class_that_is_to_fetch_is_refused_in_a_line(
    no_network: list[object], tmp_path: Path, name: str, arguments: dict[str, Any]
) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.zeros(1)}, path)
    card = {"name": "mine", "dimensions": 2, "labels": {"background": 0, "liver": 1}}
    architecture = {"class": f"monai.networks.nets.{name}", "arguments": arguments}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card | {"architecture": architecture}))
    with pytest.raises(ValueError, match="fetches") as refused:
        open_network(path, device="cpu")
    assert len(str(refused.value).splitlines()) == 1
    assert no_network == []


@pytest.mark.parametrize("asked", [{}, {"pretrained": True}])
def test_a_class_that_fetches_by_default_is_built_without(no_network: list[object], asked: dict[str, Any]) -> None:
    card = _card("EfficientNetBN", {"model_name": "efficientnet-b0", "spatial_dims": 2, "in_channels": 3, **asked})
    assert isinstance(build_monai(card, "net.yaml"), torch.nn.Module)
    assert no_network == []
