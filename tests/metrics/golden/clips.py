"""The clips of the golden table: short, losslessly encoded, and as different as clips get."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.clean_clips import CleanClip
from lab.calibration.defects import (
    Inject,
    boiling,
    drift_colour,
    flicker_colour,
    flicker_global,
    flicker_local,
    identity,
    jelly,
    melt,
)
from lab.media import open_image
from lab.prompts.vocabulary import CameraRates, Pace
from lab.render import Motion, Scene, render
from lab.render.scene import composite
from lab.vision import subject_mask

Frames = list[NDArray[np.uint8]]

STILLS = Path(__file__).parents[3] / "data" / "stills"
SIZE_PX = (240, 160)
FPS = 12.0
_COUNT = 12


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames (h, w, 3) uint8 with even sides, and the still they began from, if there is one."""

    frames: Frames
    still: NDArray[np.uint8] | None
    fps: float = FPS


@cache
def _photograph(name: str) -> NDArray[np.uint8]:
    return open_image(STILLS / f"{name}.jpg").rgb


@cache
def _scene(name: str, size_px: tuple[int, int] = SIZE_PX) -> Scene:
    rgb = _photograph(name)
    return Scene.framed(rgb, subject_mask(rgb), *size_px)


def _film(
    name: str,
    *,
    count: int = _COUNT,
    fps: float = FPS,
    size_px: tuple[int, int] = SIZE_PX,
    easing: str = "linear",
    **rates: float,
) -> CleanClip:
    motion = Motion(CameraRates(**rates), Pace(amplitude=1.0, easing=easing))
    drawn = list(render(_scene(name, size_px), motion, frames=count, fps=fps, seed=3))
    other = cv2.resize(_photograph("astronaut" if name == "coffee" else "coffee"), size_px)
    frames, alphas = [frame.rgb for frame in drawn], [frame.subject_alpha for frame in drawn]
    return CleanClip(frames, alphas, fps, frames[0], other)


def _clip(base: CleanClip) -> Clip:
    return Clip(base.frames, base.still, base.fps)


@cache
def _pan() -> CleanClip:
    return _film("coffee", pan=0.06)


@cache
def _push_in() -> CleanClip:
    return _film("astronaut", dolly=0.08, pan=0.03)


@cache
def _crane() -> CleanClip:
    return _film("astronaut", roll=6.0, crane=0.08)


def _spoiled(base: CleanClip, inject: Inject, strength: float, count: int = _COUNT) -> Clip:
    whole = replace(base, frames=inject(base, strength, np.random.default_rng(1)))
    return Clip(whole.frames[:count], base.still, base.fps)


def _walking() -> Clip:
    scene = _scene("astronaut")
    width, height = SIZE_PX
    left, top = scene.frame_left, scene.frame_top
    shown = []
    for n in range(_COUNT):
        place = np.array([[1, 0, 3 * n], [0, 1, -n / 2]])
        subject = cv2.warpAffine(scene.subject, place, scene.subject.shape[1::-1])
        shown.append(composite(scene.background, subject)[top : top + height, left : left + width])
    return Clip(shown, shown[0])


def _folding() -> Clip:
    """Level stripes are squeezed to a fifth and let go again, eight times a second."""
    picture = _pan().still
    width, height = SIZE_PX
    fine = np.arange(-60, 300, 0.05)
    landed = fine + 0.8 * 80 / (2 * np.pi) * np.sin(2 * np.pi * fine / 80)
    y = np.interp(np.arange(height), landed, fine).astype(np.float32)
    places = np.meshgrid(np.arange(width, dtype=np.float32), y)
    squeezed = cv2.remap(picture, *places, cv2.INTER_LINEAR)
    return Clip([squeezed if n % 2 else picture for n in range(6)], picture, 8.0)


def _lit(base: CleanClip, gains: list[float]) -> Clip:
    return Clip(
        [
            cv2.convertScaleAbs(rgb, alpha=gain)
            for rgb, gain in zip(base.frames, gains, strict=True)
        ],
        base.still,
    )


def _nearer(frames: Frames) -> Frames:
    """Enlarged by a fifth about the centre."""
    width, height = SIZE_PX
    zoom = cv2.getRotationMatrix2D((width / 2, height / 2), 0, 1.2)
    return [cv2.warpAffine(rgb, zoom, SIZE_PX) for rgb in frames]


def _faint() -> Clip:
    y, x = np.mgrid[:160, :240]
    shown = [100 + 30 * np.sin((x + 3 * n) / 40) + 10 * np.cos(y / 30) for n in range(8)]
    frames = [np.dstack([grey] * 3).round().astype(np.uint8) for grey in shown]
    return Clip(frames, frames[0])


def _noise() -> Clip:
    luck = np.random.default_rng(0)
    return Clip(list(luck.integers(0, 256, (6, 96, 128, 3), np.uint8)), _pan().still)


def _tiny() -> Clip:
    return Clip(
        [cv2.resize(rgb, (14, 12), interpolation=cv2.INTER_AREA) for rgb in _pan().frames[:6]], None
    )


# A clip that is to be drawn differently gets another name: its old values are not its own any more.
CLIPS: dict[str, Callable[[], Clip]] = {
    "held": lambda: Clip([_push_in().still] * 6, _push_in().still),
    "one frame": lambda: Clip([_pan().still], _pan().still),
    "pan": lambda: _clip(_pan()),
    "push in": lambda: _clip(_push_in()),
    "roll and crane": lambda: _clip(_crane()),
    "handheld": lambda: _clip(_film("coffee", count=20, fps=24, shake=0.02)),
    "zoom, large": lambda: _clip(_film("coffee", count=8, fps=8, size_px=(480, 320), zoom=0.1)),
    "hardly moving": lambda: _clip(_film("coffee", pan=0.008, easing="smooth")),
    "subject walks": _walking,
    "global flicker": lambda: _spoiled(_pan(), flicker_global, 4, 10),
    "local flicker": lambda: _spoiled(_push_in(), flicker_local, 4, 10),
    "boiling texture": lambda: _spoiled(_pan(), boiling, 4, 10),
    "colour flicker": lambda: _spoiled(_push_in(), flicker_colour, 6, 10),
    "jelly": lambda: _spoiled(_push_in(), jelly, 6),
    "folding": _folding,
    "melting": lambda: _spoiled(_pan(), melt, 30),
    "colour drift": lambda: _spoiled(_pan(), drift_colour, 25),
    "identity drift": lambda: _spoiled(_push_in(), identity, 0.8),
    "cut there and back": lambda: Clip(
        _pan().frames[:3] + _crane().frames[:8] + _pan().frames[8:], _pan().still
    ),
    "punch-in": lambda: Clip(_pan().frames[:7] + _nearer(_pan().frames[7:]), _pan().still),
    "freeze": lambda: Clip(_push_in().frames[:5] + [_push_in().frames[4]] * 7, _push_in().still),
    "flashes": lambda: _lit(_pan(), [2.2 if n % 4 == 2 else 1.3 for n in range(_COUNT)]),
    "fade": lambda: _lit(_push_in(), [1 - 0.05 * n for n in range(_COUNT)]),
    "no still": lambda: Clip(_crane().frames[:10], None),
    "low texture": _faint,
    "noise": _noise,
    "tiny": _tiny,
}
