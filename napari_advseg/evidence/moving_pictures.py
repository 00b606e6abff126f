"""Pictures to take along: the slice that lost most, blinking between clean and perturbed, or the change growing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ..attacks import AttackResult, Target, as_saved
from ..volume import SOFT_TISSUE, reorient, reorient_grid, reorientation
from .figure import drawn_region
from .measures import newly_wrong
from .palette import organ_colour

Frame = NDArray[np.uint8]
_WIDTH, _HIGHEST = 640, 720  # pixels of the slice in a frame
_STEPS = 12
_BLINK_MS, _PLAY_MS, _HOLD_MS = 700, 90, 900
_TEXT, _LINE, _PAD = 17, 24, 10  # pixels
_INK, _FAINT, _PAPER = (240, 240, 240), (170, 170, 170), (16, 16, 16)


@dataclass(frozen=True, eq=False)
class MovingPicture:
    """Frames to be shown one after the other, over and over.

    Parameters
    ----------
    frames
        uint8 (row, column, RGB) each, all of one even size.
    milliseconds
        How long each is shown.
    extreme
        The frame with the whole change; the first one shows the clean CT.
    """

    frames: tuple[Frame, ...]
    milliseconds: tuple[int, ...]
    extreme: int


def blink(result: AttackResult) -> MovingPicture:
    """Two frames: the CT and the perturbed CT, each with the outlines of the network's segmentation."""
    easel = _Easel(result)
    box = easel.region.slices
    clean = easel.draw(as_saved(result.ct.hu[box]), result.clean_labels[box], "CT, the network's segmentation")
    perturbed = easel.draw(
        easel.embed(result.perturbed), result.attacked_labels[box], "Perturbed CT, the network's segmentation"
    )
    return MovingPicture((clean, perturbed), (_BLINK_MS, _BLINK_MS), extreme=1)


def play(
    result: AttackResult,
    target: Target | None = None,
    steps: int = _STEPS,
    on_step: Callable[[int], object] | None = None,
) -> MovingPicture:
    """The change growing from nothing to the strength found, and back.

    Every frame is synthesised at its own strength: a displacement is not linear in the strength.

    Parameters
    ----------
    target
        Where it is given, the network segments every frame, and the outlines and the drops are its; without it the
        outlines are the reference's, moved with the anatomy.
    steps
        Strengths between nothing (not counted) and the one found (counted).
    on_step
        Called before each frame with its number; what it raises ends the work.

    Raises
    ------
    ValueError
        Fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"a change that plays needs at least 2 steps; got {steps}")
    easel = _Easel(result)
    rising = []
    for step in range(steps + 1):
        if on_step is not None:
            on_step(step)
        rising.append(_frame_at(easel, result, target, result.strength * step / steps, step / steps))
    held = [_HOLD_MS, *([_PLAY_MS] * (steps - 1)), _HOLD_MS]
    return MovingPicture((*rising, *rising[-2:0:-1]), (*held, *held[-2:0:-1]), extreme=steps)


def _frame_at(easel: _Easel, result: AttackResult, target: Target | None, strength: float, share: float) -> Frame:
    labels = (result.reference if target is None else result.clean_labels)[easel.region.slices].copy()
    said = f"{100 * share:.0f} % of the change found"
    if target is not None:
        measured = target.measure(result.parameters, strength)
        labels = target.placed.embed(measured.attacked)[easel.region.slices]
        return easel.draw(easel.embed(measured.perturbed), labels, f"{said}, measured drop {measured.drop:.3f}")
    with torch.no_grad():
        change = result.synthesis.change(result.parameters, strength)
        inner = easel.inner.slices
        labels[inner] = result.synthesis.move_labels(labels[inner], change.displacement)
    return easel.draw(easel.embed(as_saved(change.hu.cpu().numpy())), labels, f"{said}, outlines: moved reference")


class _Easel:
    """The axial slice with most newly wrong voxels, and the caption under it."""

    def __init__(self, result: AttackResult) -> None:
        self.region = drawn_region(result)
        self.inner = result.region.within(self.region)
        self._still = as_saved(result.ct.hu[self.region.slices])
        self._change = reorientation(result.ct.grid, "SPL")
        self._organs = result.organs
        wrong = newly_wrong(result)[self.region.slices]
        if not wrong.any():
            wrong = np.isin(result.clean_labels[self.region.slices], [organ.id for organ in result.organs])
        self._index = int(np.argmax(reorient(wrong, self._change).sum((1, 2))))
        _, row_mm, column_mm = reorient_grid(result.ct.grid, self._change).spacing
        _, rows, columns = reorient(wrong, self._change).shape
        scale = min(_WIDTH / (columns * column_mm), _HIGHEST / (rows * row_mm))
        self._size = (max(1, round(columns * column_mm * scale)), max(1, round(rows * row_mm * scale)))
        reached = "reached" if result.reached else "NOT reached, closest"
        self._result = f"Dice drop asked {result.target_drop:.2f}, {reached} {result.achieved_drop:.3f}"

    def embed(self, inside: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is drawn of the CT, (z, y, x), where the region holds ``inside``."""
        whole = self._still.copy()
        whole[self.inner.slices] = inside
        return whole

    def draw(self, hu: NDArray[np.int16], labels: NDArray[np.uint16], said: str) -> Frame:
        """The slice of ``hu`` with the outlines of ``labels``, both (z, y, x) of what is drawn, over the caption."""
        low, high = SOFT_TISSUE
        grey = np.clip((self._cut(hu).astype(np.float32) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        shown = np.repeat(np.asarray(Image.fromarray(grey).resize(self._size, _BICUBIC))[..., None], 3, 2)
        flat = self._cut(labels)
        for organ in self._organs:
            mask = Image.fromarray((flat == organ.id).astype(np.uint8) * 255).resize(self._size, _BILINEAR)
            inside = np.asarray(mask) >= 128
            shown[inside & ~ndimage.binary_erosion(inside, iterations=2)] = _rgb(organ_colour(organ.id))
        return self._captioned(shown, said)

    def _cut(self, volume: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(reorient(volume, self._change)[self._index])

    def _captioned(self, shown: Frame, said: str) -> Frame:
        font = _font()
        width = max(_WIDTH, shown.shape[1])
        legend = self._legend(font, width)
        height = shown.shape[0] + 2 * _PAD + _LINE * (3 + len(legend))
        picture = Image.new("RGB", (width + width % 2, height + height % 2), _PAPER)
        picture.paste(Image.fromarray(shown), ((width - shown.shape[1]) // 2, 0))
        draw = ImageDraw.Draw(picture)
        top = shown.shape[0] + _PAD
        for text, ink in ((said, _INK), (self._result, _INK)):
            draw.text((_PAD, top), text, fill=ink, font=font)
            top += _LINE
        for row in legend:
            for left, name, colour in row:
                draw.text((left, top), name, fill=colour, font=font)
            top += _LINE
        draw.text((_PAD, top), "Research use only", fill=_FAINT, font=font)
        return np.asarray(picture)

    def _legend(self, font: Any, width: int) -> list[list[tuple[int, str, str]]]:
        """Rows of (left, name, colour), wrapped to ``width``."""
        rows: list[list[tuple[int, str, str]]] = [[]]
        left = _PAD
        for organ in self._organs:
            name = organ.name.replace("_", " ")
            wide = int(font.getlength(name))
            if rows[-1] and left + wide > width - _PAD:
                rows.append([])
                left = _PAD
            rows[-1].append((left, name, organ_colour(organ.id)))
            left += wide + 2 * _PAD
        return rows


_BICUBIC, _BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _font() -> Any:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _TEXT)
