from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from findings import toy_finding
from PIL import Image

from napari_advseg.attacks import as_saved
from napari_advseg.case import AttackRequest
from napari_advseg.case.run import make_target
from napari_advseg.evidence import MovingPicture, blink, newly_wrong, organ_colour, play, save_picture
from napari_advseg.evidence.moving_pictures import _Easel


def colour(organ: int) -> tuple[int, ...]:
    return tuple(int(organ_colour(organ)[i : i + 2], 16) for i in (1, 3, 5))


def slice_of(frame: np.ndarray, result: object) -> np.ndarray:
    """The pixels of the CT, without the caption."""
    return frame[: _Easel(result)._size[1]]


def outlined(frame: np.ndarray, result: object, organ: int) -> int:
    return int((slice_of(frame, result) == colour(organ)).all(-1).sum())


@pytest.fixture(scope="module")
def result(phantom):
    return phantom.finding.result


@pytest.fixture(scope="module")
def played(result) -> MovingPicture:
    return play(result, steps=3)


def test_blink_shows_both_ct_s_with_their_own_segmentation(result) -> None:
    picture = blink(result)
    clean, perturbed = picture.frames
    assert clean.shape == perturbed.shape
    assert clean.dtype == np.uint8
    assert all(n % 2 == 0 for n in clean.shape[:2])  # what films need
    counts = [[outlined(frame, result, organ.id) for organ in result.organs] for frame in (clean, perturbed)]
    assert sum(counts[0]) > 200
    assert counts[0] != counts[1]
    blind = replace(result, attacked_labels=np.zeros_like(result.attacked_labels))
    assert sum(outlined(blink(blind).frames[1], blind, organ.id) for organ in result.organs) == 0


def test_the_slice_is_the_one_that_lost_most(result) -> None:
    wrong = newly_wrong(result)
    assert _Easel(result)._index == int(wrong.sum((1, 2)).argmax())


def test_the_caption_says_asked_reached_and_research_use_only(result, monkeypatch) -> None:
    from PIL import ImageDraw

    said: list[str] = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, at, text, **k: (said.append(text), draw(self, at, text, **k))
    )
    blink(result)
    assert f"Dice drop asked 0.30, reached {result.achieved_drop:.3f}" in said
    assert said.count("Research use only") == 2
    missed = replace(result, target_drop=0.9)
    blink(missed)
    assert f"Dice drop asked 0.90, NOT reached, closest {result.achieved_drop:.3f}" in said


def test_the_caption_is_burnt_in_below_the_ct(result) -> None:
    frame = blink(result).frames[0]
    below = frame[_Easel(result)._size[1] :]
    assert below.shape[0] > 80
    assert (below > 150).any(-1).sum() > 500


def test_play_goes_from_the_clean_ct_to_the_result_and_back(result, played: MovingPicture) -> None:
    assert len(played.frames) == len(played.milliseconds) == 6
    assert played.extreme == 3
    easel = _Easel(result)
    first = slice_of(played.frames[0], result)
    still = easel.draw(as_saved(result.ct.hu[easel.region.slices]), result.reference[easel.region.slices], "")
    assert np.array_equal(first, slice_of(still, result))
    last = easel.draw(easel.embed(result.perturbed), result.moved_reference[easel.region.slices], "")
    assert np.array_equal(slice_of(played.frames[3], result), slice_of(last, result))
    for up, down in ((1, 5), (2, 4)):
        assert np.array_equal(played.frames[up], played.frames[down])
    assert played.milliseconds[0] == played.milliseconds[3] > played.milliseconds[1]


def test_what_is_played_between_is_synthesised_not_blended(result, played: MovingPicture) -> None:
    change = result.synthesis.change(result.parameters, result.strength * 2 / 3)
    easel = _Easel(result)
    labels = result.reference[easel.region.slices].copy()
    labels[easel.inner.slices] = result.synthesis.move_labels(labels[easel.inner.slices], change.displacement)
    own = easel.draw(easel.embed(as_saved(change.hu.numpy())), labels, "")
    assert np.array_equal(slice_of(played.frames[2], result), slice_of(own, result))


def test_with_the_network_every_frame_is_segmented_and_measured() -> None:
    finding = toy_finding()
    result = finding.result
    target = make_target(finding.case, AttackRequest(drop=0.2))
    seen: list[int] = []
    before = finding.case.network.passes.forward
    played = play(result, target, steps=2, on_step=seen.append)
    assert seen == [0, 1, 2]
    assert finding.case.network.passes.forward - before == 3
    last = _Easel(result)
    box = last.region.slices
    said = f"100 % of the change found, measured drop {result.achieved_drop:.3f}"
    assert np.array_equal(played.frames[2], last.draw(last.embed(result.perturbed), result.attacked_labels[box], said))


def test_playing_needs_steps_and_can_be_stopped(result) -> None:
    with pytest.raises(ValueError, match="at least 2 steps; got 1"):
        play(result, steps=1)

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(result, on_step=stop)


def test_a_gif_moves_and_loops(played: MovingPicture, tmp_path: Path) -> None:
    with Image.open(save_picture(played, tmp_path / "a" / "play.gif")) as gif:
        assert gif.n_frames == 6
        assert gif.info["loop"] == 0
        assert gif.size == (played.frames[0].shape[1], played.frames[0].shape[0])
        for index in (0, 3):
            gif.seek(index)
            error = np.abs(np.asarray(gif.convert("RGB"), float) - played.frames[index])
            assert error.mean() < 4
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["play.gif"]


def test_a_png_shows_before_and_after_side_by_side(played: MovingPicture, tmp_path: Path) -> None:
    with Image.open(save_picture(played, tmp_path / "p.png")) as png:
        assert np.array_equal(np.asarray(png), np.concatenate([played.frames[0], played.frames[3]], axis=1))
        assert png.info == {}


def test_an_mp4_is_a_film_of_that_size(played: MovingPicture, tmp_path: Path) -> None:
    from imageio_ffmpeg import read_frames

    reader = read_frames(str(save_picture(played, tmp_path / "p.mp4")))
    about = next(reader)
    height, width, _ = played.frames[0].shape
    assert about["size"] == (width, height)
    assert about["duration"] >= 3
    first = np.frombuffer(next(reader), np.uint8).reshape(height, width, 3)
    reader.close()
    assert np.abs(first.astype(float) - played.frames[0]).mean() < 8
    assert [file.name for file in tmp_path.iterdir()] == ["p.mp4"]


def test_without_ffmpeg_one_line_says_what_to_install(played: MovingPicture, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ValueError, match=r"pip install 'napari-advseg\[video\]'") as caught:
        save_picture(played, tmp_path / "p.mp4")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(played: MovingPicture, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="saved as .gif, .mp4, .png; got 'p.webm'"):
        save_picture(played, tmp_path / "p.webm")
