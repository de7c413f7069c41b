"""Small clips in five containers, and what a broken disk or a hostile hand makes of them."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lab.errors import ClipError
from lab.media import frames, probe

# Container, codec, pixel format and what the container is asked for, by the file's suffix.
CONTAINERS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", "yuv420p", {"movflags": "+faststart"}),
    ".mov": ("mov", "libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    ".webm": ("webm", "libvpx", "yuv420p", {}),
    ".avi": ("avi", "mpeg4", "yuv420p", {}),
    ".gif": ("gif", "gif", "rgb8", {}),
}
_HEADER_BYTES = 1500


def write_small(path: Path, pictures: list[np.ndarray]) -> None:
    """Encode pictures at ten a second in the container that the path's suffix names."""
    container, codec, pixel_format, options = CONTAINERS[path.suffix]
    with av.open(str(path), "w", format=container, container_options=options) as file:
        stream = file.add_stream(codec, rate=Fraction(10))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.gop_size = 4
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            file.mux(stream.encode(frame.reformat(format=pixel_format)))
        file.mux(stream.encode(None))


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """One seeded mutation of a file's bytes; the first sixteen stay, so that it is still opened."""
    kept, rest = content[:16], bytearray(content[16:])
    return kept + bytes(_MUTATIONS[random.integers(len(_MUTATIONS))](rest, random))


def _flipped(rest: bytearray, random: np.random.Generator) -> bytearray:
    for at in random.integers(0, min(_HEADER_BYTES, len(rest)), random.integers(1, 9)):
        rest[at] = random.integers(256)
    return rest


def _extreme(rest: bytearray, random: np.random.Generator) -> bytearray:
    """Numbers of the header become the largest, the smallest or nothing."""
    at = int(random.integers(0, min(_HEADER_BYTES, len(rest)) - 8))
    length = int(random.choice([2, 4, 8]))
    rest[at : at + length] = bytes([random.choice([0x00, 0x7F, 0x80, 0xFF])]) * length
    return rest


def _cut(rest: bytearray, random: np.random.Generator) -> bytearray:
    return rest[: random.integers(len(rest))]


def _emptied(rest: bytearray, random: np.random.Generator) -> bytearray:
    begin, end = sorted(random.integers(0, len(rest), 2))
    rest[begin:end] = bytes(end - begin)
    return rest


def _spliced(rest: bytearray, random: np.random.Generator) -> bytearray:
    begin, end, to = random.integers(0, len(rest), 3)
    return rest[:begin] + rest[end : end + 400] + rest[to:]


def _swapped(rest: bytearray, random: np.random.Generator) -> bytearray:
    """Two stretches change places, as two boxes of a header in the wrong order."""
    one, two, three = sorted(random.integers(0, min(_HEADER_BYTES, len(rest)), 3))
    return rest[:one] + rest[two:three] + rest[one:two] + rest[three:]


_MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    *(_flipped, _extreme, _cut, _emptied, _spliced, _swapped),
)


def read(path: Path) -> str:
    """How a clip fares: "frames", "refused", or what else was raised or is wrong with it."""
    said = []
    for reading in (probe, lambda path: list(frames(path, 32))):
        try:
            reading(path)
        except ClipError as error:
            if not str(error).startswith(f"{path}: ") or "\n" in str(error):
                return f"does not name the file in one line: {error!r}"
            said.append("refused")
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test names it
            return repr(error)
    return "refused" if said else "frames"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps([name, read(Path(name))]) + "\n")
        sys.stdout.flush()
