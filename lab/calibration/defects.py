"""Injects defects of known kind and strength into clean clips.

The defects are independent of how metrics work, so the same table also tests future metrics.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.calibration.clean_clips import CleanClip
from lab.units import diagonal_px
from lab.vision import backward_warp

Frames = list[NDArray[np.uint8]]
Inject = Callable[[CleanClip, float, np.random.Generator], Frames]
_GRID = (5, 8)  # rows and columns of a random field before it is upsampled
# Code values, rms: another texture must be visible on a smooth subject, too, and stay a texture on
# one whose detail is mostly hard outlines.
_TEXTURE_CONTRAST = (6.0, 12.0)


@dataclass(frozen=True)
class Defect:
    """A kind of defect and the metric that must detect it.

    strengths: in `unit`, the weakest first. The metric must detect the middle one. description:
    what the strength measures. inject: returns the frames of a clip with the defect. held_out: no
    definition or threshold was chosen with this defect.
    """

    name: str
    metric: str
    unit: str
    description: str
    strengths: tuple[float, float, float, float, float]
    inject: Inject
    held_out: bool = False

    @property
    def middle(self) -> float:
        """The middle strength."""
        return self.strengths[2]


def flicker_global(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Add a random offset to each whole frame."""
    return [
        _add_offset(rgb, np.full(rgb.shape[:2], offset))
        for rgb, offset in zip(
            clip.frames, strength * _unit_noise(rng, len(clip.frames)), strict=True
        )
    ]


def flicker_pulse(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Let the whole picture pulse at 8 Hz, where the eye is most sensitive to flicker."""
    phase = rng.uniform(0, 2 * math.pi)
    pulse = np.sin(2 * math.pi * 8.0 * np.arange(len(clip.frames)) / clip.fps + phase)
    pulse -= pulse.mean()
    offsets = strength * pulse / max(float(pulse.std()), 1e-9)
    return [
        _add_offset(rgb, np.full(rgb.shape[:2], offset))
        for rgb, offset in zip(clip.frames, offsets, strict=True)
    ]


def flicker_local(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Lighten and darken patches of about a sixth of the frame independently in each frame."""
    size = clip.frames[0].shape[:2]
    return [_add_offset(rgb, strength * _smooth_noise(rng, size)) for rgb in clip.frames]


def boiling(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Add fine random texture, new in each frame and strongest where the picture has texture."""
    frames = []
    for rgb in clip.frames:
        height = rgb.shape[0]
        noise = rng.standard_normal(rgb.shape[:2]).astype(np.float32)
        band = cv2.GaussianBlur(noise, (0, 0), height / 240) - cv2.GaussianBlur(
            noise, (0, 0), height / 100
        )
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        detail = cv2.blur(cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 3)), (15, 15))
        band *= 0.3 + detail / max(float(detail.mean()), 1e-6)
        frames.append(_add_offset(rgb, strength * band / max(float(band.std()), 1e-6)))
    return frames


def flicker_colour(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Shift the hue of patches at random in each frame, at constant lightness."""
    size = clip.frames[0].shape[:2]
    frames = []
    for rgb in clip.frames:
        axes = [_smooth_noise(rng, size) for _ in range(2)]
        frames.append(_shift_lab(rgb, strength * np.stack(axes, axis=-1) / math.sqrt(2)))
    return frames


def jelly(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Let the picture wobble like jelly, each region at its own 1.5 to 4 Hz."""
    height, width = clip.frames[0].shape[:2]
    shape = (4, *_GRID)
    hertz, phase = rng.uniform(1.5, 4, shape), rng.uniform(0, 2 * math.pi, shape)
    amplitude_px = strength / 1000 * diagonal_px(width, height)
    frames = []
    for index, rgb in enumerate(clip.frames):
        waves = np.sin(2 * math.pi * hertz * index / clip.fps + phase)
        axes = (waves[0] + waves[1], waves[2] + waves[3])
        field = np.stack([_upsample(axis, (height, width)) for axis in axes], axis=-1)
        frames.append(_displace(rgb, amplitude_px * field / 1.2))
    return frames


def ripple(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Send a transverse wave across the picture: 2 Hz, a third of the height long."""
    height, width = clip.frames[0].shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = (x * math.cos(angle) + y * math.sin(angle)) / (height / 3)
    amplitude_px = strength / 1000 * diagonal_px(width, height) * math.sqrt(2)
    across = np.array([-math.sin(angle), math.cos(angle)], np.float32)
    return [
        _displace(
            rgb,
            amplitude_px * np.sin(2 * math.pi * (along - 2 * index / clip.fps))[..., None] * across,
        )
        for index, rgb in enumerate(clip.frames)
    ]


def melt(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Deform the subject, from nothing at the first frame to the full amount at the last."""
    height, width = clip.frames[0].shape[:2]
    axes = [_smooth_noise(rng, (height, width)) for _ in range(2)]
    field = np.stack(axes, axis=-1) / math.sqrt(2)
    amplitude_px = strength / 1000 * diagonal_px(width, height)
    frames = []
    for index, (rgb, alpha) in enumerate(zip(clip.frames, clip.alphas, strict=True)):
        share = index / max(len(clip.frames) - 1, 1)
        hidden = _hidden(clip, index)
        whole = alpha.astype(np.float32) / 255 + hidden
        soft = cv2.GaussianBlur(whole, (0, 0), height / 60) * (1 - hidden)
        here = _on_surface(clip, field, index)
        frames.append(_displace(rgb, share * amplitude_px * here * soft[..., None]))
    return frames


def drift_colour(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Shift the hue of the subject in proportion to time."""
    angle = rng.uniform(0, 2 * math.pi)
    frames = []
    for index, (rgb, alpha) in enumerate(zip(clip.frames, clip.alphas, strict=True)):
        share = strength * index / max(len(clip.frames) - 1, 1)
        frames.append(_shift_lab(rgb, share * _hue_shift(alpha, angle)))
    return frames


def onset_gap(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Give the subject another hue than in the still, the same in all frames."""
    angle = rng.uniform(0, 2 * math.pi)
    return [
        _shift_lab(rgb, strength * _hue_shift(alpha, angle))
        for rgb, alpha in zip(clip.frames, clip.alphas, strict=True)
    ]


def identity(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Blend the subject gradually into another one of the same mean colour.

    strength: the weight of the other subject at the last frame, 0..1.
    """
    return _blended_into_other(clip, [strength] * len(clip.frames))


def identity_part(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Blend a third of the subject, on one side of it, gradually into another subject.

    strength: the weight of the other subject at the last frame, 0..1.
    """
    angle = rng.uniform(0, 2 * math.pi)
    if clip.still_points is None:
        return _blended_into_other(
            clip, [strength * _one_side(alpha, angle) for alpha in clip.alphas]
        )
    side = _one_side(clip.alphas[0], angle)
    return _blended_into_other(
        clip, [strength * _on_surface(clip, side, index) for index in range(len(clip.frames))]
    )


def drift_texture(clip: CleanClip, strength: float, rng: np.random.Generator) -> Frames:
    """Replace the texture of the subject gradually by another one of the same local mean colour.

    strength: the share of the other texture at the last frame, 0..1.
    """
    height = clip.frames[0].shape[0]
    sigma = height / 40
    *_, across, down = cv2.boundingRect((clip.alphas[0] > 127).astype(np.uint8))
    noise = rng.standard_normal((max(down, 1), max(across, 1))).astype(np.float32)
    other = cv2.GaussianBlur(noise, (0, 0), height / 240) - cv2.GaussianBlur(
        noise, (0, 0), height / 80
    )
    own = _detail(clip.frames[0], clip.alphas[0], sigma)[clip.alphas[0] > 127]
    contrast = np.clip(float(own.std()) if len(own) else 0.0, *_TEXTURE_CONTRAST)
    other *= contrast / max(float(other.std()), 1e-6)
    frames = []
    for index, (rgb, alpha) in enumerate(zip(clip.frames, clip.alphas, strict=True)):
        drawn, cover = _over_subject(clip, other, index)
        share = strength * index / max(len(clip.frames) - 1, 1)
        weight = share * cover * (alpha.astype(np.float32) / 255)
        change = drawn[..., None] - _detail(rgb, alpha, sigma)
        frames.append(_to_uint8(rgb.astype(np.float32) + weight[..., None] * change))
    return frames


DEFECTS: tuple[Defect, ...] = (
    Defect(
        name="global flicker",
        metric="flicker.global",
        unit="8-bit code values",
        description="rms of the offset of each frame",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_global,
    ),
    Defect(
        name="local flicker",
        metric="flicker.local",
        unit="8-bit code values",
        description="rms of the offset of patches, about a sixth of the frame each",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_local,
    ),
    Defect(
        name="boiling texture",
        metric="flicker.texture",
        unit="8-bit code values",
        description="rms of fine texture that is new in each frame",
        strengths=(0.5, 1, 2, 4, 8),
        inject=boiling,
    ),
    Defect(
        name="colour flicker",
        metric="flicker.colour",
        unit="ΔE*ab",
        description="rms of the hue shift of patches",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_colour,
    ),
    Defect(
        name="jelly",
        metric="warp",
        unit="‰ of the diagonal",
        description="rms displacement of a smooth wobble at 1.5 to 4 Hz",
        strengths=(0.5, 1, 2, 4, 8),
        inject=jelly,
    ),
    Defect(
        name="melting",
        metric="warp.shape",
        unit="‰ of the diagonal",
        description="rms displacement of the subject's surface at the last frame",
        strengths=(2.5, 5, 10, 20, 40),
        inject=melt,
    ),
    Defect(
        name="colour drift",
        metric="drift",
        unit="ΔE*ab",
        description="hue shift of the subject at the last frame",
        strengths=(2.5, 5, 10, 20, 40),
        inject=drift_colour,
    ),
    Defect(
        name="identity drift",
        metric="drift",
        unit="share of another subject",
        description="weight of another subject at the last frame",
        strengths=(0.1, 0.2, 0.4, 0.6, 0.8),
        inject=identity,
    ),
    Defect(
        name="partial identity drift",
        metric="drift",
        unit="share of another subject",
        description="weight of another subject at the last frame, in a third of the subject",
        strengths=(0.2, 0.4, 0.6, 0.8, 1.0),
        inject=identity_part,
    ),
    Defect(
        name="texture drift",
        metric="drift",
        unit="share of another texture",
        description="weight of another texture at the last frame, at the same local mean colour",
        strengths=(0.1, 0.2, 0.4, 0.7, 1.0),
        inject=drift_texture,
    ),
    Defect(
        name="onset gap",
        metric="drift.onset",
        unit="ΔE*ab",
        description="hue shift of the subject against the still in all frames",
        strengths=(2.5, 5, 10, 20, 40),
        inject=onset_gap,
    ),
    Defect(
        name="pulse",
        metric="flicker.global",
        unit="8-bit code values",
        description="rms of an 8 Hz pulse of the whole frame",
        strengths=(0.5, 1, 2, 4, 8),
        inject=flicker_pulse,
        held_out=True,
    ),
    Defect(
        name="ripple",
        metric="warp",
        unit="‰ of the diagonal",
        description="rms displacement by a travelling wave",
        strengths=(0.5, 1, 2, 4, 8),
        inject=ripple,
        held_out=True,
    ),
)


def _unit_noise(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Gaussian noise, normalised to mean 0 and rms 1."""
    values = rng.standard_normal(count)
    values -= values.mean()
    return values / max(float(values.std()), 1e-9)


def _smooth_noise(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """A smooth random field with mean 0 and rms 1. size: (height, width)."""
    field = _upsample(rng.standard_normal(_GRID), size)
    field -= field.mean()
    return field / max(float(field.std()), 1e-6)


def _upsample(coarse: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    field: NDArray[np.float32] = cv2.resize(
        coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC
    )
    return field


def _to_uint8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _add_offset(rgb: NDArray[np.uint8], offset: NDArray[np.floating]) -> NDArray[np.uint8]:
    return _to_uint8(rgb + offset[..., None])


def _hue_shift(alpha: NDArray[np.uint8], angle: float) -> NDArray[np.float32]:
    """A shift in the a, b plane, of length 1 inside the subject, 0 outside: (height, width, 2)."""
    share = alpha.astype(np.float32) / 255
    return cv2.merge([share * math.cos(angle), share * math.sin(angle)])


def _shift_lab(rgb: NDArray[np.uint8], shift: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Shift a picture in the a, b plane of CIELAB. shift: (height, width, 2)."""
    colours = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours[..., 1:] += shift
    return _to_uint8(cv2.cvtColor(colours, cv2.COLOR_LAB2RGB) * 255)


def _on_surface(clip: CleanClip, field: NDArray[np.floating], index: int) -> NDArray[np.float32]:
    """A field over the still as it lies on the subject in a frame; unmoved if that is unknown."""
    values = field.astype(np.float32)
    if clip.still_points is None:
        return values
    moved: NDArray[np.float32] = cv2.remap(
        values, clip.still_points(index), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return moved


def _hidden(clip: CleanClip, index: int) -> NDArray[np.float32]:
    """How much something in front hides the subject at each pixel, 0..1; 0 if that is unknown."""
    alpha = clip.alphas[index].astype(np.float32)
    if clip.still_points is None:
        return np.zeros_like(alpha)
    whole = cv2.remap(clip.alphas[0], clip.still_points(index), None, cv2.INTER_LINEAR)
    hidden: NDArray[np.float32] = np.clip((whole - alpha) / 255, 0, 1)
    return hidden


def _over_subject(
    clip: CleanClip, picture: NDArray[Any], index: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A picture, stretched over the subject, as a frame shows it; and 1 where it was drawn, else 0.

    It is stretched over the subject's box in the still and sticks to its surface. If the surface is
    unknown, it is stretched over the box in the frame.
    """
    height, width = clip.frames[index].shape[:2]
    known = clip.still_points is not None
    mask = (clip.alphas[0 if known else index] > 127).astype(np.uint8)
    left, top, across, down = cv2.boundingRect(mask)
    drawn = np.zeros((height, width, *picture.shape[2:]), np.float32)
    cover = np.zeros((height, width), np.float32)
    if not across:
        return drawn, cover
    stretched = cv2.resize(picture, (across, down), interpolation=cv2.INTER_AREA)
    if clip.still_points is not None:
        points = clip.still_points(index) - np.array([left, top], np.float32)
        drawn = cv2.remap(
            stretched, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        ).astype(np.float32)
        return drawn, cover + 1
    box = np.s_[top : top + down, left : left + across]
    drawn[box] = stretched
    cover[box] = 1
    return drawn, cover


def _blended_into_other(clip: CleanClip, shares: Sequence[float | NDArray[np.float32]]) -> Frames:
    """Blend the subject into the other picture in its mean colour, more and more with time.

    shares: for each frame, the weight if it were the last, a number or (h, w).
    """
    frames: Frames = []
    shift: NDArray[np.float32] | None = None
    for index, (rgb, alpha) in enumerate(zip(clip.frames, clip.alphas, strict=True)):
        drawn, cover = _over_subject(clip, clip.other, index)
        subject, inside = rgb.astype(np.float32), (alpha > 127) & (cover > 0)
        # On a known surface the colour is fixed in the still, whatever part is hidden later.
        if inside.any() and (shift is None or clip.still_points is None):
            shift = subject[inside].mean(axis=0) - drawn[inside].mean(axis=0)
        if shift is None:
            frames.append(rgb)
            continue
        share = shares[index] * index / max(len(clip.frames) - 1, 1)
        weight = (share * cover * (alpha.astype(np.float32) / 255))[..., None]
        frames.append(_to_uint8(subject * (1 - weight) + (drawn + shift) * weight))
    return frames


def _one_side(alpha: NDArray[np.uint8], angle: float) -> NDArray[np.float32]:
    """1 on the third of the subject that lies farthest in a direction, 0 elsewhere: (h, w).

    Its border is soft, so that it is no edge of its own.
    """
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = x * math.cos(angle) + y * math.sin(angle)
    inside = alpha > 127
    if not inside.any():
        return np.zeros((height, width), np.float32)
    border = float(np.quantile(along[inside], 2 / 3))
    side: NDArray[np.float32] = np.clip((along - border) / (height / 60) + 0.5, 0, 1)
    return side


def _detail(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    """What the subject has besides its local mean colour: (h, w, 3).

    Nothing leaks in from outside it.
    """
    share = (alpha.astype(np.float32) / 255)[..., None]
    weighted = cv2.GaussianBlur(np.dstack([rgb * share, share]), (0, 0), sigma)
    detail: NDArray[np.float32] = rgb - weighted[..., :3] / np.maximum(weighted[..., 3:], 1e-3)
    return detail


def _displace(rgb: NDArray[np.uint8], field: NDArray[np.floating]) -> NDArray[np.uint8]:
    return backward_warp(rgb, field.astype(np.float32), cv2.INTER_CUBIC)
