"""Read a clip's declared facts from its header and its first frame."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.container
from av.video.stream import VideoStream

from lab.errors import ClipError
from lab.files import open_input_file
from lab.media.picture import pixel_aspect_of, remarks, shown_size

MAX_CLIP_BYTES = 8_000_000_000
MAX_FRAME_PIXELS = 8192 * 4608
MAX_FRAMES = 100_000
# A longer declared duration means a broken header. At one frame per second, MAX_FRAMES
# last only a little longer than this.
MAX_CLIP_S = 86_400.0
# Rates outside this range are not frame rates. From 1000 on, a rate is the container's time base
# (WebM counts milliseconds). Below 0.001, a frame would last longer than a GIF can express.
_MIN_FPS, _TIME_BASE_FPS = 0.001, 1000.0

# What PyAV raises for a corrupt header: FFmpeg's own errors, numeric overflow and division by zero,
# failed allocations, and undecodable text or values.
DECODE_ERRORS = (av.error.FFmpegError, ArithmeticError, MemoryError, ValueError)

# PyAV 19 always decodes invalid UTF-8 in metadata as surrogates; PyAV 18 needs this option.
_METADATA_OPTIONS: dict[str, Any] = {}
if int(av.__version__.split(".")[0]) < 19:
    _METADATA_OPTIONS["metadata_errors"] = "surrogateescape"

# The container format is forced from the first bytes; FFmpeg never guesses it. Otherwise a text
# file named .mp4 could be opened as a playlist that refers to other files on this machine.
_SIGNATURES = (
    (4, b"ftyp", "mp4"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"GIF8", "gif"),
    (8, b"AVI ", "avi"),
)


@dataclass(frozen=True)
class ClipFacts:
    """Facts of a clip file as its container declares them.

    width_px and height_px are the displayed size, after any rotation and scaling that the file
    requests. fps is the average rate. frames is the declared number; decoding may yield fewer. fps,
    frames and duration_s are 0 when the container does not declare them or declares something
    impossible: 1000 fps or more, over 100,000 frames, over a day. comment is the file's comment
    tag. remarks say what decoding converts (colours, the shape of pixels), and what disturbs
    numbers.
    """

    width_px: int
    height_px: int
    fps: float
    frames: int
    duration_s: float
    codec: str
    pixel_format: str
    has_audio: bool
    bytes: int
    comment: str
    remarks: tuple[str, ...] = ()


def sniff_container(path: Path) -> str:
    """Return FFmpeg's name of the container, from the file's first bytes.

    Raises ClipError for a file of another kind.
    """
    with open_input_file(path, ClipError, MAX_CLIP_BYTES) as file:
        head = file.read(16)
    for offset, magic, name in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    raise ClipError(f"{path}: not a video; accepted are MP4/MOV, WebM/MKV, AVI and GIF")


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a clip with its container format forced. Raises ClipError for an unusable file."""
    kind = sniff_container(path)
    try:
        # Without "file:", FFmpeg reads a name with a colon as a URL.
        with av.open(f"file:{path}", format=kind, **_METADATA_OPTIONS) as container:
            # A partly received frame is dropped, so that no half picture is returned.
            container.flags |= av.container.Flags.discard_corrupt.value
            if not container.streams.video:
                raise ClipError(f"{path}: holds no video stream")
            context = container.streams.video[0].codec_context
            if context is None:
                raise ClipError(f"{path}: its video codec is unknown; save it as H.264")
            if context.width * context.height > MAX_FRAME_PIXELS:
                raise ClipError(
                    f"{path}: frames of {context.width}x{context.height} px are too large; "
                    f"at most {MAX_FRAME_PIXELS // 1_000_000} megapixels"
                )
            context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            yield container
    except DECODE_ERRORS as error:
        raise ClipError(f"{path}: broken video ({error_text(error)})") from error


def error_text(error: Exception) -> str:
    """Describe a decoding error, in FFmpeg's words if it has any."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def frame_rate(stream: VideoStream) -> float:
    """Average frames per second; 0 when the file does not declare a possible rate."""
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    return fps if _MIN_FPS <= fps < _TIME_BASE_FPS else 0.0


def lists_every_frame(stream: VideoStream) -> bool:
    """True when the header's frame count matches its duration.

    The count is smaller in a fragmented file, whose header lists the first fragment only. It is
    larger with an edit list that hides frames.
    """
    fps = frame_rate(stream)
    if not (stream.duration and stream.time_base and fps):
        return False
    return abs(stream.frames / fps - float(stream.duration * stream.time_base)) < 1 / fps


def matroska_end_s(stream: VideoStream) -> float:
    """End of a Matroska track from its tag DURATION (or DURATION-eng); 0 without the tag."""
    for name, text in stream.metadata.items():
        match = re.fullmatch(r"(\d{1,3}):(\d\d):(\d\d(?:\.\d{1,9})?)", text, re.ASCII)
        if name.partition("-")[0] == "DURATION" and match:
            return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])
    return 0.0


def probe(path: Path) -> ClipFacts:
    """Read a clip's declared facts. Raises ClipError if the file is not a usable video."""
    path = Path(path)
    with open_container(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        fps = frame_rate(stream)
        duration_s = _duration_s(container, stream)
        first = next(container.decode(stream), None)
        if first is None:
            raise ClipError(f"{path}: holds no frame that can be decoded")
        pixel_aspect = pixel_aspect_of(stream)
        width, height = shown_size(first, pixel_aspect)
        frames = stream.frames if lists_every_frame(stream) else round(duration_s * fps)
        return ClipFacts(
            width_px=width,
            height_px=height,
            fps=fps,
            frames=frames if 0 < frames <= MAX_FRAMES else 0,
            duration_s=duration_s,
            codec=context.name,
            pixel_format=context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            bytes=path.stat().st_size,
            comment=_valid_text(container.metadata.get("comment", "")),
            remarks=remarks(first, pixel_aspect),
        )


def _duration_s(container: av.container.InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    else:
        duration_s = matroska_end_s(stream) or (container.duration or 0) / av.time_base
    return duration_s if 0 < duration_s <= MAX_CLIP_S else 0.0


def _valid_text(text: str) -> str:
    """A tag's text with U+FFFD in place of every byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
