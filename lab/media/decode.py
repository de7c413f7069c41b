"""Decode a clip one frame at a time; a clip is never held in memory whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from lab.errors import ClipError
from lab.media.probe import opened

MAX_FRAMES = 100_000


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index counts from 0. time_s counts from the clip's first frame. rgb is (height, width, 3) uint8,
    upright. note says once, on the frame where it was noticed, what is wrong with the file.
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]
    note: str = ""


def frames(path: Path, short_side_px: int | None = None) -> Iterator[Frame]:
    """Decode a clip in presentation order, one frame in memory at a time.

    With `short_side_px`, frames are reduced by area averaging so that the shorter side has that
    many pixels; they are never enlarged. A clip whose tail is damaged yields the frames before
    the damage, and the last of them says so in its note. Raises ClipError when not even one frame
    can be decoded.
    """
    path = Path(path)
    held: Frame | None = None
    shown_s = 0.0
    with opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        first_pts: int | None = None
        decoder = container.decode(stream)
        reformatter = VideoReformatter()  # one for the clip: its tables are as large as a frame
        while True:
            try:
                picture = next(decoder, None)
            except av.error.FFmpegError as error:
                if held is None:
                    raise
                note = f"damaged after frame {held.index} ({error.strerror}); the rest is missing"
                held = Frame(held.index, held.time_s, held.rgb, note)
                break
            if picture is None:
                break
            if held is not None:
                yield held
            index = held.index + 1 if held else 0
            if index >= MAX_FRAMES:
                raise ClipError(f"{path}: more than {MAX_FRAMES} frames; cut it into shorter clips")
            if first_pts is None:
                first_pts = picture.pts
            if picture.pts is None or first_pts is None or picture.time_base is None:
                time_s = index / fps
            else:
                time_s = float((picture.pts - first_pts) * picture.time_base)
            held = Frame(index, time_s, _upright_rgb(picture, short_side_px, reformatter))
            shown_s = max(float((picture.duration or 0) * (picture.time_base or 0)), 1 / fps)
        if held is not None and not held.note and stream.duration and stream.time_base:
            # A file cut off behind its header ends like a whole one; only its length tells.
            missing_s = float(stream.duration * stream.time_base) - held.time_s - shown_s
            if missing_s > 0.5 / fps:
                note = f"ends after frame {held.index}; {missing_s:.2f} s more were announced"
                held = Frame(held.index, held.time_s, held.rgb, note)
    if held is None:
        raise ClipError(f"{path}: holds no frame that can be decoded")
    yield held


def _upright_rgb(
    picture: VideoFrame, short_side_px: int | None, reformatter: VideoReformatter
) -> NDArray[np.uint8]:
    width, height = picture.width, picture.height
    scale = min(1.0, short_side_px / min(width, height)) if short_side_px else 1.0
    reduced = reformatter.reformat(
        picture,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        format="rgb24",
        interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
    )
    rgb = np.asarray(reduced.to_ndarray(), np.uint8)
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
