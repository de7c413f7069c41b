"""Applies harmless changes to clips; a metric must hardly react to them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.clean_clips import CleanClip
from lab.vision import backward_warp, grid

CLEAN_CRF = 16


@dataclass(frozen=True)
class Nuisance:
    """A harmless change. crf: of the encoding. change: returns the changed clip, of which only
    frames, rate and still count; masks and points of the still may be those of the unchanged clip.

    allowed: the largest accepted shift of a metric, as a share of its response to its own defect at
    the middle strength.
    """

    name: str
    change: Callable[[CleanClip], CleanClip]
    crf: int = CLEAN_CRF
    allowed: float = 0.1


def _map_frames(
    clip: CleanClip, change: Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]
) -> CleanClip:
    """Apply `change` to each frame and its time, 0 at the first frame and 1 at the last."""
    last = max(len(clip.frames) - 1, 1)
    return replace(clip, frames=[change(rgb, i / last) for i, rgb in enumerate(clip.frames)])


def _apply_gain(rgb: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    changed: NDArray[np.uint8] = cv2.convertScaleAbs(rgb, alpha=gain)
    return changed


def _resize(clip: CleanClip, scale: float, interpolation: int) -> CleanClip:
    def even(length: int) -> int:
        return 2 * round(length * scale / 2)

    height, width = clip.frames[0].shape[:2]
    size = (even(width), even(height))
    return _map_frames(clip, lambda rgb, _: cv2.resize(rgb, size, interpolation=interpolation))


def _halve_frame_rate(clip: CleanClip) -> CleanClip:
    return replace(clip, frames=clip.frames[::2], alphas=clip.alphas[::2], fps=clip.fps / 2)


def _hold_frames(clip: CleanClip) -> CleanClip:
    """Replace every second frame by the one before it: animation "on twos"."""
    return replace(clip, frames=[clip.frames[i - i % 2] for i in range(len(clip.frames))])


def _add_grain(clip: CleanClip) -> CleanClip:
    rng = np.random.default_rng(11)

    def grain(rgb: NDArray[np.uint8], _: float) -> NDArray[np.uint8]:
        noise = rng.normal(0, 3, rgb.shape[:2])
        return np.clip(np.rint(rgb + noise[..., None]), 0, 255).astype(np.uint8)

    return _map_frames(clip, grain)


def _trim(clip: CleanClip) -> CleanClip:
    count = max(3, round(0.6 * len(clip.frames)))
    return replace(clip, frames=clip.frames[:count], alphas=clip.alphas[:count])


def _mirror(clip: CleanClip) -> CleanClip:
    return replace(
        _map_frames(clip, lambda rgb, _: cv2.flip(rgb, 1)), still=cv2.flip(clip.still, 1)
    )


def _turn_subject(clip: CleanClip) -> CleanClip:
    """Turn the surface of the subject by 20 degrees, like a ball."""
    last = max(len(clip.frames) - 1, 1)
    turned = []
    for index, (rgb, alpha) in enumerate(zip(clip.frames, clip.alphas, strict=True)):
        # In the still the subject is whole; in a frame it may be partly hidden.
        whole = alpha if clip.still_points is None else clip.alphas[0]
        points = grid(*alpha.shape) if clip.still_points is None else clip.still_points(index)
        left, top, width, height = cv2.boundingRect((whole > 127).astype(np.uint8))
        displacement = np.zeros((*alpha.shape, 2), np.float32)
        if width:
            unit_x = (points[..., 0] - left - width / 2) / (width / 2)
            unit_y = (points[..., 1] - top - height / 2) / (height / 2)
            depth = np.sqrt(np.clip(1 - unit_x**2 - unit_y**2, 0, 1))
            angle = math.radians(20) * index / last
            displacement[..., 0] = math.sin(angle) * depth * width / 2
            soft = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), 3)
            displacement *= soft[..., None]
        turned.append(backward_warp(rgb, displacement, cv2.INTER_CUBIC))
    return replace(clip, frames=turned)


def _cover(clip: CleanClip) -> CleanClip:
    """Let a post pass in front of the camera during the middle half of the clip."""
    height, width = clip.frames[0].shape[:2]
    post_width = width // 7
    post = cv2.resize(clip.other, (post_width, height), interpolation=cv2.INTER_AREA) // 2

    def cover(rgb: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
        left = round((time - 0.25) * 2 * (width + post_width)) - post_width
        start, end = max(left, 0), min(left + post_width, width)
        covered = rgb.copy()
        if start < end:
            covered[:, start:end] = post[:, start - left : end - left]
        return covered

    return _map_frames(clip, cover)


NUISANCES: tuple[Nuisance, ...] = (
    Nuisance("compressed (CRF 30)", lambda clip: clip, crf=30),
    Nuisance("half size", lambda clip: _resize(clip, 0.5, cv2.INTER_AREA)),
    Nuisance("double size", lambda clip: _resize(clip, 2.0, cv2.INTER_CUBIC)),
    Nuisance("half frame rate", _halve_frame_rate, allowed=0.3),
    Nuisance("held frames", _hold_frames, allowed=0.3),
    Nuisance(
        "exposure ramp",
        lambda clip: _map_frames(clip, lambda rgb, t: _apply_gain(rgb, 0.85 + 0.35 * t)),
    ),
    Nuisance(
        "fade out",
        lambda clip: _map_frames(
            clip, lambda rgb, t: _apply_gain(rgb, min(1.0, 1 - 1.2 * (t - 0.5)))
        ),
        allowed=0.3,
    ),
    Nuisance("film grain", _add_grain),
    Nuisance("trimmed", _trim),
    Nuisance("mirrored", _mirror),
    Nuisance("turning subject", _turn_subject),
    Nuisance("passing post", _cover),
)
