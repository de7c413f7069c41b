"""Store the images that requests contain, each once, and validate them."""

import base64
import binascii
import hashlib
import http.client
import struct
import threading
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.emulator.task_spec import invalid
from lab.errors import StillError
from lab.loopback import is_loopback_url
from lab.media.images import decode_image
from lab.vision import SubjectMask, subject_mask

PIXELS_FAILURE = "Image pixel is invalid"
FORMAT_FAILURE = "Image format is invalid"
BYTES_FAILURE = "Image size is invalid"

_MIN_SIDE_PX = 300
_MAX_RATIO = 2.5
_DOWNLOAD_TIMEOUT_S = 5.0
_JPEG_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PLACEHOLDER_PREFIX = "drawn-"  # part of the seed: another prefix gives other images
_PLACEHOLDER_SIZE_PX = (1280, 720)
# Few, because a mask is as large as its image, and a sweep uses few stills at a time.
_MASK_CACHE_SIZE = 4


class ImageStore:
    """Images in a folder, keyed by the hash of their content. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failures: dict[str, str] = {}
        self._masks: dict[str, SubjectMask] = {}
        self._lock = threading.Lock()

    def add(self, text: str, *, max_bytes: int, accepts_data_uris: bool) -> tuple[str, str]:
        """Store an image; return its key, and why a task with it will fail ("" if it will not).

        text: raw base64 or a URL. accepts_data_uris: "data:...;base64," may precede the base64.
        Only URLs of this machine are downloaded. Any other URL stands for a placeholder image.
        Raises ApiError 1201 for text that is neither base64 nor a URL.
        """
        scheme = text[:8].lower()
        if scheme.startswith(("http://", "https://")):
            if not is_loopback_url(text):  # the emulator connects to no other machine
                digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
                return _PLACEHOLDER_PREFIX + digest, ""
            data = _download(text, max_bytes)
        else:
            data = _decode_base64(text, accepts_data_uris)
        if len(data) > max_bytes:
            return "", BYTES_FAILURE
        key = hashlib.sha256(data).hexdigest()
        with self._lock:
            if key not in self._failures:
                self._failures[key] = _image_failure(data)
                self._folder.mkdir(exist_ok=True)
                (self._folder / key).write_bytes(data)
            return key, self._failures[key]

    def rgb(self, key: str) -> NDArray[np.uint8]:
        """Decode a stored image: (height, width, 3) uint8, upright."""
        if key.startswith(_PLACEHOLDER_PREFIX):
            return placeholder_image(key, *_PLACEHOLDER_SIZE_PX)
        return decode_image((self._folder / key).read_bytes(), "submitted image").rgb

    def subject(self, key: str) -> SubjectMask:
        """The subject mask of a stored image; the latest masks are cached."""
        with self._lock:
            if key in self._masks:
                return self._masks[key]
        mask = subject_mask(self.rgb(key))
        with self._lock:
            self._masks[key] = mask
            while len(self._masks) > _MASK_CACHE_SIZE:
                del self._masks[next(iter(self._masks))]
        return mask


def placeholder_image(seed_text: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Draw a sky, a ground and a ball, with colours and layout seeded by a text."""
    rng = np.random.default_rng(
        int.from_bytes(hashlib.sha256(seed_text.encode("utf-8", "replace")).digest()[:8])
    )
    top, middle, bottom, ball = rng.integers(40, 220, (4, 3))
    y = np.linspace(0, 1, height_px)[:, None, None]
    sky = top + (middle - top) * np.minimum(y / 0.6, 1)
    canvas = np.where(y < 0.6, sky, bottom) * np.ones((1, width_px, 1))
    texture = rng.normal(0, 1, (height_px // 8 + 1, width_px // 8 + 1)).astype(np.float32)
    canvas += (
        14 * cv2.resize(texture, (width_px, height_px), interpolation=cv2.INTER_CUBIC)[..., None]
    )
    image: NDArray[np.uint8] = np.clip(canvas, 0, 255).astype(np.uint8)
    centre = (int(width_px * rng.uniform(0.4, 0.6)), int(height_px * 0.55))
    radius = int(min(width_px, height_px) * 0.22)
    colour = [255 - int(value) for value in ball]
    cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
    highlight = (centre[0] - radius // 3, centre[1] - radius // 3)
    cv2.circle(image, highlight, radius // 4, (250, 250, 240), -1, cv2.LINE_AA)
    return image


def _decode_base64(text: str, accepts_data_uris: bool) -> bytes:
    if accepts_data_uris and text.startswith("data:"):
        text = text.partition(";base64,")[2]
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise invalid("File is not in a valid base64 format")
    return data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects, because they could lead to another machine."""

    def redirect_request(self, *args: object) -> None:
        return None


def _download(url: str, max_bytes: int) -> bytes:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _NoRedirects(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(url, timeout=_DOWNLOAD_TIMEOUT_S) as response:
            data: bytes = response.read(max_bytes + 1)
            return data
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return b"?"  # no image, so the task fails with FORMAT_FAILURE


def _image_failure(data: bytes) -> str:
    size = _header_size(data)
    if size is None:
        return FORMAT_FAILURE
    short, long = sorted(size)
    if short < _MIN_SIDE_PX or long > _MAX_RATIO * short:
        return PIXELS_FAILURE
    try:
        decode_image(data, "submitted image")
    except StillError:
        return FORMAT_FAILURE
    return ""


def _header_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a PNG or JPEG; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:2] != b"\xff\xd8":
        return None
    offset = 2
    while offset + 9 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker in _JPEG_FRAME_MARKERS:
            height, width = struct.unpack(">HH", data[offset + 5 : offset + 9])
            return width, height
        if marker == 0xFF:
            offset += 1
            continue
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4])
    return None
