"""Defects put into clean frames on purpose, each of one kind and a known strength.

Nothing here knows how a metric works: the same table serves metrics that do not exist yet.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.bases import Base
from lab.units import diagonal_px
from lab.vision import backward_warp

Frames = list[NDArray[np.uint8]]
Inject = Callable[[Base, float, np.random.Generator], Frames]
_NODES = (5, 8)  # rows and columns of a smooth random field


@dataclass(frozen=True)
class Defect:
    """A kind of defect: what it is, the part of a metric it belongs to, and five strengths.

    strengths: weakest first, in `unit`; the middle one is the strength that must be told from clean
    clips. held_out: no definition and no threshold was ever chosen by looking at it.
    """

    name: str
    metric: str
    unit: str
    says: str
    strengths: tuple[float, float, float, float, float]
    inject: Inject
    held_out: bool = False

    @property
    def middle(self) -> float:
        """The middle strength."""
        return self.strengths[2]


def flicker_global(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The whole picture lighter or darker by chance, anew in every frame."""
    return [
        _added(rgb, np.full(rgb.shape[:2], offset))
        for rgb, offset in zip(
            base.frames, strength * _chances(luck, len(base.frames)), strict=True
        )
    ]


def flicker_pulse(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The whole picture pulsing at 8 Hz, to which eyes are most sensitive."""
    phase = luck.uniform(0, 2 * math.pi)
    beat = np.sin(2 * math.pi * 8.0 * np.arange(len(base.frames)) / base.fps + phase)
    beat -= beat.mean()
    offsets = strength * beat / max(float(beat.std()), 1e-9)
    return [
        _added(rgb, np.full(rgb.shape[:2], offset))
        for rgb, offset in zip(base.frames, offsets, strict=True)
    ]


def flicker_local(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """Patches about a sixth of the frame that lighten and darken independently."""
    size = base.frames[0].shape[:2]
    return [_added(rgb, strength * _smooth(luck, size)) for rgb in base.frames]


def boiling(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """Fine texture redrawn in every frame, strongest where the picture is textured."""
    spoiled = []
    for rgb in base.frames:
        height = rgb.shape[0]
        noise = luck.standard_normal(rgb.shape[:2]).astype(np.float32)
        band = cv2.GaussianBlur(noise, (0, 0), height / 240) - cv2.GaussianBlur(
            noise, (0, 0), height / 100
        )
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        detail = cv2.blur(cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 3)), (15, 15))
        band *= 0.3 + detail / max(float(detail.mean()), 1e-6)
        spoiled.append(_added(rgb, strength * band / max(float(band.std()), 1e-6)))
    return spoiled


def flicker_colour(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """Hue that changes by chance in patches, anew in every frame; lightness stays."""
    size = base.frames[0].shape[:2]
    spoiled = []
    for rgb in base.frames:
        shift = np.stack([_smooth(luck, size), _smooth(luck, size)], axis=-1) / math.sqrt(2)
        spoiled.append(_recoloured(rgb, strength * shift))
    return spoiled


def jelly(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """Everything wobbles like jelly, each place at its own 1.5 to 4 Hz."""
    height, width = base.frames[0].shape[:2]
    nodes = (4, *_NODES)
    hertz, phase = luck.uniform(1.5, 4, nodes), luck.uniform(0, 2 * math.pi, nodes)
    reach = strength / 1000 * diagonal_px(width, height)
    spoiled = []
    for index, rgb in enumerate(base.frames):
        waves = np.sin(2 * math.pi * hertz * index / base.fps + phase)
        axes = (waves[0] + waves[1], waves[2] + waves[3])
        field = np.stack([_enlarged(axis, (height, width)) for axis in axes], axis=-1)
        spoiled.append(_displaced(rgb, reach * field / 1.2))
    return spoiled


def ripple(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """A wave that runs across the picture twice a second, a third of the frame long."""
    height, width = base.frames[0].shape[:2]
    angle = luck.uniform(0, 2 * math.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = (x * math.cos(angle) + y * math.sin(angle)) / (height / 3)
    reach = strength / 1000 * diagonal_px(width, height) * math.sqrt(2)
    across = np.array([-math.sin(angle), math.cos(angle)], np.float32)
    return [
        _displaced(
            rgb,
            reach * np.sin(2 * math.pi * (along - 2 * index / base.fps))[..., None] * across,
        )
        for index, rgb in enumerate(base.frames)
    ]


def melt(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The subject slowly loses its shape, from nothing at the start to the full amount."""
    height, width = base.frames[0].shape[:2]
    field = np.stack([_smooth(luck, (height, width)) for _ in range(2)], axis=-1) / math.sqrt(2)
    reach = strength / 1000 * diagonal_px(width, height)
    spoiled = []
    for index, (rgb, alpha) in enumerate(zip(base.frames, base.alphas, strict=True)):
        share = index / max(len(base.frames) - 1, 1)
        soft = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), height / 60)
        spoiled.append(_displaced(rgb, share * reach * field * soft[..., None]))
    return spoiled


def drift_colour(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The subject's hue moves away, in proportion to time."""
    angle = luck.uniform(0, 2 * math.pi)
    spoiled = []
    for index, (rgb, alpha) in enumerate(zip(base.frames, base.alphas, strict=True)):
        share = strength * index / max(len(base.frames) - 1, 1)
        spoiled.append(_recoloured(rgb, share * _hue(alpha, angle)))
    return spoiled


def onset_gap(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The subject has another hue than in the still from the first frame on, and keeps it."""
    angle = luck.uniform(0, 2 * math.pi)
    return [
        _recoloured(rgb, strength * _hue(alpha, angle))
        for rgb, alpha in zip(base.frames, base.alphas, strict=True)
    ]


def identity(base: Base, strength: float, luck: np.random.Generator) -> Frames:
    """The subject turns by and by into another one of the same mean colour.

    strength: how much of the other shows at the last frame, 0..1.
    """
    other = base.other
    spoiled = []
    for index, (rgb, alpha) in enumerate(zip(base.frames, base.alphas, strict=True)):
        left, top, width, height = cv2.boundingRect((alpha > 127).astype(np.uint8))
        if not width:
            spoiled.append(rgb)
            continue
        box = np.s_[top : top + height, left : left + width]
        laid = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        here = rgb[box].astype(np.float32)
        inside = alpha[box] > 127
        laid += here[inside].mean(axis=0) - laid[inside].mean(axis=0)
        share = strength * index / max(len(base.frames) - 1, 1)
        weight = share * (alpha[box].astype(np.float32) / 255)[..., None]
        mixed = rgb.copy()
        mixed[box] = _whole(here * (1 - weight) + laid * weight)
        spoiled.append(mixed)
    return spoiled


DEFECTS: tuple[Defect, ...] = (
    Defect(
        name="global flicker",
        metric="flicker.global",
        unit="8-bit code values",
        says="rms of one offset a frame for the whole picture",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_global,
    ),
    Defect(
        name="local flicker",
        metric="flicker.local",
        unit="8-bit code values",
        says="rms of an offset in patches of about a sixth of the frame",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_local,
    ),
    Defect(
        name="boiling texture",
        metric="flicker.texture",
        unit="8-bit code values",
        says="rms of fine texture redrawn in every frame",
        strengths=(0.5, 1, 2, 4, 8),
        inject=boiling,
    ),
    Defect(
        name="colour flicker",
        metric="flicker.colour",
        unit="ΔE*ab",
        says="rms of a shift of hue in patches",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_colour,
    ),
    Defect(
        name="jelly",
        metric="warp",
        unit="‰ of the diagonal",
        says="rms displacement of a smooth wobble at 1.5 to 4 Hz",
        strengths=(0.5, 1, 2, 4, 8),
        inject=jelly,
    ),
    Defect(
        name="melting",
        metric="warp.shape",
        unit="‰ of the diagonal",
        says="rms displacement of the subject's surface at the last frame",
        strengths=(2.5, 5, 10, 20, 40),
        inject=melt,
    ),
    Defect(
        name="colour drift",
        metric="drift",
        unit="ΔE*ab",
        says="how far the subject's hue has moved at the last frame",
        strengths=(2.5, 5, 10, 20, 40),
        inject=drift_colour,
    ),
    Defect(
        name="identity drift",
        metric="drift.identity",
        unit="share of another subject",
        says="how much of another subject shows at the last frame",
        strengths=(0.1, 0.2, 0.4, 0.6, 0.8),
        inject=identity,
    ),
    Defect(
        name="onset gap",
        metric="drift.onset",
        unit="ΔE*ab",
        says="how far the subject's hue is from the still throughout",
        strengths=(2.5, 5, 10, 20, 40),
        inject=onset_gap,
    ),
    Defect(
        name="pulse",
        metric="flicker.global",
        unit="8-bit code values",
        says="rms of an 8 Hz pulse of the whole picture",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_pulse,
        held_out=True,
    ),
    Defect(
        name="ripple",
        metric="warp",
        unit="‰ of the diagonal",
        says="rms displacement of a wave that runs across the picture",
        strengths=(0.5, 1, 2, 4, 8),
        inject=ripple,
        held_out=True,
    ),
)


def _chances(luck: np.random.Generator, count: int) -> NDArray[np.float64]:
    """That many chances with a mean of exactly 0 and an rms of exactly 1."""
    values = luck.standard_normal(count)
    values -= values.mean()
    return values / max(float(values.std()), 1e-9)


def _smooth(luck: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """A smooth random field of that (height, width), mean 0 and rms 1."""
    field = _enlarged(luck.standard_normal(_NODES), size)
    field -= field.mean()
    return field / max(float(field.std()), 1e-6)


def _enlarged(coarse: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    field: NDArray[np.float32] = cv2.resize(
        coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC
    )
    return field


def _whole(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _added(rgb: NDArray[np.uint8], offset: NDArray[np.floating]) -> NDArray[np.uint8]:
    return _whole(rgb + offset[..., None])


def _hue(alpha: NDArray[np.uint8], angle: float) -> NDArray[np.float32]:
    """A unit shift of hue where the subject is, (height, width, 2)."""
    share = alpha.astype(np.float32) / 255
    return cv2.merge([share * math.cos(angle), share * math.sin(angle)])


def _recoloured(rgb: NDArray[np.uint8], shift: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Moved in the a, b plane of CIELAB by a (height, width, 2) shift."""
    colours = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours[..., 1:] += shift
    return _whole(cv2.cvtColor(colours, cv2.COLOR_LAB2RGB) * 255)


def _displaced(rgb: NDArray[np.uint8], field: NDArray[np.floating]) -> NDArray[np.uint8]:
    return backward_warp(rgb, field.astype(np.float32), cv2.INTER_CUBIC)
