"""Where the patient is, and the soft-tissue window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SOFT_TISSUE = (-160.0, 240.0)  # HU: the usual abdominal window, centre 40, width 400
_AIR = -500.0  # HU: between lung and fat


def body_mask(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The patient in a CT, lungs and bowel gas included, table and air left out.

    Parameters
    ----------
    hu
        (z, y, x), HU.

    Returns
    -------
    Boolean (z, y, x). The largest connected piece above -500 HU after an in-plane opening that cuts the table
    off, with holes filled slice by slice. Everything is body where nothing is above -500 HU.
    """
    dense = hu > _AIR
    opened = ndimage.binary_opening(dense, structure=np.ones((1, 3, 3), bool))
    pieces, count = ndimage.label(opened)
    if count == 0:
        return np.ones(hu.shape, bool) if not dense.any() else dense
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    body = pieces == int(sizes.argmax())
    for z in range(body.shape[0]):
        body[z] = ndimage.binary_fill_holes(body[z])
    return np.asarray(body, dtype=bool)
