"""A CT of two organs and networks trained on it for a moment, for bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai_bundles import (
    CONFIG,
)

from napari_advseg.volume import Grid, read_ct, write_image


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A CT of two organs in noise, thick slices, its x axis running against ITK's; and its labels."""
    grid = Grid((22, 58, 62), (2.5, 1.2, 1.2), (31.0, -20.0, 7.5), (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing="ij")
    labels = np.zeros(grid.shape, np.uint16)
    labels[((x + 0.35) / 0.4) ** 2 + ((y + 0.1) / 0.5) ** 2 + (z / 0.7) ** 2 < 1] = 1
    labels[((x - 0.45) / 0.3) ** 2 + ((y - 0.3) / 0.35) ** 2 + ((z - 0.1) / 0.5) ** 2 < 1] = 2
    hu = np.where(x**2 + y**2 < 0.9, 0.0, -1000.0) + np.array([0.0, 120.0, 60.0])[labels]
    hu += np.random.default_rng(0).normal(0, 25, grid.shape)
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    write_image(path, np.round(hu).astype(np.int16), grid)
    return path, labels


@pytest.fixture(scope="session")
def weights(ct: tuple[Path, np.ndarray]) -> Callable[[int, int], dict[str, torch.Tensor]]:
    """Weights of a small UNet after a few iterations on the CT, by dimensions and output channels."""
    from monai.networks.nets import UNet

    known: dict[tuple[int, int], dict[str, torch.Tensor]] = {}
    hu = ((torch.from_numpy(read_ct(ct[0]).hu) + 100) / 300).clamp(0, 1)
    target = torch.from_numpy(ct[1].astype(np.int64))

    def train(dimensions: int, channels: int) -> dict[str, torch.Tensor]:
        if (dimensions, channels) in known:
            return known[dimensions, channels]
        torch.manual_seed(0)
        arguments = {k: v for k, v in CONFIG["network_def"].items() if k != "_target_"}
        net = UNet(**(arguments | {"spatial_dims": dimensions, "out_channels": channels}))
        # (z, y, x) of the file to MONAI's (x, y, z)
        image, truth = (t.permute(2, 1, 0)[:60, :56, :22].contiguous() for t in (hu, target))
        batch = image[None, None] if dimensions == 3 else image.permute(2, 0, 1)[:, None]
        want = truth[None] if dimensions == 3 else truth.permute(2, 0, 1)
        optimiser = torch.optim.Adam(net.parameters(), 0.03)
        for _ in range(25):
            optimiser.zero_grad()
            out = net(batch)
            loss = (
                torch.nn.functional.cross_entropy(out, want)
                if channels > 1
                else torch.nn.functional.binary_cross_entropy_with_logits(
                    out[:, 0], (want == 1).float(), pos_weight=torch.tensor(5.0)
                )
            )
            loss.backward()
            optimiser.step()
        known[dimensions, channels] = net.state_dict()
        return known[dimensions, channels]

    return train
