"""Add named defects of known strength to clean frames."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.units import diagonal_px
from lab.vision import backward_warp

_WARP_HZ = 6.0  # how often the warp field takes a new random shape
_PATCHES = (4, 6)  # rows and columns of independent patches in a local field
_UPSAMPLING_GAIN = 0.89  # rms of a patch field after cubic upsampling, relative to before


@dataclass(frozen=True)
class Defects:
    """The strength of each defect. All zero means a clean clip. The first frame stays clean.

    flicker_dn: rms change of brightness, in 8-bit code values; half of its power is global, half
        in patches.
    drift_de: change of the subject's colour at the last frame, in CIELAB units (ΔE*ab); it grows
        linearly with time.
    warp_permille: rms displacement by a smooth warp, in per mille of the frame diagonal.
    """

    flicker_dn: float = 0.0
    drift_de: float = 0.0
    warp_permille: float = 0.0

    @property
    def is_clean(self) -> bool:
        """True when every strength is zero."""
        return not (self.flicker_dn or self.drift_de or self.warp_permille)

    def apply(
        self,
        rgb: NDArray[np.uint8],
        subject_alpha: NDArray[np.uint8],
        *,
        index: int,
        frames: int,
        fps: float,
        seed: int,
    ) -> NDArray[np.uint8]:
        """Return frame `index` with the defects. subject_alpha: (height, width) uint8."""
        if index == 0 or self.is_clean:
            return rgb
        if self.drift_de:
            rgb = _drift_colour(
                rgb, subject_alpha, self.drift_de * index / max(frames - 1, 1), seed
            )
        if self.warp_permille:
            rgb = _warp(rgb, self.warp_permille, index / fps, seed)
        if self.flicker_dn:
            rgb = _flicker(rgb, self.flicker_dn, index, seed)
        return rgb


def _patch_noise(seed: list[int]) -> NDArray[np.float32]:
    """Independent patches, with rms 1 after `_upsample`."""
    noise = np.random.default_rng(seed).standard_normal(_PATCHES).astype(np.float32)
    return noise / max(float(np.sqrt((noise**2).mean())) * _UPSAMPLING_GAIN, 1e-6)


def _upsample(coarse: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Enlarge patches to a smooth field of size (height, width)."""
    field: NDArray[np.float32] = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return field


def _flicker(rgb: NDArray[np.uint8], sigma_dn: float, index: int, seed: int) -> NDArray[np.uint8]:
    global_noise = np.random.default_rng([seed, 4, index]).standard_normal()
    coarse = sigma_dn / math.sqrt(2) * (global_noise + _patch_noise([seed, 5, index]))
    field = _upsample(coarse.astype(np.float32), rgb.shape[:2])
    # uint8 is unsigned: add the positive part and subtract the negative part separately.
    up, down = (cv2.max(part, 0).round().astype(np.uint8) for part in (field, -field))
    return cv2.subtract(cv2.add(rgb, cv2.merge([up] * 3)), cv2.merge([down] * 3))


def _drift_colour(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], shift_de: float, seed: int
) -> NDArray[np.uint8]:
    """Shift the subject's colour by `shift_de` in a random direction of the a*b* plane."""
    left, top, width, height = cv2.boundingRect(alpha)
    if not width:
        return rgb
    box = np.s_[top : top + height, left : left + width]
    # Half resolution is enough: the shift is smooth and only a few code values large.
    half = ((width + 1) // 2, (height + 1) // 2)
    small, alpha_small = (
        cv2.resize(values[box], half, interpolation=cv2.INTER_AREA) for values in (rgb, alpha)
    )
    angle = np.random.default_rng([seed, 6]).uniform(0, 2 * math.pi)
    lightness, *ab = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    for axis, component in enumerate((math.cos(angle), math.sin(angle))):
        step = cv2.convertScaleAbs(alpha_small, alpha=shift_de / 255 * abs(component))
        ab[axis] = cv2.add(ab[axis], step) if component > 0 else cv2.subtract(ab[axis], step)
    shifted = cv2.cvtColor(cv2.merge([lightness, *ab]), cv2.COLOR_LAB2RGB)
    up, down = (
        cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR)
        for change in (cv2.subtract(shifted, small), cv2.subtract(small, shifted))
    )
    drifted = rgb.copy()
    # Mask with the subject: the round trip through 8-bit CIELAB changes other pixels slightly.
    cv2.copyTo(cv2.subtract(cv2.add(rgb[box], up), down), alpha[box], drifted[box])
    return drifted


def _warp(rgb: NDArray[np.uint8], permille: float, time_s: float, seed: int) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    keyframe, phase = divmod(time_s * _WARP_HZ, 1.0)
    # Cross-fade with weights whose squares sum to one, which keeps the rms constant.
    weights = (math.cos(phase * math.pi / 2), math.sin(phase * math.pi / 2))
    axis_rms_px = permille / 1000 * diagonal_px(width, height) / math.sqrt(2)
    axes = [
        sum(
            weight * _patch_noise([seed, 7, axis, int(keyframe) + offset])
            for offset, weight in enumerate(weights)
        )
        for axis in range(2)
    ]
    field = _upsample((np.stack(axes, axis=-1) * axis_rms_px).astype(np.float32), (height, width))
    return backward_warp(rgb, field)
