"""A worker elsewhere, and a case to be attacked there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import worker_of_its_own
from distributed import LocalCluster

from napari_advseg.attacks import CancelToken
from napari_advseg.case import Case, CaseRequest, finish, open_case
from napari_advseg.samples import write_sample
from napari_advseg.volume import read_ct, volume_from_array

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Dask leaves to the collector where a worker was killed is its own."""
    for item in items:
        if HERE in item.path.parents:
            for rule in (
                "ignore::DeprecationWarning:distributed",
                "ignore::ResourceWarning:distributed",
                "ignore::pytest.PytestUnraisableExceptionWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A worker in a process of its own, which is started anew where it is killed."""
    with worker_of_its_own() as started:
        yield started


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A few slices of the phantom."""
    return _cut(tmp_path_factory, slice(8, 12))


def _cut(tmp_path_factory: pytest.TempPathFactory, slices: slice) -> Case:
    folder = write_sample("phantom", tmp_path_factory.mktemp("case") / "phantom", 0)
    ct = read_ct(folder / "ct.nii.gz")
    cut = volume_from_array(ct.hu[slices], spacing=ct.grid.spacing)
    return finish(open_case(CaseRequest(ct=cut, network="phantom2d", device="cpu"), CancelToken()))
