"""Make small copies of clips and images for pages that embed their media."""

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
    """Write a small H.264 copy of a clip that every browser plays and seeks quickly.

    Every frame keeps its timestamp.
    """
    fps = probe(clip).fps or 25.0
    frames_with_even_sides = (
        replace(frame, rgb=_with_even_sides(frame.rgb)) for frame in frames(clip, short_side_px)
    )
    write_clip(
        proxy,
        frames_with_even_sides,
        fps=fps,
        crf=28,
        preset="medium",
        keyframe_interval=round(fps / 2) or 1,
    )


def poster_jpeg(rgb: NDArray[np.uint8], short_side_px: int = 360, quality: int = 80) -> bytes:
    """Encode an image as JPEG, reduced to at most `short_side_px` on its shorter side."""
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
    """A data: URI with the content; the suffix gives the media type."""
    return f"data:{_MIME[suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def _with_even_sides(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make both sides even, as H.264 requires. Drops an odd last row or column, or doubles it if it
    is the only one.
    """
    for axis in (0, 1):
        if rgb.shape[axis] == 1:
            rgb = rgb.repeat(2, axis)
    height, width = rgb.shape[:2]
    return np.ascontiguousarray(rgb[: height - height % 2, : width - width % 2])
