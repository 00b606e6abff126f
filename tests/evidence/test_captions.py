"""What stands under a moving picture, where, and in which colour; and where in the frame the slice lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from findings import toy_finding
from PIL import ImageDraw

from napari_advseg.attacks import AttackResult, Organ
from napari_advseg.evidence import MovingPicture, blink, organ_colour, play
from napari_advseg.evidence.figure import drawn_region
from napari_advseg.evidence.moving_pictures import _Easel


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


@dataclass(frozen=True)
class Word:
    """A text that was drawn."""

    text: str
    left: float
    top: float
    ink: Any
    wide: float
    size: float


def drawn(make: Callable[[], MovingPicture]) -> tuple[MovingPicture, list[Word]]:
    words: list[Word] = []
    real = ImageDraw.ImageDraw.text

    def note(self: Any, at: tuple[float, float], text: str, **given: Any) -> None:
        words.append(Word(text, *at, given["fill"], given["font"].getlength(text), given["font"].size))
        real(self, at, text, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageDraw.ImageDraw, "text", note)
        return make(), words


def result(spacing: tuple[float, float, float] | None = None, **changed: Any) -> AttackResult:
    found = replace(toy_finding().result, **changed)
    if spacing is None:
        return found
    return replace(found, ct=replace(found.ct, grid=replace(found.ct.grid, spacing=spacing)))


@pytest.mark.parametrize("organs", [1, 14])
def test_the_lines_stand_one_under_the_other_below_the_slice_and_within_the_frame(organs: int) -> None:
    made = result(organs=tuple(Organ(n, f"organ_number_{n}", 60, 0.9, 0.7) for n in range(1, organs + 1)))
    picture, words = drawn(lambda: blink(made))
    words = words[: len(words) // 2]
    height, width, _ = picture.frames[0].shape
    said, asked, *names, last = words
    assert said.text == "CT, the network's segmentation"
    assert asked.text.startswith("Dice drop asked 0.20, ")
    assert last.text == "Research use only"
    assert [word.text for word in names] == [f"organ number {n}" for n in range(1, organs + 1)]
    assert said.top == _Easel(made)._size[1] + said.left  # as far from the slice as from the side
    tops = sorted({word.top for word in words})
    assert all(
        word.size < after - before < 2 * word.size for word, before, after in zip(words, tops, tops[1:], strict=False)
    )
    assert np.diff(tops).max() == np.diff(tops).min()
    assert [said.top, asked.top, last.top] == [tops[0], tops[1], tops[-1]]
    assert height - said.left - said.size - 10 <= last.top + last.size <= height - said.left
    for word in words:
        assert said.left <= word.left
        assert word.left + word.wide <= width - said.left + 1
    for one, other in pairwise(names):
        assert other.top > one.top or other.left - one.left - one.wide == pytest.approx(2 * said.left, abs=1)


def test_a_row_of_names_is_filled_before_the_next_begins() -> None:
    made = result(organs=tuple(Organ(n, f"organ_number_{n}", 60, 0.9, 0.7) for n in range(1, 15)))
    picture, words = drawn(lambda: blink(made))
    names = [word for word in words[: len(words) // 2] if word.text.startswith("organ number")]
    width = picture.frames[0].shape[1]
    for one, other in pairwise(names):
        if other.top > one.top:
            assert other.left == names[0].left
            assert one.left + one.wide + 2 * other.left + other.wide > width - other.left  # it had no place there


def test_names_have_their_organ_s_colour_and_the_figures_the_brightest() -> None:
    made = result(organs=tuple(Organ(n, f"organ_{n}", 60, 0.9, 0.7) for n in (1, 2, 3)))
    picture, words = drawn(lambda: blink(made))
    for word in words:
        if word.text.startswith("organ "):
            assert word.ink == organ_colour(int(word.text.split()[1]))
    said, asked, last = words[0], words[1], words[-1]
    assert said.ink == asked.ink
    assert min(said.ink) > max(last.ink) > 128  # seen on the dark ground, and fainter
    assert len(set(said.ink)) == len(set(last.ink)) == 1  # without a hue, which is the organs'
    ground = picture.frames[0][-1, 0]
    assert ground.max() < 40
    assert len(set(ground.tolist())) == 1


@pytest.mark.parametrize(("target", "said"), [(0.2, "reached"), (0.9, "NOT reached, closest")])
def test_the_caption_says_whether_it_is_reached(target: float, said: str) -> None:
    made = result(target_drop=target)
    _, words = drawn(lambda: blink(made))
    assert words[1].text == f"Dice drop asked {target:.2f}, {said} {made.achieved_drop:.3f}"
    assert made.reached is (said == "reached")


def test_an_outline_has_its_organ_s_own_colour() -> None:
    made = result()
    easel = _Easel(made)
    for organ in range(1, 13):
        easel._organs = (Organ(organ, "organ", 60, 0.9, 0.7),)
        labels = np.zeros(easel._still.shape, np.uint16)
        labels[:, 6:18, 6:18] = organ
        frame = easel.draw(easel._still, labels, "")[: easel._size[1]]
        assert (frame == rgb(organ_colour(organ))).all(-1).sum() > 100
        grey = (frame[..., 0] == frame[..., 1]) & (frame[..., 1] == frame[..., 2])
        assert grey.sum() + (frame == rgb(organ_colour(organ))).all(-1).sum() == frame[..., 0].size


@pytest.mark.parametrize(("spacing", "size"), [((4.0, 9.0, 2.0), (160, 720)), ((4.0, 3.0, 3.0), (640, 640))])
def test_a_narrow_slice_stands_in_the_middle(spacing: tuple[float, float, float], size: tuple[int, int]) -> None:
    made = result(spacing)
    assert _Easel(made)._size == size
    frame = blink(made).frames[0]
    assert frame.shape[1] == 640
    body = frame[: size[1]]
    left = (640 - size[0]) // 2
    ground = frame[-1, 0]
    assert (body[:, :left] == ground).all()
    assert (body[:, left + size[0] :] == ground).all()
    assert (body[:, left : left + size[0]] != ground).any(-1).mean() > 0.5


@pytest.mark.parametrize("spacing", [(4.0, 3.01, 3.0), (4.0, 2.99, 3.0), (4.0, 3.0, 2.81), (4.0, 1.0, 300.0)])
def test_frames_are_of_even_size_whatever_the_patient_is(spacing: tuple[float, float, float]) -> None:
    frames = blink(result(spacing)).frames
    assert frames[0].shape == frames[1].shape
    assert all(n % 2 == 0 for n in frames[0].shape[:2])
    assert _Easel(result(spacing))._size[1] >= 1


def test_outside_of_the_region_a_frame_shows_the_ct_as_it_was() -> None:
    made = result()
    shown = drawn_region(made)
    easel = _Easel(made)
    inside = np.full(made.region.shape, 77, np.int16)
    whole = easel.embed(inside)
    assert whole.shape == shown.shape
    assert (whole[made.region.within(shown).slices] == 77).all()
    outside = np.ones(whole.shape, bool)
    outside[made.region.within(shown).slices] = False
    assert np.array_equal(whole[outside], easel._still[outside])
    assert not np.array_equal(easel._still, whole)  # what is kept is not written to


def test_twelve_strengths_are_shown_on_the_way_up_where_nothing_else_is_said() -> None:
    seen: list[int] = []
    picture = play(result(), on_step=seen.append)
    assert seen == list(range(13))
    assert picture.extreme == 12
    assert len(picture.frames) == 24
    assert all(np.array_equal(picture.frames[12 - n], picture.frames[12 + n]) for n in range(1, 12))
    assert 50 <= picture.milliseconds[1] <= 150  # is seen to move
    assert picture.milliseconds[0] >= 500  # and to rest
    assert blink(result()).milliseconds[0] >= 500
