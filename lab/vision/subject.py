"""Where the subject of a picture is."""

import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.errors import WeightsError
from lab.vision.weights import weight_path

_NET_SIDE_PX = 320
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
# Below these the network saw no dominant subject (a beach without people reads area .00, peak .83).
_MIN_PEAK = 0.9
_MIN_AREA = 0.01
_one_at_a_time = threading.Lock()  # a network keeps its input and buffers in itself


@dataclass(frozen=True, eq=False)
class SubjectMask:
    """How much each pixel belongs to the subject.

    alpha: (height, width) float32 in 0..1. source: "u2netp" or "centre prior". note: why the
    network's mask was not used, empty otherwise.
    """

    alpha: NDArray[np.float32]
    source: str
    note: str = ""

    @property
    def measured(self) -> bool:
        """True when the mask was seen, not assumed."""
        return self.source == "u2netp"

    @property
    def area(self) -> float:
        """Share of the picture that is subject, 0..1."""
        return float((self.alpha > 0.5).mean())


def subject_mask(rgb: NDArray[np.uint8]) -> SubjectMask:
    """Mask of the dominant subject by U²-Net small; a centre-weighted one, with the reason,
    when its weights cannot be had or the network sees no dominant subject.
    """
    try:
        net = _network(weight_path("u2netp"))
    except WeightsError as error:
        return SubjectMask(_centre_prior(rgb), "centre prior", str(error))
    with _one_at_a_time:
        raw = _infer(net, rgb)
    alpha = np.clip(_refine(cv2.resize(raw, rgb.shape[1::-1]), rgb), 0, 1)
    if np.max(raw) < _MIN_PEAK or (raw > 0.5).mean() < _MIN_AREA:
        return SubjectMask(_centre_prior(rgb), "centre prior", "no dominant subject seen")
    return SubjectMask(alpha, "u2netp")


@cache
def _network(path: Path) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(path))


def _infer(net: cv2.dnn.Net, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Raw sigmoid of the network's finest head, (320, 320) float32."""
    side = (_NET_SIDE_PX, _NET_SIDE_PX)
    return _inferred(net, cv2.resize(rgb, side, interpolation=cv2.INTER_AREA).tobytes())


@lru_cache(maxsize=16)
def _inferred(net: cv2.dnn.Net, seen: bytes) -> NDArray[np.float32]:
    """The same of the pixels it sees; kept, because the takes of a run share their stills."""
    shape = (_NET_SIDE_PX, _NET_SIDE_PX, 3)
    pixels = np.frombuffer(seen, np.uint8).reshape(shape).astype(np.float32)
    pixels = (pixels / max(float(np.max(pixels)), 1.0) - _MEAN) / _STD
    net.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
    finest = net.getUnconnectedOutLayersNames()[0]
    mask: NDArray[np.float32] = net.forward(finest)[0, 0].copy()
    mask.flags.writeable = False
    return mask


def _refine(alpha: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Snap the enlarged mask to the picture's edges (guided filter; He, Sun, Tang, ECCV 2010)."""
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    radius = max(2, min(rgb.shape[:2]) // 60)
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return cv2.blur(values, window).astype(np.float32)

    mean_guide, mean_alpha = mean(guide), mean(alpha)
    slope = (mean(guide * alpha) - mean_guide * mean_alpha) / (
        mean(guide * guide) - mean_guide * mean_guide + 1e-4
    )
    offset = mean_alpha - slope * mean_guide
    return (mean(slope) * guide + mean(offset)).astype(np.float32)


def _centre_prior(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A soft ellipse in the middle, 0.6 of each side across at half height."""
    height, width = rgb.shape[:2]
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height - 0.5
    x = (np.arange(width, dtype=np.float32)[None] + 0.5) / width - 0.5
    radius = np.sqrt((x / 0.3) ** 2 + (y / 0.3) ** 2)
    return (1 / (1 + np.exp((radius - 1) * 12))).astype(np.float32)
