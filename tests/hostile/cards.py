"""Model cards, each beside whole weights of the network that it should describe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from monai.networks.nets import UNet

from napari_advseg.networks import open_network, read_card

from .images import write
from .registry import Opened, Shelf

ARGUMENTS = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
CARD: dict[str, Any] = {
    "name": "mine",
    "dimensions": 2,
    "labels": {"background": 0, "liver": 1},
    "divisible_by": 2,
    "architecture": {"class": "monai.networks.nets.UNet", "arguments": ARGUMENTS},
}


def read(path: Any) -> Opened:
    return Opened(open_network(path, device="cpu"))


def read_alone(path: Any) -> Opened:
    return Opened(read_card(path.with_suffix(".yaml")))


CARDS = Shelf("cards", "`open_network` of weights with the card beside them", read)


def weights(folder: Path) -> Path:
    torch.save(UNet(**ARGUMENTS).state_dict(), folder / "net.pth")
    return folder / "net.pth"


def text(content: str | bytes, name: str = "net.yaml") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / name, content.encode() if isinstance(content, str) else content)
        return weights(folder)

    return make


def card(**fields: Any) -> Callable[[Path], Path]:
    """A maker of the whole card with some fields replaced, or left out where they are None."""
    content = {key: value for key, value in (CARD | fields).items() if value is not None}
    return text(yaml.safe_dump(content, allow_unicode=True))


def built(**fields: Any) -> Callable[[Path], Path]:
    return card(architecture=CARD["architecture"] | fields)


def lists_of_lists(last: str) -> str:
    """Nine levels, each ten times the one before: a billion values in 400 bytes."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join([*rows, last])


def merged() -> str:
    rows = ["m0: &m0 {a: 1, b: 2}"]
    return "\n".join(rows + [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 9)])


whole = yaml.safe_dump(CARD)
CARDS.accepted("a byte order mark, YAML", text("\ufeff" + whole))
CARDS.accepted("a byte order mark, JSON", text("\ufeff" + json.dumps(CARD), "net.json"))
CARDS.accepted(
    "an alias for a few values",
    text(
        whole.replace("    channels:\n    - 4\n    - 8\n", "    channels: &c\n    - 4\n    - 8\n")
        + "batch: &b 3\nregion_margin_mm: [*b, *b, *b]\n"
    ),
)
CARDS.accepted("organs in Chinese", card(labels=["背景", "肝"]), lambda network: network.card.organs == {1: "肝"})
CARDS.refused("no card", "has no model card", weights)
CARDS.refused("an empty card", "is no model card", text(""))
CARDS.refused("a card that is a list", "is no model card", text("- name\n- labels\n"))
CARDS.refused("YAML that is broken", "is no YAML or JSON that can be read", text("name: [mine\n"))
CARDS.refused("JSON that is broken", "is no YAML or JSON that can be read", text("{", "net.json"))
CARDS.refused("Latin-1", "is no YAML or JSON that can be read", text("name: Müller".encode("latin-1")))
CARDS.refused("bytes that are no text", "is no YAML or JSON that can be read", text(bytes(range(256))))
CARDS.refused("JSON nested 100000 deep", "nested too deep", text("[" * 100000, "net.json"))
CARDS.refused("YAML nested 5000 deep", "nested too deep", text("[" * 5000))
CARDS.refused(
    "a YAML tag that would run code",
    "could not determine a constructor",
    text("name: !!python/object/apply:os.mkdir [ran]\n"),
)
CARDS.refused(
    "aliases that swell to a billion values", "its aliases swell it", text(lists_of_lists("labels: [*a8, *a8]"))
)
CARDS.refused(
    "aliases that swell, in the arguments",
    "its aliases swell it",
    text(lists_of_lists("architecture: {class: monai.networks.nets.UNet, arguments: {x: *a8}}")),
)
CARDS.refused("merges that swell", "its aliases swell it", text(merged()))
CARDS.refused("an alias of what holds it", "its aliases swell it", text("name: &a [*a]\n"))
CARDS.refused("no name", "name: Field required", card(name=None))
CARDS.refused("an unknown field", "colour: Extra inputs are not permitted", card(colour="red"))
CARDS.refused("four dimensions", "dimensions: Input should be 2 or 3", card(dimensions=4))
CARDS.refused("a gap between labels", "without gaps", card(labels={"background": 0, "liver": 2}))
CARDS.refused(
    "two labels of one organ",
    "two labels name the same organ",
    card(labels=["background", "left kidney", "kidney_left"]),
)
CARDS.accepted(
    "two organs whose names have no Latin letters",
    card(labels=["фон", "печень", "селезёнка"]),
    lambda card: len(card.organs) == 2,
    open=read_alone,
)
CARDS.refused("an orientation with a letter twice", "orientation has one letter each", card(orientation="SPP"))
CARDS.refused("spacing of 0", "spacing needs 2 positive numbers", card(spacing=[1, 0]))
CARDS.refused("spacing that is NaN", "spacing.1: Input should be a finite number", card(spacing=[1.0, float("nan")]))
CARDS.refused("three numbers for two axes", "spacing needs 2 positive numbers", card(spacing=[1, 1, 1]))
CARDS.refused("a patch of a million squared", "patch has 1000000000000 voxels", card(patch=[10**6, 10**6]))
CARDS.refused("an input of a million squared", "input_size has 1000000000000 voxels", card(input_size=[10**6, 10**6]))
CARDS.refused(
    "divisible by a billion", "divisible_by: Input should be less than or equal to 1024", card(divisible_by=10**9)
)
CARDS.refused(
    "a margin that is infinite",
    "region_margin_mm.0: Input should be a finite number",
    card(region_margin_mm=[float("inf"), 1, 1]),
)
CARDS.refused(
    "a margin below 0",
    "region_margin_mm.0: Input should be greater than or equal to 0",
    card(region_margin_mm=[-1, 1, 1]),
)
CARDS.refused(
    "an intensity window upside down", "needs low < high", card(intensity={"rule": "window", "low": 200, "high": -100})
)
CARDS.refused("a clip upside down", "needs low < high", card(intensity={"rule": "zscore", "low": 200, "high": -100}))
CARDS.refused(
    "a mean that is NaN",
    "intensity.mean: Input should be a finite number",
    card(intensity={"rule": "zscore", "mean": float("nan")}),
)
CARDS.refused(
    "a standard deviation of 0",
    "intensity.std: Input should be greater than 0",
    card(intensity={"rule": "zscore", "std": 0}),
)
CARDS.refused("no class", "has no 'architecture'", card(architecture=None))
CARDS.refused(
    "a class that is no network's",
    "the card's class must be one of monai.networks.nets.*",
    built(**{"class": "os.system"}),
)
CARDS.refused(
    "a class that MONAI does not have",
    "this MONAI has no network class",
    built(**{"class": "monai.networks.nets.NoNet"}),
)
CARDS.refused("a function of MONAI", "this MONAI has no network class", built(**{"class": "monai.networks.nets.torch"}))
CARDS.refused("arguments that the class does not take", "does not take these arguments", built(arguments={"depth": 3}))
CARDS.refused(
    "an argument with an expression",
    "may hold plain values only",
    built(arguments=ARGUMENTS | {"act": "$__import__('os')"}),
)
CARDS.refused(
    "more classes than the weights give",
    "does not fit the network",
    card(
        labels=["background", "liver", "spleen"],
        architecture=CARD["architecture"] | {"arguments": ARGUMENTS | {"out_channels": 3}},
    ),
)
CARDS.refused(
    "more labels than channels", "gives 2 classes, its card names 3", card(labels=["background", "liver", "spleen"])
)
CARDS.refused("the SHA-256 of another file", "is not the file that its card describes", card(sha256="0" * 64))
