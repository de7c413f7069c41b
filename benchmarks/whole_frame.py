"""A simple baseline for drift: how far a clip's last second is from its still, by one embedding."""

import math
from collections import deque
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import frames
from lab.stills import Still
from lab.vision import embed

_SHORT_SIDE_PX = 256
_LAST_S = 1.0
_FRAMES = 8  # neighbouring frames of one second hardly differ

Pixels = NDArray[np.uint8]


def whole_frame_distance(clip: Path, still: Still | None) -> float:
    """1 minus the mean cosine similarity between the still and up to 8 frames of the last second.

    Compares whole frames by MobileNetV2, without a mask; 0..1. Without a still, the clip's first
    frame takes its place. Raises ClipError, StillError or WeightsError.
    """
    first: Pixels | None = None
    last: deque[tuple[float, Pixels]] = deque()
    for frame in frames(clip, _SHORT_SIDE_PX):
        if first is None:
            first = frame.rgb
        last.append((frame.time_s, frame.rgb))
        while last[0][0] < frame.time_s - _LAST_S:
            last.popleft()
    assert first is not None
    start = _embed(first if still is None else _reduced(still.rgb()))
    places = np.linspace(0, len(last) - 1, min(len(last), _FRAMES)).round().astype(int)
    similarities = [float(start @ _embed(last[place][1])) for place in places]
    return 1 - math.fsum(similarities) / len(similarities)


def _embed(rgb: Pixels) -> NDArray[np.float32]:
    return embed(rgb, np.ones(rgb.shape[:2], np.float32))


def _reduced(rgb: Pixels) -> Pixels:
    scale = _SHORT_SIDE_PX / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    reduced: Pixels = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return reduced
