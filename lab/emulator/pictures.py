"""Keep the pictures that requests bring: one file per content, judged once."""

import base64
import binascii
import hashlib
import http.client
import ipaddress
import struct
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.emulator.orders import invalid
from lab.errors import StillError
from lab.media.images import decode_image
from lab.vision import SubjectMask, subject_mask

PIXELS_PROBLEM = "Image pixel is invalid"
FORMAT_PROBLEM = "Image format is invalid"
BYTES_PROBLEM = "Image size is invalid"

_MIN_SIDE_PX = 300
_MAX_RATIO = 2.5
_FETCH_TIMEOUT_S = 5.0
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_STAND_IN_PX = (1280, 720)
_SUBJECTS_KEPT = 4


class Pictures:
    """Pictures by content, in a folder. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problems: dict[str, str] = {}
        self._subjects: dict[str, SubjectMask] = {}
        self._lock = threading.Lock()

    def keep(self, text: str, *, most_bytes: int, data_uris: bool) -> tuple[str, str]:
        """Keep what a request calls an image; return its key and what is wrong with it, or "".

        text: raw base64 or a URL. data_uris: whether "data:...;base64," may stand before it.
        Raises ApiError 1201 for what is neither. A URL is only followed to this machine; a
        drawn picture stands in for any other.
        """
        scheme = text[:8].lower()
        if scheme.startswith(("http://", "https://")):
            if not is_loopback(text):
                return "drawn-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), ""
            data = _fetched(text, most_bytes)
        else:
            data = _decoded(text, data_uris)
        if len(data) > most_bytes:
            return "", BYTES_PROBLEM
        key = hashlib.sha256(data).hexdigest()
        with self._lock:
            if key not in self._problems:
                self._problems[key] = _problem_with(data)
                self._folder.mkdir(exist_ok=True)
                (self._folder / key).write_bytes(data)
            return key, self._problems[key]

    def rgb(self, key: str) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 pixels of a kept picture, upright."""
        if key.startswith("drawn-"):
            return drawn(key, *_STAND_IN_PX)
        return decode_image((self._folder / key).read_bytes(), "submitted image").rgb

    def subject(self, key: str) -> SubjectMask:
        """Where the subject of a kept picture is; remembered, since stills come in repeats."""
        with self._lock:
            if key in self._subjects:
                return self._subjects[key]
        found = subject_mask(self.rgb(key))
        with self._lock:
            self._subjects[key] = found
            while len(self._subjects) > _SUBJECTS_KEPT:
                del self._subjects[next(iter(self._subjects))]
        return found


def drawn(words: str, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """A picture made up from some words: a sky, a ground, a round subject. Same words, same one."""
    luck = np.random.default_rng(
        int.from_bytes(hashlib.sha256(words.encode("utf-8", "replace")).digest()[:8])
    )
    top, middle, bottom, ball = luck.integers(40, 220, (4, 3))
    share = np.linspace(0, 1, height_px)[:, None, None]
    sky = top + (middle - top) * np.minimum(share / 0.6, 1)
    canvas = np.where(share < 0.6, sky, bottom) * np.ones((1, width_px, 1))
    texture = luck.normal(0, 1, (height_px // 8 + 1, width_px // 8 + 1)).astype(np.float32)
    canvas += (
        14 * cv2.resize(texture, (width_px, height_px), interpolation=cv2.INTER_CUBIC)[..., None]
    )
    picture: NDArray[np.uint8] = np.clip(canvas, 0, 255).astype(np.uint8)
    centre = (int(width_px * luck.uniform(0.4, 0.6)), int(height_px * 0.55))
    radius = int(min(width_px, height_px) * 0.22)
    colour = [255 - int(value) for value in ball]
    cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)
    spot = (centre[0] - radius // 3, centre[1] - radius // 3)
    cv2.circle(picture, spot, radius // 4, (250, 250, 240), -1, cv2.LINE_AA)
    return picture


def is_loopback(url: str) -> bool:
    """True for a URL that leads to this machine: nothing else is ever called from here."""
    try:
        host = urllib.parse.urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _decoded(text: str, data_uris: bool) -> bytes:
    if data_uris and text.startswith("data:"):
        text = text.partition(";base64,")[2]
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise invalid("File is not in a valid base64 format")
    return data


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def _fetched(url: str, most_bytes: int) -> bytes:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _StayHere(),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(url, timeout=_FETCH_TIMEOUT_S) as answer:
            data: bytes = answer.read(most_bytes + 1)
            return data
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return b"?"


def _problem_with(data: bytes) -> str:
    size = _size_of(data)
    if size is None:
        return FORMAT_PROBLEM
    short, long = sorted(size)
    if short < _MIN_SIDE_PX or long > _MAX_RATIO * short:
        return PIXELS_PROBLEM
    try:
        decode_image(data, "submitted image")
    except StillError:
        return FORMAT_PROBLEM
    return ""


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a PNG or JPEG; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        if marker == 0xFF:
            place += 1
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None
