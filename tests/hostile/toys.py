"""The smallest case: a network that calls tissue above 50 HU liver, and a CT with a cube of it."""

from __future__ import annotations

import numpy as np
from toy_networks import CARD, threshold_network

from napari_advseg.volume import Volume, volume_from_array

__all__ = ["CARD", "threshold_network", "toy_ct"]


def toy_ct() -> Volume:
    hu = np.full((12, 12, 12), -100, np.float32)
    hu[3:9, 3:9, 3:9] = 60
    return volume_from_array(hu, spacing=(3.0, 3.0, 3.0))
