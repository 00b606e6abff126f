"""How long films last, and that a patient is as wide and as high in them as he is."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from findings import toy_finding
from PIL import Image, ImageDraw

from napari_advseg.attacks import Organ
from napari_advseg.evidence import MovingPicture, blink, newly_wrong, organ_colour, play, save_picture
from napari_advseg.evidence.figure import drawn_region
from napari_advseg.evidence.moving_pictures import _Easel
from napari_advseg.volume import SOFT_TISSUE


def film(*milliseconds: int) -> MovingPicture:
    """Frames of one grey each, the brighter the later."""
    frames = tuple(np.full((48, 64, 3), 20 + 200 * n // len(milliseconds), np.uint8) for n in range(len(milliseconds)))
    for number, frame in enumerate(frames):
        frame[:8, 8 * number : 8 * number + 8] = 250  # so that none is like another where colours are few
    return MovingPicture(frames, milliseconds, extreme=len(milliseconds) - 1)


def shown(path: Path) -> tuple[float, list[float]]:
    """Seconds of an MP4, and the grey of its frames."""
    from imageio_ffmpeg import count_frames_and_secs, get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    frames = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    return count_frames_and_secs(str(path))[1], frames.reshape(-1, 48 * 64).mean(1).tolist()


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [((200, 300), 4.0), ((700, 700), 4.2), ((3000, 3500), 6.5), ((1500, 1500), 3.0)]
)
def test_a_short_film_is_shown_again_until_it_is_seen(tmp_path: Path, milliseconds, seconds: float) -> None:
    found, greys = shown(save_picture(film(*milliseconds), tmp_path / "f.mp4"))
    assert found == pytest.approx(seconds, abs=0.1)
    share = milliseconds[0] / sum(milliseconds)
    assert np.mean(np.array(greys) < 70) == pytest.approx(share, abs=0.03)
    assert greys[0] < 70 < greys[-1]


def test_no_frame_is_too_short_to_be_in_a_film(tmp_path: Path) -> None:
    _, greys = shown(save_picture(film(1000, 10, 1000), tmp_path / "f.mp4"))
    assert any(70 < grey < 130 for grey in greys)


def test_a_gif_shows_each_frame_as_long_as_it_is_to_be(tmp_path: Path) -> None:
    with Image.open(save_picture(film(700, 90, 900), tmp_path / "f.gif")) as gif:
        told = []
        for index in range(gif.n_frames):
            gif.seek(index)
            told.append(gif.info["duration"])
    assert told == [700, 90, 900]


def test_what_is_played_rests_at_both_ends() -> None:
    picture = play(toy_finding().result, steps=4)
    assert len(picture.frames) == 8
    held = picture.milliseconds
    assert held[0] == held[4] == max(held)
    assert len({held[index] for index in (1, 2, 3, 5, 6, 7)}) == 1
    assert held[1] < held[0]
    assert play(toy_finding().result, steps=2).extreme == 2
    assert blink(toy_finding().result).milliseconds[0] == blink(toy_finding().result).milliseconds[1]


def test_what_grows_is_told_in_percent() -> None:
    said: list[str] = []
    draw = ImageDraw.ImageDraw.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ImageDraw.ImageDraw, "text", lambda self, at, text, **k: (said.append(text), draw(self, at, text, **k))
        )
        play(toy_finding().result, steps=4)
    told = [text.split(" %")[0] for text in said if "% of the change found" in text]
    assert told == ["0", "25", "50", "75", "100"]


@pytest.mark.parametrize("spacing", [(4.0, 3.0, 3.0), (4.0, 2.0, 5.0), (4.0, 6.0, 2.0)])
def test_a_patient_is_as_wide_as_he_is(spacing: tuple[float, float, float]) -> None:
    result = toy_finding().result
    placed = replace(result, ct=replace(result.ct, grid=replace(result.ct.grid, spacing=spacing)))
    width, height = _Easel(placed)._size
    _, rows, columns = drawn_region(placed).shape
    assert height / width == pytest.approx(rows * spacing[1] / (columns * spacing[2]), rel=0.01)
    assert width <= 640
    assert height <= 720
    assert width == 640 or height == 720


def test_the_ct_is_seen_in_the_soft_tissue_window() -> None:
    result = toy_finding().result
    easel = _Easel(result)
    low, high = SOFT_TISSUE
    for hu, grey in ((low - 100, 0), (low, 0), ((low + high) / 2, 127), (high, 255), (high + 500, 255)):
        volume = np.full(easel._still.shape, round(hu), np.int16)
        frame = easel.draw(volume, np.zeros(volume.shape, np.uint16), "")
        assert np.abs(frame[10:50, 200:400].astype(int) - grey).max() <= 1


def test_an_outline_runs_along_the_inside_of_the_organ_and_is_thin() -> None:
    result = toy_finding().result
    easel = _Easel(result)
    labels = np.zeros(easel._still.shape, np.uint16)
    organ = result.organs[0].id
    labels[:, 6:18, 6:18] = organ
    frame = easel.draw(easel._still, labels, "")
    colour = [int(organ_colour(organ)[i : i + 2], 16) for i in (1, 3, 5)]
    hit = (frame == colour).all(-1)[: easel._size[1], : easel._size[0]]
    rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
    scale = easel._size[0] / labels.shape[2]
    for found in (rows, columns):
        assert found[0] == pytest.approx(6 * scale, abs=scale / 2)
        assert found[-1] == pytest.approx(18 * scale, abs=scale / 2)
    middle = hit[:, hit.shape[1] // 2]
    assert 2 * 1 <= middle.sum() <= 2 * 3


def test_where_nothing_went_wrong_the_slice_with_most_of_the_organs_is_drawn() -> None:
    result = toy_finding().result
    labels = result.clean_labels.copy()
    labels[3] = result.organs[0].id
    same = replace(result, clean_labels=labels, attacked_labels=labels, moved_reference=labels)
    assert not newly_wrong(same).any()
    easel = _Easel(same)
    assert easel._index == 3 - drawn_region(same).start[0]


def test_a_long_list_of_organs_is_wrapped_and_all_of_it_is_there() -> None:
    result = toy_finding().result
    organs = tuple(Organ(number, f"organ_number_{number}", 60, 0.9, 0.8) for number in range(1, 15))
    said: dict[str, tuple[float, float]] = {}
    draw = ImageDraw.ImageDraw.text
    with pytest.MonkeyPatch.context() as patch:

        def note(self, at, text: str, **given):
            said[text] = (*at, given["font"].getlength(text))
            return draw(self, at, text, **given)

        patch.setattr(ImageDraw.ImageDraw, "text", note)
        frame = blink(replace(result, organs=organs)).frames[0]
    places = [said[f"organ number {number}"] for number in range(1, 15)]
    assert len({y for _, y, _ in places}) >= 3
    for (x, y, wide), (left, top, _) in pairwise(places):
        assert x >= 5
        assert x + wide <= frame.shape[1]
        assert left >= x + wide + 5 if top == y else top >= y + 17
    assert max(y for _, y, _ in said.values()) + 17 <= frame.shape[0]
