"""Arrays that are made of others when a slice of them is read: no copy of a volume, always in step with its sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Source = Callable[[], Any]  # gives the array that a layer holds now


class Composed:
    """An array (z, y, x) of which every read part is computed then.

    Parameters
    ----------
    sources
        Each gives an array of the same shape when it is called.
    make
        Of the same part of every source, that part of this array; voxel by voxel.
    dtype
        What ``make`` gives.
    """

    def __init__(self, sources: tuple[Source, ...], make: Callable[..., NDArray[Any]], dtype: DTypeLike) -> None:
        self._sources, self._make = sources, make
        self.dtype = np.dtype(dtype)
        shapes = {tuple(source().shape) for source in sources}
        if len(shapes) != 1:
            raise ValueError(f"the layers to compare must have one shape; got {sorted(shapes)}")
        self.shape: tuple[int, ...] = shapes.pop()
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        parts = [np.asarray(source()[key]) for source in self._sources]
        return np.asarray(self.combine(parts, key), dtype=self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self[(slice(None),) * self.ndim]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def combine(self, parts: list[NDArray[Any]], key: Any) -> NDArray[Any]:
        """What was read from the sources at ``key`` as one."""
        return self._make(*parts)


class Wiped(Composed):
    """One array before a place on an axis, and another from there on.

    Parameters
    ----------
    before, after
        Give the two arrays, of the same shape.
    axis, edge
        Voxels with an index below ``edge`` on ``axis`` are those of ``before``. Both may be changed.
    line
        What stands on the edge itself; None for no line.
    """

    def __init__(self, before: Source, after: Source, dtype: DTypeLike, line: float | None = None) -> None:
        super().__init__((before, after), np.where, dtype)
        self.axis, self.edge, self.line = self.ndim - 1, self.shape[-1] // 2, line

    def combine(self, parts: list[NDArray[Any]], key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = keys + (slice(None),) * (self.ndim - len(keys))
        index = np.arange(self.shape[self.axis])[keys[self.axis]]
        kept = sum(isinstance(one, slice) for one in keys[self.axis + 1 :])  # axes that follow in what was read
        index = index.reshape(index.shape + (1,) * kept)
        wiped = np.where(index < self.edge, parts[0], parts[1])
        if self.line is not None and 0 < self.edge < self.shape[self.axis]:
            wiped = np.where(index == self.edge, self.line, wiped)
        return np.asarray(wiped)
