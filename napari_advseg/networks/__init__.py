"""A user's checkpoint as one function: HU volume -> class scores, differentiable."""

from .card import Architecture, ModelCard, find_card, make_card, one_line, read_card, write_card
from .consent import (
    ConsentNeededError,
    remember_trust,
    settings_folder,
    trusted,
    trusted_files,
    trusting,
    withdraw_trust,
)
from .devices import pick_device, working_devices
from .execution import DeviceLost, OutOfMemory, ran_out
from .inspecting import describe, memory_of_one_pass
from .intensity import Intensity
from .network import Passes, PlacedNetwork, SegmentationNetwork, hard_labels
from .opening import CardNeededError, network_from_module, open_network
from .portable import portable_checkpoint
from .registry import cache_folder, fetch, known_networks
from .thin_layers import TurnedConv3d
from .weights import load_architectures

__all__ = [
    "Architecture",
    "CardNeededError",
    "ConsentNeededError",
    "DeviceLost",
    "Intensity",
    "ModelCard",
    "OutOfMemory",
    "Passes",
    "PlacedNetwork",
    "SegmentationNetwork",
    "TurnedConv3d",
    "cache_folder",
    "describe",
    "fetch",
    "find_card",
    "hard_labels",
    "known_networks",
    "load_architectures",
    "make_card",
    "memory_of_one_pass",
    "network_from_module",
    "one_line",
    "open_network",
    "pick_device",
    "portable_checkpoint",
    "ran_out",
    "read_card",
    "remember_trust",
    "settings_folder",
    "trusted",
    "trusted_files",
    "trusting",
    "withdraw_trust",
    "working_devices",
    "write_card",
]
