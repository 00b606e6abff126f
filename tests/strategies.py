"""Hypothesis strategies: grids in any pose, small CTs, label maps, fields."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_advseg.volume import Grid, Volume

AXIS_CODES = [
    "".join(code)
    for code in sorted(
        {
            tuple(pair[flip] for pair, flip in zip(order, flips, strict=True))
            for order in permutations(("LR", "AP", "SI"))
            for flips in product((0, 1), repeat=3)
        }
    )
]


@st.composite
def grids(draw: st.DrawFn, oblique: bool = True, smallest: int = 1, largest: int = 7) -> Grid:
    """A grid with any shape, spacing, origin and direction, mirrored and permuted ones included."""
    shape = tuple(draw(st.integers(smallest, largest)) for _ in range(3))
    spacing = tuple(draw(st.floats(0.3, 6.0)) for _ in range(3))
    origin = tuple(draw(st.floats(-500, 500)) for _ in range(3))
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)]
    matrix = np.eye(3)[:, order] * signs
    if oblique:
        angles = [draw(st.floats(-20, 20)) for _ in range(3)]
        matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ matrix
    return Grid(shape, spacing, origin, tuple(float(v) for v in matrix.reshape(-1)))


@st.composite
def volumes(draw: st.DrawFn, **grid_options: object) -> Volume:
    """A CT of whole HU on any grid."""
    grid = draw(grids(**grid_options))
    seed = draw(st.integers(0, 2**16))
    hu = np.random.default_rng(seed).integers(-1000, 1500, grid.shape).astype(np.float32)
    return Volume(hu, grid)


@st.composite
def label_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two label arrays of one shape, ids 0 to 3."""
    shape = tuple(draw(st.integers(1, 6)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    top = draw(st.integers(0, 3))
    a = rng.integers(0, top + 1, shape).astype(np.uint16)
    b = np.where(rng.random(shape) < draw(st.floats(0, 1)), a, rng.integers(0, 4, shape)).astype(np.uint16)
    return a, b
