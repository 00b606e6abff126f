from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_advseg.attacks import organ_dice
from napari_advseg.networks import open_network
from napari_advseg.samples import PHANTOM_LABELS, load_sample, make_phantom, write_sample
from napari_advseg.volume import file_sha256, read_ct, read_label_names, read_labels

HELD_OUT = range(6)  # of the seeds 0 to 99, on which the shipped network was not trained


@pytest.mark.parametrize("seed", [*HELD_OUT, 1234])
def test_every_patient_has_every_organ_and_plausible_hu(seed: int) -> None:
    phantom = make_phantom(seed)
    assert (np.bincount(phantom.labels.ravel(), minlength=9)[1:] >= 150).all()
    median = {name: np.median(phantom.hu[phantom.labels == index]) for name, index in PHANTOM_LABELS.items()}
    assert 85 < median["liver"] < 140
    assert 100 < median["spleen"] < 145
    assert -5 < median["gallbladder"] < 40
    assert 120 < median["aorta"] < 190
    assert median["background"] < -50
    x = phantom.labels.shape[2]
    liver = np.argwhere(phantom.labels == 1).mean(0)
    spleen = np.argwhere(phantom.labels == 2).mean(0)
    assert liver[2] < x / 2 < spleen[2]  # the liver is on the patient's right


def test_a_seed_is_a_patient() -> None:
    assert np.array_equal(make_phantom(3).hu, make_phantom(3).hu)
    assert not np.array_equal(make_phantom(3).labels, make_phantom(4).labels)


def test_noise_is_correlated_as_in_ct() -> None:
    phantom = make_phantom(0)
    liver = np.array(phantom.labels[12] == 1)
    noise = phantom.hu[12].astype(float) - np.median(phantom.hu[12][liver])
    inner = liver & np.roll(liver, 1, 1) & np.roll(liver, 2, 1)
    pairs = np.corrcoef(noise[inner], np.roll(noise, 1, 1)[inner])[0, 1]
    assert 4 < noise[inner].std() < 25
    assert pairs > 0.1


def test_the_shipped_network_segments_held_out_patients() -> None:
    network = open_network("phantom2d", device="cpu")
    rows = []
    for seed in HELD_OUT:
        sample = load_sample("phantom", seed)
        import torch

        labels = network.on(sample.ct.grid).labels(torch.from_numpy(sample.ct.hu))
        rows.append(organ_dice(labels, sample.labels, list(sample.names)))
    assert np.mean(rows) >= 0.90


def test_a_sample_is_written_as_files_that_read_back(tmp_path: Path) -> None:
    folder = write_sample("phantom", tmp_path / "case", seed=5)
    sample = load_sample("phantom", 5)
    ct = read_ct(folder / "ct.nii.gz")
    assert np.array_equal(ct.hu, sample.ct.hu)
    assert np.array_equal(read_labels(folder / "labels.nii.gz", ct.grid), sample.labels)
    assert read_label_names(folder / "labels.json") == sample.names
    with pytest.raises(FileExistsError, match="not empty"):
        write_sample("phantom", folder)
    with pytest.raises(ValueError, match="the samples are"):
        load_sample("brain")


def test_the_real_ct_is_taken_from_the_cache(real_data: Path, tmp_path: Path, monkeypatch) -> None:
    source = real_data / "abdomen_ct"
    (tmp_path / "totalsegmentator_example_ct.nii.gz").write_bytes((source / "ct.nii.gz").read_bytes())
    labels = (source / "totalsegmentator_labels.nii.gz").read_bytes()
    (tmp_path / "totalsegmentator_example_seg_fast_force_split.nii.gz").write_bytes(labels)
    monkeypatch.setenv("NAPARI_ADVSEG_CACHE", str(tmp_path))
    sample = load_sample("abdomen")
    assert sample.ct.grid.shape == (112, 101, 122)
    assert {v: k for k, v in sample.names.items()} == json.loads((source / "labels.json").read_text())
    assert sample.ct.source is not None
    assert sample.ct.source.sha256 == file_sha256([source / "ct.nii.gz"])
