"""The strength path on disk: the attack's parameters and what the synthesis they belong to is made from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save
from torch import Tensor

from ..attacks import AttackResult
from ..synthesis import Budget, Kind, Synthesis
from ..volume import Region, Volume

PATH_FILE = "path.safetensors"
_PARAMETERS, _SYNTHESIS = "parameters", "synthesis"


@dataclass(frozen=True, eq=False)
class StoredPath:
    """Everything but the CT that a change of any strength is made from.

    Parameters
    ----------
    parameters
        float32 (n,), on the CPU, of the path's strongest change; see :class:`Synthesis`.
    control_shapes
        Per lattice its components and control points, (component, z, y, x); their product sums up to ``n``.
    """

    parameters: Tensor
    region: Region
    budget: Budget
    kind: Kind
    control_shapes: tuple[tuple[int, int, int, int], ...]

    @classmethod
    def of(cls, result: AttackResult) -> StoredPath:
        """The path of a result."""
        made = result.synthesis
        parameters = result.parameters.detach().to("cpu", torch.float32).contiguous()
        return cls(parameters, made.region, made.budget, made.kind, _control_shapes(made))

    def write(self, folder: Path) -> Path:
        """Write ``path.safetensors`` into ``folder``, aside first; returns its path."""
        made = {
            "region": asdict(self.region),
            "budget": asdict(self.budget),
            "kind": asdict(self.kind),
            "control_shapes": self.control_shapes,
        }
        aside = folder / f".writing-{PATH_FILE}"
        aside.write_bytes(save({_PARAMETERS: self.parameters}, metadata={_SYNTHESIS: json.dumps(made)}))
        return aside.replace(folder / PATH_FILE)

    @classmethod
    def read(cls, path: Path) -> StoredPath:
        """Read what :meth:`write` wrote; a ValueError of one line where it is something else."""
        try:
            with safetensors.safe_open(path, "pt") as file:
                parameters: Tensor = file.get_tensor(_PARAMETERS)
                made: dict[str, Any] = json.loads((file.metadata() or {})[_SYNTHESIS])
            stored = cls(
                parameters,
                TypeAdapter(Region).validate_python(made["region"]),
                TypeAdapter(Budget).validate_python(made["budget"]),
                TypeAdapter(Kind).validate_python(made["kind"]),
                tuple((int(c), int(z), int(y), int(x)) for c, z, y, x in made["control_shapes"]),
            )
        except (OSError, safetensors.SafetensorError, ValidationError, ValueError, KeyError, TypeError) as fault:
            why = " ".join(str(fault).split())[:120]
            raise ValueError(f"{path} is not the strength path that an attack writes ({why}): attack anew") from fault
        count = sum(components * z * y * x for components, z, y, x in stored.control_shapes)
        if parameters.shape != (count,) or parameters.dtype != torch.float32 or not bool(parameters.isfinite().all()):
            raise ValueError(
                f"{path} must hold {count} finite float32 parameters; got {parameters.dtype} of shape "
                f"{tuple(parameters.shape)}: attack anew"
            )
        return stored

    def synthesis(self, ct: Volume, device: torch.device) -> Synthesis:
        """The synthesis on the CT that was attacked.

        Raises
        ------
        ValueError
            The region leaves the CT, or its lattices have other control points: another CT, or another version.
        """
        made = Synthesis(ct, self.region, self.budget, self.kind, device)
        if _control_shapes(made) != self.control_shapes:
            raise ValueError(
                f"the parameters belong to control lattices of {list(self.control_shapes)} points, on this CT they are "
                f"{list(_control_shapes(made))}: give the CT that was attacked, or attack anew with this version"
            )
        return made


def _control_shapes(made: Synthesis) -> tuple[tuple[int, int, int, int], ...]:
    found = []
    for components, lattice in made.lattices:
        z, y, x = lattice.control_shape
        found.append((components, z, y, x))
    return tuple(found)
