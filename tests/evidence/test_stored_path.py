"""The strength path on disk: what is written is read again bit by bit, and anything else is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from findings import toy_finding
from safetensors import safe_open
from safetensors.torch import save_file

from napari_advseg.evidence.stored_path import StoredPath
from napari_advseg.synthesis import Budget, Kind
from napari_advseg.volume import Region

STORED = StoredPath(
    torch.linspace(-1, 1, 3 * 4 * 5 * 6 + 2 * 3 * 4),
    Region((1, 2, 3), (11, 22, 23)),
    Budget(3.5, 12.0, (0.4, 2.5)),
    Kind(deformation=True, appearance_mm=(6.0, 20.0), still_axis=1),
    ((3, 4, 5, 6), (1, 2, 3, 4)),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = STORED.write(tmp_path)
    assert path == tmp_path / "path.safetensors"
    assert [file.name for file in tmp_path.iterdir()] == ["path.safetensors"]
    found = StoredPath.read(path)
    assert torch.equal(found.parameters, STORED.parameters)
    assert found.control_shapes == STORED.control_shapes
    assert (found.region, found.budget, found.kind) == (STORED.region, STORED.budget, STORED.kind)


def test_the_path_of_a_result_makes_its_change_again(tmp_path: Path) -> None:
    result = toy_finding().result
    stored = StoredPath.read(StoredPath.of(result).write(tmp_path))
    made = stored.synthesis(result.ct, torch.device("cpu"))
    change = made.change(stored.parameters, result.strength)
    assert torch.equal(change.displacement, torch.from_numpy(result.displacement))
    assert sum(c * z * y * x for c, z, y, x in stored.control_shapes) == stored.parameters.numel()


def test_parameters_are_stored_as_numbers_of_the_cpu() -> None:
    result = toy_finding().result
    tracked = replace(result, parameters=result.parameters.double().requires_grad_())
    stored = StoredPath.of(tracked).parameters
    assert (stored.dtype, stored.device.type, stored.requires_grad) == (torch.float32, "cpu", False)


def test_on_another_ct_or_with_other_lattices_it_is_refused() -> None:
    result = toy_finding().result
    stored = StoredPath.of(result)
    other = replace(stored, control_shapes=tuple((c, z + 1, y, x) for c, z, y, x in stored.control_shapes))
    with pytest.raises(ValueError, match="the parameters belong to control lattices"):
        other.synthesis(result.ct, torch.device("cpu"))


def edited(tmp_path: Path, change: Any, parameters: torch.Tensor | None = None) -> Path:
    """The stored path with another description."""
    path = STORED.write(tmp_path)
    with safe_open(path, "pt") as file:
        made = json.loads(file.metadata()["synthesis"])
    change(made)
    held = STORED.parameters if parameters is None else parameters
    save_file({"parameters": held}, path, metadata={"synthesis": json.dumps(made)})
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.pop("region"),
        lambda made: made["region"].update(start=[0, 0]),
        lambda made: made["budget"].update(max_hu="much"),
        lambda made: made["kind"].update(appearance_mm=None),
        lambda made: made.update(control_shapes=[[3, 4, 5]]),
        lambda made: made.update(control_shapes=7),
        lambda made: made.update(control_shapes=[["a", 4, 5, 6]]),
        lambda made: made.clear(),
    ],
)
def test_a_description_that_an_attack_does_not_write_is_refused_in_one_line(tmp_path: Path, change: Any) -> None:
    with pytest.raises(ValueError, match="is not the strength path that an attack writes") as caught:
        StoredPath.read(edited(tmp_path, change))
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < len(str(tmp_path)) + 300


def test_what_is_no_file_of_tensors_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "path.safetensors"
    for content in (b"", b"no tensors", STORED.write(tmp_path).read_bytes()[:-4]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not the strength path") as caught:
            StoredPath.read(path)
        assert len(str(caught.value).splitlines()) == 1
    save_file({"parameters": STORED.parameters}, path)
    with pytest.raises(ValueError, match="is not the strength path"):
        StoredPath.read(path)
    save_file({"other": STORED.parameters}, path, metadata={"synthesis": "{}"})
    with pytest.raises(ValueError, match="is not the strength path"):
        StoredPath.read(path)


@pytest.mark.parametrize(
    "parameters",
    [
        STORED.parameters[:-1],
        STORED.parameters.double(),
        STORED.parameters.index_fill(0, torch.tensor([5]), float("inf")),
        STORED.parameters[None],
    ],
)
def test_parameters_that_do_not_fit_are_refused(tmp_path: Path, parameters: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=f"must hold {STORED.parameters.numel()} finite float32 parameters"):
        StoredPath.read(edited(tmp_path, lambda made: None, parameters))
