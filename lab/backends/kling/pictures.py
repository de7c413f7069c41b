"""A still as it is sent: cut to the shot's ratio, upright, opaque, small, without metadata."""

import base64
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import open_image, write_image
from lab.stills import Crop, Still, framing
from lab.units import RATIOS, bytes_text
from lab.vision import subject_mask

RATIO_TOLERANCE = 0.01
_JPEG_QUALITY = 95
# The subject is looked for on a small copy: its place is all that is needed, at any size.
_SUBJECT_SIDE_PX = 1024
_KEPT = 8
_KEPT_CHARS = 200_000_000


@dataclass(frozen=True)
class Picture:
    """A picture ready to be sent.

    text: its bytes in base64. notes: what was done to the still, in words.
    """

    text: str = field(repr=False)
    width_px: int
    height_px: int
    notes: tuple[str, ...]


def sent_size(still: Still, aspect_ratio: str) -> tuple[int, int]:
    """Width and height in pixels of what is cut out of a still. Looks at no pixel."""
    ratio = RATIOS[aspect_ratio]
    if _is_near(still.width_px, still.height_px, ratio):
        return still.width_px, still.height_px
    return _exact_size(still.width_px, still.height_px, ratio)


def is_cut(still: Still, aspect_ratio: str) -> bool:
    """The still's own ratio is not the shot's, so a part of it is lost."""
    return not _is_near(still.width_px, still.height_px, RATIOS[aspect_ratio])


class Pictures:
    """Makes pictures and keeps the last few, for the many takes of one still.

    Safe to share between threads; two that ask for the same picture wait for one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str | None, int], Picture] = OrderedDict()

    def picture(self, still: Still, aspect_ratio: str | None, most_bytes: int) -> Picture:
        """The picture of a still in at most that many bytes; whole, where there is no ratio.

        Raises StillError as `open_image`.
        """
        key = (still.sha256, aspect_ratio, most_bytes)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _made(still, aspect_ratio, most_bytes)
            self._kept.move_to_end(key)
            made = self._kept[key]
            while len(self._kept) > _KEPT or (
                len(self._kept) > 1
                and sum(len(kept.text) for kept in self._kept.values()) > _KEPT_CHARS
            ):
                self._kept.popitem(last=False)
            return made


def _made(still: Still, aspect_ratio: str | None, most_bytes: int) -> Picture:
    opened = open_image(still.path)
    notes = [*opened.changes]
    rgb, ratio = opened.rgb, None if aspect_ratio is None else RATIOS[aspect_ratio]
    height, width = rgb.shape[:2]
    if ratio is not None and not _is_near(width, height, ratio):
        crop, how = _around_subject(rgb, ratio)
        rgb = np.ascontiguousarray(crop.of(rgb))
        notes.append(
            f"cut from {width}x{height} to {crop.width}x{crop.height} px at {crop.left},{crop.top} "
            f"around {how}, as the clip takes its picture's ratio"
        )
    data, size, how_encoded = _encoded(rgb, most_bytes)
    notes += [*how_encoded, "sent without its metadata"]
    return Picture(base64.b64encode(data).decode(), *size, tuple(notes))


def _is_near(width: int, height: int, ratio: Fraction) -> bool:
    return abs(width / height / float(ratio) - 1) <= RATIO_TOLERANCE


def _around_subject(rgb: NDArray[np.uint8], ratio: Fraction) -> tuple[Crop, str]:
    height, width = rgb.shape[:2]
    scale = min(1.0, _SUBJECT_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = rgb if scale == 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    mask = subject_mask(small)
    found = framing(mask.alpha, ratio)
    cut_width, cut_height = _exact_size(width, height, ratio)
    left = round((found.left + found.width / 2) / size[0] * width - cut_width / 2)
    top = round((found.top + found.height / 2) / size[1] * height - cut_height / 2)
    crop = Crop(
        left=min(max(left, 0), width - cut_width),
        top=min(max(top, 0), height - cut_height),
        width=cut_width,
        height=cut_height,
    )
    return crop, "its subject" if mask.measured else f"its middle ({mask.note})"


def _exact_size(width: int, height: int, ratio: Fraction) -> tuple[int, int]:
    """The largest size of exactly that ratio: a clip that follows it has no odd pixels."""
    times = max(1, min(width // ratio.numerator, height // ratio.denominator))
    return times * ratio.numerator, times * ratio.denominator


def _encoded(
    rgb: NDArray[np.uint8], most_bytes: int
) -> tuple[bytes, tuple[int, int], tuple[str, ...]]:
    """PNG where it fits, else JPEG, made smaller only where even that does not fit."""
    height, width = rgb.shape[:2]
    size = (width, height)
    data = _as_file(rgb, ".png")
    if len(data) <= most_bytes:
        return data, size, ()
    said = f"sent as JPEG, as a PNG would exceed {bytes_text(most_bytes)}"
    data, share = _as_file(rgb, ".jpg"), 1.0
    while len(data) > most_bytes:
        share *= min(0.9, 0.95 * (most_bytes / len(data)) ** 0.5)
        size = (max(1, round(width * share)), max(1, round(height * share)))
        data = _as_file(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), ".jpg")
    smaller = () if share == 1 else (f"made smaller, {size[0]}x{size[1]} px, to fit",)
    return data, size, (said, *smaller)


def _as_file(rgb: NDArray[np.uint8], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{suffix}"
        write_image(path, rgb, quality=_JPEG_QUALITY)
        return path.read_bytes()
