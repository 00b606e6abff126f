"""The offline phantom and its network; real CT and published networks by download."""

from .attackers import attacker_folder, shipped_attacker
from .loading import NETWORK_OF, Sample, load_sample, write_sample
from .phantom import PHANTOM_LABELS, Phantom, make_phantom

__all__ = [
    "NETWORK_OF",
    "PHANTOM_LABELS",
    "Phantom",
    "Sample",
    "attacker_folder",
    "load_sample",
    "make_phantom",
    "shipped_attacker",
    "write_sample",
]
