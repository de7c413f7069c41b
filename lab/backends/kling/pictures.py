"""Encode a still for a request: cropped to the shot's ratio, upright, opaque, without metadata."""

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
# The subject is located on a copy of this size. Only its position is needed.
_SUBJECT_SIDE_PX = 1024
_MAX_CACHED = 8
_MAX_CACHED_CHARS = 200_000_000


@dataclass(frozen=True)
class EncodedPicture:
    """A picture that is encoded for a request.

    base64: the file's bytes. notes: how it differs from the still, in words.
    """

    base64: str = field(repr=False)
    width_px: int
    height_px: int
    notes: tuple[str, ...]


def sent_size(still: Still, aspect_ratio: str) -> tuple[int, int]:
    """Width and height in pixels of the crop of a still. Reads no pixel."""
    ratio = RATIOS[aspect_ratio]
    if _has_ratio(still.width_px, still.height_px, ratio):
        return still.width_px, still.height_px
    return _exact_size(still.width_px, still.height_px, ratio)


def is_cropped(still: Still, aspect_ratio: str) -> bool:
    """True if the still does not have the shot's ratio and must therefore be cropped."""
    return not _has_ratio(still.width_px, still.height_px, RATIOS[aspect_ratio])


class PictureCache:
    """Encodes stills and caches the last few, because many takes use the same still.

    Safe to share between threads. Only one thread encodes at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, str | None, int], EncodedPicture] = OrderedDict()

    def encode(self, still: Still, aspect_ratio: str | None, max_bytes: int) -> EncodedPicture:
        """The still as a file of at most max_bytes; aspect_ratio None: without cropping.

        Raises StillError like `open_image`.
        """
        key = (still.sha256, aspect_ratio, max_bytes)
        with self._lock:
            if key not in self._cache:
                self._cache[key] = _encode(still, aspect_ratio, max_bytes)
            self._cache.move_to_end(key)
            picture = self._cache[key]
            while len(self._cache) > _MAX_CACHED or (
                len(self._cache) > 1
                and sum(len(each.base64) for each in self._cache.values()) > _MAX_CACHED_CHARS
            ):
                self._cache.popitem(last=False)
            return picture


def _encode(still: Still, aspect_ratio: str | None, max_bytes: int) -> EncodedPicture:
    opened = open_image(still.path)
    notes = [*opened.changes]
    rgb, ratio = opened.rgb, None if aspect_ratio is None else RATIOS[aspect_ratio]
    height, width = rgb.shape[:2]
    if ratio is not None and not _has_ratio(width, height, ratio):
        crop, anchor = _crop_around_subject(rgb, ratio)
        rgb = np.ascontiguousarray(crop.of(rgb))
        notes.append(
            f"cropped from {width}x{height} to {crop.width}x{crop.height} px at "
            f"{crop.left},{crop.top} around {anchor}, because a clip gets the aspect "
            "ratio of the picture that is sent"
        )
    data, size, encoding_notes = _compress(rgb, max_bytes)
    notes += [*encoding_notes, "sent without its metadata"]
    return EncodedPicture(base64.b64encode(data).decode(), *size, tuple(notes))


def _has_ratio(width: int, height: int, ratio: Fraction) -> bool:
    return abs(width / height / float(ratio) - 1) <= RATIO_TOLERANCE


def _crop_around_subject(rgb: NDArray[np.uint8], ratio: Fraction) -> tuple[Crop, str]:
    """The largest crop of that ratio, and what it is centred on, in words."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _SUBJECT_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = rgb if scale == 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    mask = subject_mask(small)
    framed = framing(mask.alpha, ratio)
    crop_width, crop_height = _exact_size(width, height, ratio)
    left = round((framed.left + framed.width / 2) / size[0] * width - crop_width / 2)
    top = round((framed.top + framed.height / 2) / size[1] * height - crop_height / 2)
    crop = Crop(
        left=min(max(left, 0), width - crop_width),
        top=min(max(top, 0), height - crop_height),
        width=crop_width,
        height=crop_height,
    )
    return crop, "its subject" if mask.measured else f"its middle ({mask.note})"


def _exact_size(width: int, height: int, ratio: Fraction) -> tuple[int, int]:
    """The largest size with exactly that ratio, because a clip gets the ratio of its picture."""
    multiple = max(1, min(width // ratio.numerator, height // ratio.denominator))
    return multiple * ratio.numerator, multiple * ratio.denominator


def _compress(
    rgb: NDArray[np.uint8], max_bytes: int
) -> tuple[bytes, tuple[int, int], tuple[str, ...]]:
    """The bytes, size and notes of a PNG, or of a JPEG if the PNG exceeds max_bytes.

    A JPEG that is too large is scaled down until it fits.
    """
    height, width = rgb.shape[:2]
    size = (width, height)
    data = _file_bytes(rgb, ".png")
    if len(data) <= max_bytes:
        return data, size, ()
    note = f"sent as JPEG, because a PNG would exceed {bytes_text(max_bytes)}"
    data, scale = _file_bytes(rgb, ".jpg"), 1.0
    while len(data) > max_bytes:
        scale *= min(0.9, 0.95 * (max_bytes / len(data)) ** 0.5)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        data = _file_bytes(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), ".jpg")
    scaled = () if scale == 1 else (f"scaled down to {size[0]}x{size[1]} px to fit",)
    return data, size, (note, *scaled)


def _file_bytes(rgb: NDArray[np.uint8], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{suffix}"
        write_image(path, rgb, quality=_JPEG_QUALITY)
        return path.read_bytes()
