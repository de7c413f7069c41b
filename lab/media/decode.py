"""Decode a clip one frame at a time."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from lab.errors import ClipError
from lab.media.picture import pixel_aspect_of, upright_rgb
from lab.media.probe import (
    DECODE_ERRORS,
    MAX_CLIP_S,
    MAX_FRAMES,
    error_text,
    frame_rate,
    open_container,
)
from lab.media.truncation import Completeness


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index counts from 0. time_s counts from the clip's first frame and always increases. rgb is
    (height, width, 3) uint8, as a player shows it: upright, with square pixels, in sRGB. damage is
    "" except on the last frame of a truncated or damaged clip: "cut off after frame 31: 1.20 s of
    4.00 s are missing".
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]
    damage: str = ""


def frames(path: Path, short_side_px: int | None = None) -> Generator[Frame, None, None]:
    """Decode a clip in presentation order, one frame in memory at a time.

    With `short_side_px`, area averaging reduces the frames so that the shorter side has that many
    pixels; frames are never enlarged. A truncated or damaged clip yields the frames before the
    damage, and the last of them describes it. A frame whose timestamp repeats or decreases gets
    that of the previous frame plus the average frame duration. Raises ClipError when no frame can
    be decoded.
    """
    path = Path(path)
    previous: Frame | None = None
    error_message = ""
    with open_container(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        completeness = Completeness.read(path, container)
        clock = _Clock(1 / (frame_rate(stream) or 25))
        decoder = _decoded_frames(container, stream)
        pixel_aspect = pixel_aspect_of(stream)
        reformatter = VideoReformatter()  # reused, because its tables are as large as a frame
        while True:
            try:
                picture, flushed = next(decoder, (None, True))
                if picture is None:
                    break
                rgb = upright_rgb(picture, pixel_aspect, short_side_px, reformatter)
            except DECODE_ERRORS as error:
                if previous is None:
                    raise
                error_message = error_text(error)
                break
            index = previous.index + 1 if previous else 0
            if index >= MAX_FRAMES:
                raise ClipError(f"{path}: more than {MAX_FRAMES} frames; cut it into shorter clips")
            time_s = clock.time_s(picture, index)
            if previous is not None:
                gap_s = time_s - previous.time_s
                if completeness.truncated and flushed and gap_s > 1.5 * clock.step_s:
                    break  # the frames in between were stored later in the file and are lost
                if time_s > MAX_CLIP_S:
                    error_message = f"its timestamps jump to {time_s:.0f} s"
                    break
                yield previous
            previous = Frame(index, time_s, rgb)
            clock.advance(picture, time_s)
        if previous is None:
            raise ClipError(f"{path}: holds no frame that can be decoded")
        damage = completeness.damage(
            previous.index, begin_s=clock.begin_s, end_s=clock.end_s, error=error_message
        )
    yield replace(previous, damage=damage)


@dataclass
class _Clock:
    """Presentation times that always increase, even where the file's timestamps do not.

    step_s: average duration of a frame. begin_s, end_s: when the first frame begins and the latest
    one ends, on the file's own clock.
    """

    step_s: float
    begin_s: float = 0.0
    end_s: float = 0.0
    _first_pts: int | None = None
    _latest_s: float = -math.inf

    def time_s(self, picture: VideoFrame, index: int) -> float:
        """Seconds from the first frame to this one."""
        time_s = index * self.step_s
        if picture.pts is not None and picture.time_base:
            if self._first_pts is None:
                self._first_pts = picture.pts
                self.begin_s = float(picture.pts * picture.time_base)
            time_s = float((picture.pts - self._first_pts) * picture.time_base)
        return time_s if time_s > self._latest_s else self._latest_s + self.step_s

    def advance(self, picture: VideoFrame, time_s: float) -> None:
        """Record a frame as the latest one."""
        self._latest_s = time_s
        duration_s = float((picture.duration or 0) * (picture.time_base or 0))
        self.end_s = self.begin_s + time_s + max(duration_s, self.step_s)


def _decoded_frames(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple[VideoFrame, bool]]:
    """Yield every frame, and whether the decoder returned it only when flushed at end of file."""
    for packet in container.demux(stream):
        for picture in packet.decode():
            yield picture, packet.size == 0
