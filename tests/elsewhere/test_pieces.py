"""What travels: exact, once, under its hash, and nothing that tells of the patient or of this computer's files."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai_bundles import CONFIG, written
from toy_networks import CARD as TOY
from toy_networks import threshold_network

from napari_advseg.attacks import CancelToken
from napari_advseg.case import AttackRequest, Case, CaseRequest, finish, open_case
from napari_advseg.elsewhere.pieces import name_of, packed_hu, packed_labels, unpacked_hu, unpacked_labels
from napari_advseg.elsewhere.receiving import attack_of, forget_network, opened_case, opened_network
from napari_advseg.elsewhere.sending import job_of
from napari_advseg.elsewhere.store import PieceStore
from napari_advseg.networks import open_network, portable_checkpoint, trusted
from napari_advseg.samples import attacker_folder
from napari_advseg.volume import Volume

SENDER = "0" * 64
NNUNET = Path(__file__).parents[1] / "data/nnunet/Dataset901_Phantom/nnUNetTrainer__nnUNetPlans__2d"


def put_all(store: PieceStore, pieces: dict[str, bytes], block: int = 1 << 16) -> None:
    for name, content in pieces.items():
        for offset in range(0, len(content), block):
            store.put(name, SENDER, offset, content[offset : offset + block], len(content))


@pytest.mark.parametrize("kind", ["<i2", "<f4"])
def test_hu_travel_to_the_last_bit(kind: str) -> None:
    hu = np.arange(-60, 60, dtype=np.float32).reshape(3, 5, 8) * (1 if kind == "<i2" else 0.1)
    packed, content = packed_hu(hu)
    assert packed == kind
    back = unpacked_hu(packed, content, (3, 5, 8))
    assert back.dtype == np.float32
    assert np.array_equal(back, hu)


def test_hu_beyond_int16_travel_too() -> None:
    hu = np.full((1, 2, 2), 40_000, np.float32)
    assert np.array_equal(unpacked_hu(*packed_hu(hu), (1, 2, 2)), hu)


def test_labels_travel_to_the_last_bit() -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    back = unpacked_labels(packed_labels(labels), (2, 3, 4))
    assert back.dtype == np.uint16
    assert np.array_equal(back, labels)


def test_pieces_are_the_users_alone(tmp_path: Path) -> None:
    store = PieceStore(tmp_path)
    name = name_of(b"voxels", ".pth")
    put_all(store, {name: b"voxels"}, 4)
    assert store.held((name, name_of(b"other"))) == (name,)
    assert store.read(name) == b"voxels"
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path(name).stat().st_mode) == 0o600


def test_a_piece_that_is_damaged_or_torn_is_not_kept(tmp_path: Path) -> None:
    store, name = PieceStore(tmp_path), name_of(b"voxels")
    with pytest.raises(ValueError, match="damaged on its way"):
        store.put(name, SENDER, 0, b"vowels", 6)
    with pytest.raises(ValueError, match="a part of a piece is missing"):
        store.put(name, SENDER, 3, b"els", 6)
    assert store.held((name,)) == ()
    with pytest.raises(ValueError, match="not on the worker any more"):
        store.path(name)


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    for name in ("../x", "/etc/passwd", "a" * 64 + "/x", "A" * 64):
        with pytest.raises(ValueError, match="named by its SHA-256"):
            PieceStore(tmp_path).path(name)


def test_the_pieces_used_last_stay(tmp_path: Path) -> None:
    store = PieceStore(tmp_path, most_bytes=10)
    names = []
    for text in (b"aaaa", b"bbbb", b"cccc"):
        names.append(name_of(text))
        put_all(store, {names[-1]: text})
        time.sleep(0.02)
        store.held(tuple(names[:1]))  # the first is used again and again
        time.sleep(0.02)
    assert store.held(tuple(names)) == (names[0], names[2])
    with pytest.raises(ValueError, match="the worker keeps 10"):
        store.put(name_of(b"x" * 11), SENDER, 0, b"x", 11)


@pytest.fixture
def opened(tmp_path: Path) -> Case:
    """A case on a file whose name is a patient's."""
    from cohort.cohorts import phantom_cohort

    from napari_advseg.volume import read_ct

    folder = phantom_cohort(tmp_path / "Doe^Jane", 1) / "p0"
    ct = read_ct(folder / "ct.nii.gz")
    return finish(open_case(CaseRequest(ct=ct, network="phantom2d", device="cpu"), CancelToken()))


def test_no_path_and_no_name_travels(opened: Case, tmp_path: Path) -> None:
    attacker = attacker_folder("phantom2d")
    mine = tmp_path / "Doe^Jane" / "attacker"
    mine.symlink_to(attacker)
    job, pieces = job_of(opened, AttackRequest(attacker=str(mine)))
    text = job.model_dump_json()
    assert "Doe" not in text
    assert str(tmp_path) not in text
    assert all(b"Doe" not in content for content in pieces.values())


def test_a_case_is_on_the_worker_what_it_was_here(opened: Case, tmp_path: Path) -> None:
    store = PieceStore(tmp_path)
    job, pieces = job_of(opened, AttackRequest())
    assert len(pieces) == 2  # without labels of its own, the reference is the network's segmentation
    put_all(store, pieces)
    network = opened_network(job.network, store, "cpu")
    there = opened_case(job.case, network, store)
    assert np.array_equal(there.ct.hu, opened.ct.hu)
    for name in ("reference", "clean_labels"):
        assert np.array_equal(getattr(there, name), getattr(opened, name))
    for name in ("region", "organs", "reference_given"):
        assert getattr(there, name) == getattr(opened, name)
    assert there.ct.grid == opened.ct.grid
    assert there.placed.view == opened.placed.view
    assert opened_network(job.network, store, "cpu") is network
    forget_network(worn=network)
    assert opened_network(job.network, store, "cpu") is network
    network.execution.notes.append("gave way")
    forget_network(worn=network)
    assert opened_network(job.network, store, "cpu") is not network


def test_a_learned_attacker_is_put_together_again(opened: Case, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.symlink_to(attacker_folder("phantom2d"))
    job, pieces = job_of(opened, AttackRequest(attacker=str(mine), seed=3))
    store, folder = PieceStore(tmp_path), tmp_path / "there"
    put_all(store, pieces)
    folder.mkdir()
    request = attack_of(job, store, folder)
    assert (request.attacker, request.seed) == (str(folder), 3)
    for name in ("attacker.yaml", "generator.safetensors"):
        assert (folder / name).read_bytes() == (mine / name).read_bytes()


def test_a_network_that_is_read_differently_there_is_refused(opened: Case, tmp_path: Path) -> None:
    job, _ = job_of(opened, AttackRequest())
    card = job.network.card.model_copy(update={"divisible_by": 64})
    with pytest.raises(ValueError, match=r"differently \(divisible_by\): give both computers the same version"):
        opened_network(job.network.model_copy(update={"card": card}), PieceStore(tmp_path), "cpu")


def test_a_network_made_in_python_stays_here(opened: Case) -> None:
    with pytest.raises(ValueError, match="was made in Python"):
        job_of(replace(opened, network=threshold_network()), AttackRequest())


def same_answers(one: Any, other: Any, ct: Volume) -> bool:
    hu = torch.from_numpy(ct.hu)
    with torch.no_grad():
        return torch.equal(one.on(ct.grid).scores(hu), other.on(ct.grid).scores(hu))


def sent_and_opened(network: Any, opened: Case, tmp_path: Path) -> Any:
    job, pieces = job_of(replace(opened, network=network), AttackRequest())
    assert portable_checkpoint(network)[1] in pieces.values()
    store = PieceStore(tmp_path / "worker")
    put_all(store, pieces)
    return opened_network(job.network, store, "cpu")


def test_weights_with_a_card_are_the_same_network_there(opened: Case, tmp_path: Path) -> None:
    import shutil

    from napari_advseg import samples

    for suffix in (".safetensors", ".yaml"):
        shutil.copyfile(Path(samples.__file__).with_name(f"phantom2d{suffix}"), tmp_path / f"mine{suffix}")
    network = open_network(tmp_path / "mine.safetensors", device="cpu")
    network.card = network.card.renamed({1: "the one"})
    there = sent_and_opened(network, opened, tmp_path)
    assert there.card.labels == network.card.labels
    assert same_answers(network, there, opened.ct)
    (tmp_path / "mine.safetensors").write_bytes(b"other")
    with pytest.raises(ValueError, match="has changed since the network was opened"):
        portable_checkpoint(network)


def test_a_program_is_trusted_there_for_as_long_as_it_is_opened(
    opened: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    monkeypatch.setenv("NAPARI_ADVSEG_SETTINGS", str(tmp_path / "here"))
    path = tmp_path / "mine.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(torch.nn.Conv2d(1, 2, 1), torch.zeros(1, 1, 32, 32)).save(str(path))
    network = open_network(path, device="cpu", trust=True, card=TOY.model_copy(update={"dimensions": 2}))
    monkeypatch.setenv("NAPARI_ADVSEG_SETTINGS", str(tmp_path / "there"))
    there = sent_and_opened(network, opened, tmp_path)
    assert same_answers(network, there, opened.ct)
    assert not trusted(network.card.sha256)


def test_of_an_nnunet_what_is_read_travels_and_nothing_beside_it(opened: Case, tmp_path: Path) -> None:
    import io
    import shutil
    import zipfile

    root = shutil.copytree(NNUNET, tmp_path / "trained")
    (root / "fold_all" / "validation").mkdir()
    (root / "fold_all" / "validation" / "Doe^Jane.nii.gz").write_bytes(b"a patient's")
    network = open_network(root, device="cpu")
    assert same_answers(network, sent_and_opened(network, opened, tmp_path), opened.ct)
    suffix, content = portable_checkpoint(network)
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert (suffix, names) == (".zip", ["dataset.json", "fold_all/checkpoint_final.pth", "plans.json"])
    assert portable_checkpoint(open_network(root / "fold_all", device="cpu"))[1] == content


def test_a_monai_bundle_is_the_same_network_there(opened: Case, tmp_path: Path) -> None:
    from monai.networks.nets import UNet

    arguments = {name: value for name, value in CONFIG["network_def"].items() if name != "_target_"}
    folder, _ = written(tmp_path / "bundle", lambda *_: UNet(**arguments).state_dict())
    network = open_network(folder, device="cpu")
    there = sent_and_opened(network, opened, tmp_path)
    assert there.card.name == network.card.name
    assert same_answers(network, there, opened.ct)
