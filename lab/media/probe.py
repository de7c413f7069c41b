"""What a clip says of itself, read from its header and its first frame."""

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

MAX_CLIP_BYTES = 8_000_000_000
MAX_FRAME_PIXELS = 8192 * 4608
MAX_FRAMES = 100_000
# A header that claims more than a day is broken: at one frame a second, MAX_FRAMES is little more.
MAX_CLIP_S = 86_400.0
# From 1000 a second on a rate is the container's clock (WebM counts milliseconds), not that of its
# pictures; below 0.001 one picture stands longer than any GIF can say.
_LEAST_RATE, _CLOCK_RATE = 0.001, 1000.0

# What a header that lies makes PyAV raise: FFmpeg's own errors, numbers that no C type holds or
# that divide by nothing, more memory than there is, and text or values of no known kind.
BROKEN = (av.error.FFmpegError, ArithmeticError, MemoryError, ValueError)

# PyAV 19 always keeps bytes of no known encoding as surrogates; PyAV 18 has to be asked to.
_KEEPS_BYTES: dict[str, Any] = {}
if int(av.__version__.split(".")[0]) < 19:
    _KEEPS_BYTES["metadata_errors"] = "surrogateescape"

# A container is opened as what its first bytes are, never as what FFmpeg would guess: a text file
# named .mp4 may otherwise be taken for a playlist that names other files on this machine.
_SIGNATURES = (
    (4, b"ftyp", "mp4"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"GIF8", "gif"),
    (8, b"AVI ", "avi"),
)


@dataclass(frozen=True)
class ClipFacts:
    """Facts of a clip file as its container declares them; frames may turn out fewer.

    width_px and height_px are as shown, after any rotation the file asks for. fps is the average
    rate. fps, frames and duration_s are 0 when the container does not say, or says what cannot be:
    1000 frames a second or more, over 100,000 frames, over a day. comment is the file's own
    comment tag.
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


def sniff_container(path: Path) -> str:
    """FFmpeg's name of the container, by its first bytes. Raises ClipError otherwise."""
    with open_input_file(path, ClipError, MAX_CLIP_BYTES) as file:
        head = file.read(16)
    for offset, magic, name in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    raise ClipError(f"{path}: not a video; accepted are MP4/MOV, WebM/MKV, AVI and GIF")


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The clip's container with its kind forced; whatever is broken in it becomes ClipError."""
    kind = sniff_container(path)
    try:
        # "file:", or a colon in the name is taken for a protocol that opens something else.
        with av.open(f"file:{path}", format=kind, **_KEEPS_BYTES) as container:
            # A picture of which only a part is there is left out, not shown half.
            container.flags |= av.container.Flags.discard_corrupt.value
            if not container.streams.video:
                raise ClipError(f"{path}: holds no video stream")
            context = container.streams.video[0].codec_context
            if context is None:
                raise ClipError(f"{path}: holds video in no known codec; save it as H.264")
            if context.width * context.height > MAX_FRAME_PIXELS:
                raise ClipError(
                    f"{path}: frames of {context.width}x{context.height} px are too large; "
                    f"at most {MAX_FRAME_PIXELS // 1_000_000} megapixels"
                )
            context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            yield container
    except BROKEN as error:
        raise ClipError(f"{path}: broken video ({reason(error)})") from error


def reason(error: Exception) -> str:
    """Why reading stopped, in FFmpeg's words where it has some."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def frame_rate(stream: VideoStream) -> float:
    """Frames per second on average; 0 when the file does not say or says what cannot be."""
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    return fps if _LEAST_RATE <= fps < _CLOCK_RATE else 0.0


def lists_all(stream: VideoStream) -> bool:
    """True where the header's list of pictures is as long as the clip.

    One written in fragments lists only the first of them, and an edit list leaves pictures out.
    """
    fps = frame_rate(stream)
    if not (stream.duration and stream.time_base and fps):
        return False
    return abs(stream.frames / fps - float(stream.duration * stream.time_base)) < 1 / fps


def tagged_end_s(stream: VideoStream) -> float:
    """The end of a Matroska track by its tag DURATION (or DURATION-eng); 0 without one."""
    for name, text in stream.metadata.items():
        told = re.fullmatch(r"(\d{1,3}):(\d\d):(\d\d(?:\.\d{1,9})?)", text, re.ASCII)
        if name.partition("-")[0] == "DURATION" and told:
            return 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3])
    return 0.0


def probe(path: Path) -> ClipFacts:
    """Read a clip's declared facts. Raises ClipError for anything that is no usable video."""
    path = Path(path)
    with opened(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        fps = frame_rate(stream)
        duration_s = _duration_s(container, stream)
        first = next(container.decode(stream), None)
        if first is None:
            raise ClipError(f"{path}: holds no frame that can be decoded")
        turned = first.rotation % 180 != 0
        frames = stream.frames if lists_all(stream) else round(duration_s * fps)
        return ClipFacts(
            width_px=first.height if turned else first.width,
            height_px=first.width if turned else first.height,
            fps=fps,
            frames=frames if 0 < frames <= MAX_FRAMES else 0,
            duration_s=duration_s,
            codec=context.name,
            pixel_format=context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            bytes=path.stat().st_size,
            comment=_readable(container.metadata.get("comment", "")),
        )


def _duration_s(container: av.container.InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    else:
        duration_s = tagged_end_s(stream) or (container.duration or 0) / av.time_base
    return duration_s if 0 < duration_s <= MAX_CLIP_S else 0.0


def _readable(text: str) -> str:
    """Text of a tag, with a mark for every byte that is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
