"""The processes that train together: one, or one per device, held together by Lightning Fabric."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Crew:
    """This process among those that train together; each has a device and patients of its own."""

    def __init__(self, fabric: Fabric, precision: Precision) -> None:
        self._fabric, self._precision = fabric, precision

    @classmethod
    def alone(cls, device: torch.device, precision: Precision = "32-true") -> Crew:
        """One process on one device."""
        from lightning_fabric import Fabric

        chosen = 1 if device.index is None or device.type == "cpu" else [device.index]
        return cls(Fabric(accelerator=device.type, devices=chosen, precision=precision), precision)

    @classmethod
    def launch(cls, kind: str, devices: int, precision: Precision = "32-true") -> Crew:
        """Start the other processes: each runs this program's command again and comes to this line.

        Parameters
        ----------
        kind
            "cpu" or "cuda".
        devices
            Processes; on CUDA one per GPU.
        """
        from lightning_fabric import Fabric

        available = torch.cuda.device_count() if kind == "cuda" else devices
        if devices > available:
            raise ValueError(f"{devices} devices were asked for, and there are {available} of '{kind}' here")
        fabric = Fabric(accelerator=kind, devices=devices, strategy="ddp", precision=precision)
        fabric.launch()
        return cls(fabric, precision)

    @property
    def rank(self) -> int:
        return int(self._fabric.global_rank)

    @property
    def size(self) -> int:
        return int(self._fabric.world_size)

    @property
    def device(self) -> torch.device:
        return self._fabric.device

    @property
    def half(self) -> bool:
        """Whether the attacked network's gradients come in half precision too."""
        return self._precision != "32-true"

    def autocast(self) -> AbstractContextManager[None]:
        """The precision of the generator and the critic."""
        return self._fabric.autocast()

    def share_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self._mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        return value if self.size == 1 else float(self._mean(torch.tensor(value, dtype=torch.float64)))

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return self.mean(float(flag)) > 0

    def _mean(self, values: Tensor) -> Tensor:
        mean = self._fabric.all_reduce(values.to(self.device), reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean
