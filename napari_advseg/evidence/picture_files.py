"""Moving pictures as files: GIF and MP4 move, a PNG shows before and after side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .moving_pictures import MovingPicture

SUFFIXES = (".gif", ".mp4", ".png")
_FRAMES_PER_SECOND = 20
_LEAST_SECONDS = 4.0  # a film of a second is over before it is seen


def save_picture(picture: MovingPicture, path: str | Path) -> Path:
    """Write a moving picture as ``.gif`` or ``.mp4``, or its first and its extreme frame as one ``.png``.

    It is written aside and renamed when whole; a file that stands there is replaced. Returns the path.

    Raises
    ------
    ValueError
        Another suffix, or an MP4 where imageio-ffmpeg is not installed.
    OSError
        It cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"a picture is saved as {', '.join(SUFFIXES)}; got {path.name!r}: give it one of these suffixes"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".writing-{path.name}")
    try:
        if suffix == ".png":
            beside = np.concatenate([picture.frames[0], picture.frames[picture.extreme]], axis=1)
            Image.fromarray(beside).save(aside, format="PNG")
        elif suffix == ".gif":
            _write_gif(picture, aside)
        else:
            _write_mp4(picture, aside)
        return aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _write_gif(picture: MovingPicture, path: Path) -> None:
    # One palette for all: colours that differ from frame to frame would flicker.
    both = Image.fromarray(np.concatenate([picture.frames[0], picture.frames[picture.extreme]], axis=1))
    palette = both.quantize(256, dither=Image.Dither.NONE)
    frames = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in picture.frames]
    frames[0].save(
        path, format="GIF", save_all=True, append_images=frames[1:], duration=list(picture.milliseconds), loop=0
    )


def _write_mp4(picture: MovingPicture, path: Path) -> None:
    try:
        from imageio_ffmpeg import write_frames
    except ModuleNotFoundError as fault:
        raise ValueError(
            "an MP4 needs imageio-ffmpeg, which is not installed: pip install 'napari-advseg[video]', or save as .gif"
        ) from fault
    height, width, _ = picture.frames[0].shape
    repeats = [max(1, round(ms * _FRAMES_PER_SECOND / 1000)) for ms in picture.milliseconds]
    rounds = max(1, round(_LEAST_SECONDS * _FRAMES_PER_SECOND / sum(repeats)))
    writer = write_frames(
        str(path), (width, height), fps=_FRAMES_PER_SECOND, quality=7, macro_block_size=2, ffmpeg_log_level="error",
        output_params=["-f", "mp4", "-movflags", "+faststart"],
    )  # fmt: skip
    try:
        writer.send(None)
        for _ in range(rounds):
            for frame, count in zip(picture.frames, repeats, strict=True):
                for _ in range(count):
                    writer.send(np.ascontiguousarray(frame))
    except OSError as fault:
        raise OSError(f"the film could not be written to {path.parent}: is the disk full?") from fault
    finally:
        writer.close()
