"""What a clip says of itself, read from its header and its first frame."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.container

from lab.errors import ClipError
from lab.files import opened_file

MAX_CLIP_BYTES = 8_000_000_000
MAX_FRAME_PIXELS = 8192 * 4608

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
    rate, 0 when unknown. frames is 0 when the container does not say. comment is the file's own
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
    with opened_file(path, ClipError, MAX_CLIP_BYTES) as file:
        head = file.read(16)
    for offset, magic, name in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    raise ClipError(f"{path}: not a video; accepted are MP4/MOV, WebM/MKV, AVI and GIF")


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The clip's container with its kind forced; FFmpeg's errors become ClipError."""
    kind = sniff_container(path)
    try:
        # "file:", or a colon in the name is taken for a protocol that opens something else.
        with av.open(f"file:{path}", format=kind, metadata_errors="replace") as container:
            if not container.streams.video:
                raise ClipError(f"{path}: holds no video stream")
            context = container.streams.video[0].codec_context
            if context.width * context.height > MAX_FRAME_PIXELS:
                raise ClipError(
                    f"{path}: frames of {context.width}x{context.height} px are too large; "
                    f"at most {MAX_FRAME_PIXELS // 1_000_000} megapixels"
                )
            context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            yield container
    except av.error.FFmpegError as error:
        raise ClipError(f"{path}: broken video ({error.strerror})") from error


def probe(path: Path) -> ClipFacts:
    """Read a clip's declared facts. Raises ClipError for anything that is no usable video."""
    path = Path(path)
    with opened(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration_s = container.duration / 1_000_000
        else:
            duration_s = 0.0
        first = next(container.decode(stream), None)
        if first is None:
            raise ClipError(f"{path}: holds no frame that can be decoded")
        turned = first.rotation % 180 != 0
        return ClipFacts(
            width_px=first.height if turned else first.width,
            height_px=first.width if turned else first.height,
            fps=fps,
            frames=stream.frames or round(duration_s * fps),
            duration_s=duration_s,
            codec=context.name,
            pixel_format=context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            bytes=path.stat().st_size,
            comment=container.metadata.get("comment", ""),
        )
