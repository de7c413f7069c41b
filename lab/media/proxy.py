"""Small stand-ins for clips and stills, for pages that must carry their pictures inside."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.media.decode import frames
from lab.media.encode import write_clip
from lab.media.probe import probe

_MIME = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def write_proxy(clip: Path, proxy: Path, short_side_px: int = 360) -> None:
    """Write a small H.264 copy of a clip, playable in every browser, quick to jump in.

    Every frame keeps its time, so that a moment of the clip is the same moment of its copy.
    """
    fps = probe(clip).fps or 25.0
    small = (replace(frame, rgb=_even(frame.rgb)) for frame in frames(clip, short_side_px))
    write_clip(proxy, small, fps=fps, crf=28, preset="medium", key_every=round(fps / 2) or 1)


def poster_jpeg(rgb: NDArray[np.uint8], short_side_px: int = 360, quality: int = 80) -> bytes:
    """JPEG bytes of a picture, reduced so that its shorter side has at most that many pixels."""
    image = Image.fromarray(rgb)
    scale = short_side_px / min(image.size)
    if scale < 1:
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
        )
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def data_uri(content: bytes, suffix: str) -> str:
    """A data: address holding the content, for a file of that suffix."""
    return f"data:{_MIME[suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def _even(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """H.264 needs even sides: an odd one loses its last row, and a single row is shown twice."""
    for axis in (0, 1):
        if rgb.shape[axis] == 1:
            rgb = rgb.repeat(2, axis)
    height, width = rgb.shape[:2]
    return np.ascontiguousarray(rgb[: height - height % 2, : width - width % 2])
