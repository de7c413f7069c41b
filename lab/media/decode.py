"""Decode a clip one frame at a time; a clip is never held in memory whole."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from lab.errors import ClipError
from lab.media.ending import Ending
from lab.media.probe import BROKEN, MAX_CLIP_S, MAX_FRAMES, frame_rate, opened, reason


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index counts from 0. time_s counts from the clip's first frame and grows from frame to frame.
    rgb is (height, width, 3) uint8, upright. damage stands on the last frame of a clip that does
    not end there: "cut off after frame 31: 1.20 s of 4.00 s are missing"; else it is "".
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]
    damage: str = ""


def frames(path: Path, short_side_px: int | None = None) -> Iterator[Frame]:
    """Decode a clip in presentation order, one frame in memory at a time.

    With `short_side_px`, frames are reduced by area averaging so that the shorter side has that
    many pixels; they are never enlarged. A clip that is cut off or damaged yields the frames before
    the damage, and the last of them says so. Where the file's clock stands still or runs back, the
    next frame follows at the average rate. Raises ClipError when not even one frame can be decoded.
    """
    path = Path(path)
    held: Frame | None = None
    trouble = ""
    with opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        ending = Ending.told(path, container)
        clock = _Clock(1 / (frame_rate(stream) or 25))
        decoder = _pictures(container, stream)
        reformatter = VideoReformatter()  # one for the clip: its tables are as large as a frame
        while True:
            try:
                picture, behind_end = next(decoder, (None, True))
                if picture is None:
                    break
                rgb = _upright_rgb(picture, short_side_px, reformatter)
            except BROKEN as error:
                if held is None:
                    raise
                trouble = reason(error)
                break
            index = held.index + 1 if held else 0
            if index >= MAX_FRAMES:
                raise ClipError(f"{path}: more than {MAX_FRAMES} frames; cut it into shorter clips")
            time_s = clock.time_s(picture, index)
            if held is not None:
                if ending.cut_off and behind_end and time_s - held.time_s > 1.5 * clock.step_s:
                    break  # the pictures between here and there were stored later, and are lost
                if time_s > MAX_CLIP_S:
                    trouble = f"its clock leaps to {time_s:.0f} s"
                    break
                yield held
            held = Frame(index, time_s, rgb)
            clock.show(picture, time_s)
        if held is None:
            raise ClipError(f"{path}: holds no frame that can be decoded")
        damage = ending.damage(
            held.index, begin_s=clock.begin_s, end_s=clock.end_s, trouble=trouble
        )
    yield replace(held, damage=damage)


@dataclass
class _Clock:
    """When pictures are shown, which grows from one to the next whatever the file says.

    step_s: what a picture lasts on average. begin_s, end_s: when the first picture begins and the
    latest one ends, by the file's own clock.
    """

    step_s: float
    begin_s: float = 0.0
    end_s: float = 0.0
    _first_pts: int | None = None
    _latest_s: float = -math.inf

    def time_s(self, picture: VideoFrame, index: int) -> float:
        """Seconds from the first picture to this one."""
        time_s = index * self.step_s
        if picture.pts is not None and picture.time_base:
            if self._first_pts is None:
                self._first_pts = picture.pts
                self.begin_s = float(picture.pts * picture.time_base)
            time_s = float((picture.pts - self._first_pts) * picture.time_base)
        return time_s if time_s > self._latest_s else self._latest_s + self.step_s

    def show(self, picture: VideoFrame, time_s: float) -> None:
        """Take note of the latest picture."""
        self._latest_s = time_s
        lasts_s = float((picture.duration or 0) * (picture.time_base or 0))
        self.end_s = self.begin_s + time_s + max(lasts_s, self.step_s)


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[tuple[VideoFrame, bool]]:
    """Every picture, and whether the decoder still had it when the file had come to its end."""
    for packet in container.demux(stream):
        for picture in packet.decode():
            yield picture, packet.size == 0


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
