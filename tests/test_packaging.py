"""What a user installs: the manifest, the shipped network and its card travel in the wheel, and the manifest is valid."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = {
    "napari_advseg/napari.yaml",
    "napari_advseg/evidence/templates/page.css.j2",
    "napari_advseg/evidence/templates/report.html.j2",
    "napari_advseg/cohort/study/templates/cohort.html.j2",
    "napari_advseg/py.typed",
    "napari_advseg/samples/phantom2d.safetensors",
    "napari_advseg/samples/phantom2d.yaml",
    "napari_advseg/samples/phantom2d_attacker/attacker.yaml",
    "napari_advseg/samples/phantom2d_attacker/generator.safetensors",
}


WIDGETS = ["Attack", "Cases", "Compare"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_manifest_and_the_shipped_network_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= NEEDED
    assert not any(name.startswith(("tests/", "benchmarks/", "scripts/")) for name in names)
    assert wheel.stat().st_size < 3_000_000


def test_the_manifest_is_valid_from_the_wheel_and_from_the_editable_install(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; from npe2 import PluginManifest\n"
        "print(sorted(w.display_name for w in PluginManifest.from_file(sys.argv[1]).contributions.widgets))"
    )
    for manifest in (tmp_path / "napari_advseg" / "napari.yaml", ROOT / "napari.yaml"):
        done = subprocess.run([sys.executable, "-c", code, str(manifest)], capture_output=True, text=True)
        assert done.stdout.strip() == str(WIDGETS), done.stderr
    found = "from npe2 import PluginManager as P; P.instance().discover(); print('napari-advseg' in P.instance())"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True)
    assert done.stdout.strip().endswith("True"), done.stderr
    assert (ROOT / "napari.yaml").is_symlink()
