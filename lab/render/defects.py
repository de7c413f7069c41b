"""Named defects of known strength, added to clean frames on purpose."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.units import diagonal_px
from lab.vision import backward_warp

_WARP_HZ = 6.0  # how often the wobble takes a new shape
_PATCHES = (4, 6)  # rows and columns of independent patches in a local field
_ENLARGING_LOSS = 0.89  # rms of a patch field after cubic enlarging, as a share of its own


@dataclass(frozen=True)
class Defects:
    """How strong each defect is; all zero is a clean clip. The first frame is never touched.

    flicker_dn: rms departure of brightness from the clean frame, in 8-bit code values; half of its
        power is global, half in patches.
    drift_de: how far the subject's colour has moved at the last frame, in CIELAB units (ΔE*ab); it
        grows in proportion to time.
    warp_permille: rms displacement of a smooth wobble, in per mille of the frame diagonal.
    """

    flicker_dn: float = 0.0
    drift_de: float = 0.0
    warp_permille: float = 0.0

    @property
    def none(self) -> bool:
        """True for a clean clip."""
        return not (self.flicker_dn or self.drift_de or self.warp_permille)

    def applied(
        self,
        rgb: NDArray[np.uint8],
        subject_alpha: NDArray[np.uint8],
        *,
        index: int,
        frames: int,
        fps: float,
        seed: int,
    ) -> NDArray[np.uint8]:
        """The frame with its share of every defect. subject_alpha: (height, width) uint8."""
        if index == 0 or self.none:
            return rgb
        if self.drift_de:
            rgb = _drifted(rgb, subject_alpha, self.drift_de * index / max(frames - 1, 1), seed)
        if self.warp_permille:
            rgb = _wobbled(rgb, self.warp_permille, index / fps, seed)
        if self.flicker_dn:
            rgb = _flickered(rgb, self.flicker_dn, index, seed)
        return rgb


def _coarse(seed: list[int]) -> NDArray[np.float32]:
    """Independent patches of mean square 1 once enlarged by `_enlarged`."""
    luck = np.random.default_rng(seed).standard_normal(_PATCHES).astype(np.float32)
    return luck / max(float(np.sqrt((luck**2).mean())) * _ENLARGING_LOSS, 1e-6)


def _enlarged(coarse: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A smooth field of that (height, width)."""
    field: NDArray[np.float32] = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return field


def _flickered(rgb: NDArray[np.uint8], sigma_dn: float, index: int, seed: int) -> NDArray[np.uint8]:
    luck = np.random.default_rng([seed, 4, index]).standard_normal()
    coarse = sigma_dn / math.sqrt(2) * (luck + _coarse([seed, 5, index]))
    field = _enlarged(coarse.astype(np.float32), rgb.shape[:2])
    # Whole code values, up and down apart: the pixels are whole, so nothing is lost by it.
    up, down = (cv2.max(side, 0).round().astype(np.uint8) for side in (field, -field))
    return cv2.subtract(cv2.add(rgb, cv2.merge([up] * 3)), cv2.merge([down] * 3))


def _drifted(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], moved_de: float, seed: int
) -> NDArray[np.uint8]:
    """Colour in the subject moved by that much in a direction of the a, b plane."""
    left, top, width, height = cv2.boundingRect(alpha)
    if not width:
        return rgb
    box = np.s_[top : top + height, left : left + width]
    # The shift is found on every second pixel and enlarged: it is a few code values and smooth.
    half = ((width + 1) // 2, (height + 1) // 2)
    small, share = (
        cv2.resize(values[box], half, interpolation=cv2.INTER_AREA) for values in (rgb, alpha)
    )
    turn = np.random.default_rng([seed, 6]).uniform(0, 2 * math.pi)
    lightness, *ab = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    for axis, reach in enumerate((math.cos(turn), math.sin(turn))):
        step = cv2.convertScaleAbs(share, alpha=moved_de / 255 * abs(reach))
        ab[axis] = cv2.add(ab[axis], step) if reach > 0 else cv2.subtract(ab[axis], step)
    shifted = cv2.cvtColor(cv2.merge([lightness, *ab]), cv2.COLOR_LAB2RGB)
    up, down = (
        cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR)
        for change in (cv2.subtract(shifted, small), cv2.subtract(small, shifted))
    )
    moved = rgb.copy()
    # Only where there is subject: a trip through 8-bit CIELAB changes the ground by a code value.
    cv2.copyTo(cv2.subtract(cv2.add(rgb[box], up), down), alpha[box], moved[box])
    return moved


def _wobbled(
    rgb: NDArray[np.uint8], permille: float, time_s: float, seed: int
) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    key, between = divmod(time_s * _WARP_HZ, 1.0)
    # Between two shapes, weights whose squares add up to one keep the strength steady.
    shares = (math.cos(between * math.pi / 2), math.sin(between * math.pi / 2))
    each = permille / 1000 * diagonal_px(width, height) / math.sqrt(2)
    axes = [
        sum(share * _coarse([seed, 7, axis, int(key) + step]) for step, share in enumerate(shares))
        for axis in range(2)
    ]
    field = _enlarged((np.stack(axes, axis=-1) * each).astype(np.float32), (height, width))
    return backward_warp(rgb, field)
