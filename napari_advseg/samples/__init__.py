"""The offline phantom and its network; real CT and published networks by download."""

from .loading import NETWORK_OF, Sample, load_sample, write_sample
from .phantom import PHANTOM_LABELS, Phantom, make_phantom

__all__ = ["NETWORK_OF", "PHANTOM_LABELS", "Phantom", "Sample", "load_sample", "make_phantom", "write_sample"]
