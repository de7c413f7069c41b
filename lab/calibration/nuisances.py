"""What may happen to a clip without making it worse: a metric's value may not answer to it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.bases import Base
from lab.vision import backward_warp

CLEAN_CRF = 16


@dataclass(frozen=True)
class Nuisance:
    """A harmless change. change: the base after it. crf: how hard the clip is compressed.

    allowed: the largest shift of a metric that is accepted, as a share of its response to its own
    defect at the middle strength.
    """

    name: str
    change: Callable[[Base], Base]
    crf: int = CLEAN_CRF
    allowed: float = 0.1


def _frames(base: Base, change: Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]) -> Base:
    """Every frame changed; `change` also gets its place in the clip, 0..1."""
    last = max(len(base.frames) - 1, 1)
    return replace(base, frames=[change(rgb, i / last) for i, rgb in enumerate(base.frames)])


def _gained(rgb: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    changed: NDArray[np.uint8] = cv2.convertScaleAbs(rgb, alpha=gain)
    return changed


def _resized(base: Base, scale: float, interpolation: int) -> Base:
    def even(length: int) -> int:
        return 2 * round(length * scale / 2)

    height, width = base.frames[0].shape[:2]
    size = (even(width), even(height))
    return _frames(base, lambda rgb, _: cv2.resize(rgb, size, interpolation=interpolation))


def _half_rate(base: Base) -> Base:
    return replace(base, frames=base.frames[::2], alphas=base.alphas[::2], fps=base.fps / 2)


def _held(base: Base) -> Base:
    """Every second frame is the one before it again: animated "on twos"."""
    return replace(base, frames=[base.frames[i - i % 2] for i in range(len(base.frames))])


def _grained(base: Base) -> Base:
    luck = np.random.default_rng(11)

    def grain(rgb: NDArray[np.uint8], _: float) -> NDArray[np.uint8]:
        noise = luck.normal(0, 3, rgb.shape[:2])
        return np.clip(np.rint(rgb + noise[..., None]), 0, 255).astype(np.uint8)

    return _frames(base, grain)


def _trimmed(base: Base) -> Base:
    kept = max(3, round(0.6 * len(base.frames)))
    return replace(base, frames=base.frames[:kept], alphas=base.alphas[:kept])


def _mirrored(base: Base) -> Base:
    return replace(_frames(base, lambda rgb, _: cv2.flip(rgb, 1)), still=cv2.flip(base.still, 1))


def _turning(base: Base) -> Base:
    """The subject's surface turns by 20 degrees as a ball would."""
    last = max(len(base.frames) - 1, 1)
    turned = []
    for index, (rgb, alpha) in enumerate(zip(base.frames, base.alphas, strict=True)):
        left, top, width, height = cv2.boundingRect((alpha > 127).astype(np.uint8))
        field = np.zeros((*alpha.shape, 2), np.float32)
        if width:
            y, x = np.mgrid[:height, :width].astype(np.float32)
            off_x, off_y = (x - width / 2) / (width / 2), (y - height / 2) / (height / 2)
            towards = np.sqrt(np.clip(1 - off_x**2 - off_y**2, 0, 1))
            angle = math.radians(20) * index / last
            inside = field[top : top + height, left : left + width]
            inside[..., 0] = math.sin(angle) * towards * width / 2
            soft = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), 3)
            field *= soft[..., None]
        turned.append(backward_warp(rgb, field, cv2.INTER_CUBIC))
    return replace(base, frames=turned)


def _covered(base: Base) -> Base:
    """A post passes in front of the camera within the middle half of the clip."""
    height, width = base.frames[0].shape[:2]
    wide = width // 7
    post = cv2.resize(base.other, (wide, height), interpolation=cv2.INTER_AREA) // 2

    def cover(rgb: NDArray[np.uint8], place: float) -> NDArray[np.uint8]:
        left = round((place - 0.25) * 2 * (width + wide)) - wide
        start, end = max(left, 0), min(left + wide, width)
        covered = rgb.copy()
        if start < end:
            covered[:, start:end] = post[:, start - left : end - left]
        return covered

    return _frames(base, cover)


NUISANCES: tuple[Nuisance, ...] = (
    Nuisance("compressed (CRF 30)", lambda base: base, crf=30),
    Nuisance("half size", lambda base: _resized(base, 0.5, cv2.INTER_AREA)),
    Nuisance("double size", lambda base: _resized(base, 2.0, cv2.INTER_CUBIC)),
    Nuisance("half frame rate", _half_rate, allowed=0.3),
    Nuisance("held frames", _held, allowed=0.3),
    Nuisance(
        "exposure ramp", lambda base: _frames(base, lambda rgb, t: _gained(rgb, 0.85 + 0.35 * t))
    ),
    Nuisance(
        "fade out",
        lambda base: _frames(base, lambda rgb, t: _gained(rgb, min(1.0, 1 - 1.2 * (t - 0.5)))),
        allowed=0.3,
    ),
    Nuisance("film grain", _grained),
    Nuisance("trimmed", _trimmed),
    Nuisance("mirrored", _mirrored),
    Nuisance("turning subject", _turning),
    Nuisance("passing post", _covered),
)
