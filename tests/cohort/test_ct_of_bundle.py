"""The CT of a bundle in a work folder, where the list has it: by its content, wherever list and folder lie by now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cohort.cohorts import run_queue, toy_cohort, toy_request

from napari_advseg.cohort import WorkFolder, find_ct, lost_ct_line, read_cases
from napari_advseg.evidence import Bundle, read_bundle
from napari_advseg.viewer.recalled import recall
from napari_advseg.volume import read_ct


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a list, ``cohort``, and the work on it, ``work``."""
    folder = tmp_path_factory.mktemp("made")
    source = toy_cohort(folder / "cohort", ("a", "b"))
    run_queue(toy_request(read_cases(source)), WorkFolder(folder / "work", source))
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """The same moved elsewhere, and what it was moved from is not there."""
    shutil.copytree(made, tmp_path / "moved")
    record = tmp_path / "moved" / "work" / "cohort.json"
    record.write_text(record.read_text().replace(str(made), str(tmp_path / "before")))
    return tmp_path / "moved"


def bundles(work: Path) -> list[Bundle]:
    return [read_bundle(found.parent) for found in sorted(work.glob("cases/*/*/result.json"))]


def test_every_bundle_of_a_work_folder_finds_its_own_ct(made: Path) -> None:
    there = bundles(made / "work")
    assert len(there) == 2
    content = {file.name: file.read_bytes() for file in (made / "work").glob("*.json")}
    for bundle in there:
        assert not Path(bundle.record["ct"]["path"]).exists()
        ct = find_ct(bundle)
        assert ct is not None
        assert ct.source is not None
        assert ct.source.sha256 == bundle.record["ct"]["sha256"]
    assert content == {file.name: file.read_bytes() for file in (made / "work").glob("*.json")}, "nothing is written"


def test_it_is_found_where_list_and_work_folder_were_moved_together(place: Path) -> None:
    for bundle in bundles(place / "work"):
        ct = find_ct(bundle)
        assert ct is not None
        assert ct.source is not None
        assert place in ct.source.path.parents


def test_a_ct_that_has_changed_is_not_taken_and_the_line_says_how_to_give_it(place: Path) -> None:
    changed = place / "cohort" / "a" / "ct.nii.gz"
    kept = shutil.copy(changed, place / "kept.nii.gz")
    shutil.copy(place / "cohort" / "b" / "ct.nii.gz", changed)
    sha256 = {read_ct(kept).source.sha256: True}  # type: ignore[union-attr]
    lost = [bundle for bundle in bundles(place / "work") if bundle.record["ct"]["sha256"] in sha256]
    assert len(lost) == 1
    assert find_ct(lost[0]) is None
    line = lost_ct_line(lost[0])
    assert "\n" not in line
    assert str(place) not in line
    assert lost[0].record["ct"]["sha256"][:12] in line
    assert "nor in the list of its work folder: copy it into the bundle's folder as ct.nii.gz" in line
    shutil.copy(changed, lost[0].folder / "ct.nii.gz")
    assert find_ct(lost[0]) is None, "another CT than the one that was attacked"
    shutil.copy(kept, lost[0].folder / "ct.nii.gz")
    assert find_ct(read_bundle(lost[0].folder)) is not None


def test_what_the_viewer_shows_of_such_a_bundle_has_its_ct(made: Path, place: Path) -> None:
    bundle = bundles(made / "work")[0]
    recalled = recall(bundle.folder, "a case")
    assert recalled.whole
    shown = next(plan for plan in recalled.scene.plans if plan.role == "ct")
    found = find_ct(bundle)
    assert found is not None
    assert np.array_equal(shown.data, found.hu)
    shutil.rmtree(place / "cohort")
    lost = bundles(place / "work")[0].folder
    record = json.loads((lost / "result.json").read_text())
    (lost / "result.json").write_text(json.dumps(record | {"thorough": True}))
    alone = recall(lost, "a case")
    assert (recalled.outcome.attack.thorough, alone.outcome.attack.thorough) == (False, True)
    assert not alone.whole
    assert "copy it into the bundle's folder as ct.nii.gz" in alone.line
    assert {plan.role for plan in alone.scene.plans} >= {"perturbed", "attacked"}
