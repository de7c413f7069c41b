"""Colours as a player shows them: HDR and wide colours become sRGB.

A player shows other clips as they are: between BT.709 and sRGB, nobody converts the curve.
"""

from functools import cache

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from numpy.typing import NDArray

WHITE_NITS = 203.0
"""White of graphics and of SDR clips in HDR ones (Report ITU-R BT.2408)."""
_KNEE = 0.9
"""Up to this share of white nothing changes; brighter places approach white. It takes 1 % from a
white of 203 nits."""
_HD_HEIGHT_PX = 720
"""Chromium reads untagged clips from this height on as BT.709, smaller ones as BT.601 (since its
revision 338110)."""
_CODES = 4096  # of linear light, before it becomes 8 bits
# By the numbers of ITU-T H.273. A file may have any, so a picture's is never made a PyAV enum.
_UNTAGGED = 2
_HDR: dict[int, str] = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}
_WIDE: dict[int, str] = {ColorPrimaries.BT2020: "BT.2020", ColorPrimaries.SMPTE432: "Display P3"}
# Linear light to BT.709, both with a white of D65 (BT.2087; SMPTE EG 432-1).
_TO_BT709: dict[int, tuple[tuple[float, float, float], ...]] = {
    ColorPrimaries.BT2020: (
        (1.660491, -0.587641, -0.072850),
        (-0.124550, 1.132900, -0.008349),
        (-0.018151, -0.100579, 1.118730),
    ),
    ColorPrimaries.SMPTE432: (
        (1.224940, -0.224940, 0.0),
        (-0.042057, 1.042057, 0.0),
        (-0.019638, -0.078636, 1.098274),
    ),
}


def source_matrix(picture: VideoFrame) -> Colorspace | None:
    """The matrix to read an untagged picture with; None to follow its tag."""
    if picture.colorspace != _UNTAGGED or picture.height < _HD_HEIGHT_PX:
        return None
    return Colorspace.ITU709


def needs_conversion(picture: VideoFrame) -> bool:
    """True if the pixels of a picture are HDR or of wide colours."""
    return picture.color_trc in _HDR or picture.color_primaries in _WIDE


def remark(picture: VideoFrame) -> str:
    """What is done to the colours of a picture; "" if nothing."""
    if picture.color_trc in _HDR:
        return f"HDR ({_HDR[picture.color_trc]}) is tone-mapped to SDR"
    if picture.color_primaries in _WIDE:
        return f"{_WIDE[picture.color_primaries]} is converted to sRGB"
    if source_matrix(picture) is not None and picture.format.name.startswith("yuv"):
        return "its colours are not tagged; read as BT.709, as players do"
    return ""


def as_srgb(rgb: NDArray[np.uint16], picture: VideoFrame) -> NDArray[np.uint8]:
    """Pixels with the tags of a picture, (h, w, 3) in 0..65535, as sRGB in 0..255."""
    light = _light(picture.color_trc)[rgb]
    if picture.color_trc == ColorTrc.ARIB_STD_B67:
        light = _on_screen(light)
    to_bt709 = _TO_BT709.get(picture.color_primaries)
    if to_bt709 is not None:
        light = cv2.transform(light, np.array(to_bt709, np.float32))
    light = np.maximum(light, 0)
    if picture.color_trc in _HDR:
        brightest = light.max(axis=2, keepdims=True)
        light *= _rolled_off(brightest) / np.maximum(brightest, np.float32(1e-6))
    codes = np.minimum(light * (_CODES - 1) + 0.5, _CODES - 1).astype(np.uint16)
    shown: NDArray[np.uint8] = _srgb_codes()[codes]
    return shown


def _rolled_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Identical up to the knee, below 1 above it."""
    above = np.maximum(light - _KNEE, 0)
    shoulder = (1 - _KNEE) * np.tanh(above / (1 - _KNEE))
    rolled: NDArray[np.float32] = (np.minimum(light, _KNEE) + shoulder).astype(np.float32)
    return rolled


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Light for each 16-bit code, 1 for white; for HLG that of the scene, in 0..1."""
    signal = np.linspace(0, 1, 65536)
    if transfer == ColorTrc.SMPTE2084:  # Recommendation ITU-R BT.2100, table 4
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        root = signal ** (1 / m2)
        light = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / WHITE_NITS
    elif transfer == ColorTrc.ARIB_STD_B67:  # the same, table 5
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    else:
        return srgb_light(signal)
    return light.astype(np.float32)


def srgb_light(signal: NDArray[np.floating]) -> NDArray[np.float32]:
    """Light of an sRGB signal, both 0..1 (IEC 61966-2-1)."""
    light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _on_screen(scene: NDArray[np.float32]) -> NDArray[np.float32]:
    """HLG's scene light on a screen of 1000 nits, 1 for white (BT.2100, table 5)."""
    luminance = scene @ np.array((0.2627, 0.6780, 0.0593), np.float32)
    shown: NDArray[np.float32] = scene * luminance[..., None] ** np.float32(0.2)
    return shown * np.float32(1000 / WHITE_NITS)


@cache
def _srgb_codes() -> NDArray[np.uint8]:
    """The sRGB code of each step of linear light."""
    light = np.linspace(0, 1, _CODES)
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * signal).astype(np.uint8)
