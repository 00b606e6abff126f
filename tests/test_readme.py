"""README is true: its Python example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs_from_import_to_layers(tmp_path: Path, monkeypatch, make_napari_viewer) -> None:
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert code is not None
    import napari

    viewer = make_napari_viewer()
    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.group(1), names)
    assert names["viewer"] is viewer
    assert {"CT", "Perturbed CT"} <= {layer.name for layer in viewer.layers}
    assert (tmp_path / "bundle" / "result.json").exists()
    assert names["found"].result.reached


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README.read_text()))
def test_links_lead_somewhere(link: str) -> None:
    assert (README.parent / link).exists()
