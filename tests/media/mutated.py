"""Write small clips in five containers, and damage their bytes."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lab.errors import ClipError
from lab.media import frames, probe

# Container, codec, pixel format and container options, by the file's suffix.
CONTAINERS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", "yuv420p", {"movflags": "+faststart"}),
    ".mov": ("mov", "libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    ".webm": ("webm", "libvpx", "yuv420p", {}),
    ".avi": ("avi", "mpeg4", "yuv420p", {}),
    ".gif": ("gif", "gif", "rgb8", {}),
}
_HEADER_BYTES = 1500


def write_small(path: Path, pictures: list[np.ndarray]) -> None:
    """Encode pictures at 10 fps in the container of the path's suffix."""
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


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Apply one random mutation, which keeps the first 16 bytes so that the file still opens."""
    signature, rest = content[:16], bytearray(content[16:])
    return signature + bytes(_MUTATIONS[rng.integers(len(_MUTATIONS))](rest, rng))


def _flipped(rest: bytearray, rng: np.random.Generator) -> bytearray:
    for offset in rng.integers(0, min(_HEADER_BYTES, len(rest)), rng.integers(1, 9)):
        rest[offset] = rng.integers(256)
    return rest


def _extreme(rest: bytearray, rng: np.random.Generator) -> bytearray:
    """Overwrite a number of the header with the largest, the smallest or zero."""
    offset = int(rng.integers(0, min(_HEADER_BYTES, len(rest)) - 8))
    length = int(rng.choice([2, 4, 8]))
    rest[offset : offset + length] = bytes([rng.choice([0x00, 0x7F, 0x80, 0xFF])]) * length
    return rest


def _cut(rest: bytearray, rng: np.random.Generator) -> bytearray:
    return rest[: rng.integers(len(rest))]


def _emptied(rest: bytearray, rng: np.random.Generator) -> bytearray:
    begin, end = sorted(rng.integers(0, len(rest), 2))
    rest[begin:end] = bytes(end - begin)
    return rest


def _spliced(rest: bytearray, rng: np.random.Generator) -> bytearray:
    begin, end, resume = rng.integers(0, len(rest), 3)
    return rest[:begin] + rest[end : end + 400] + rest[resume:]


def _swapped(rest: bytearray, rng: np.random.Generator) -> bytearray:
    """Swap two adjacent ranges, like two boxes of a header in the wrong order."""
    one, two, three = sorted(rng.integers(0, min(_HEADER_BYTES, len(rest)), 3))
    return rest[:one] + rest[two:three] + rest[one:two] + rest[three:]


_MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    *(_flipped, _extreme, _cut, _emptied, _spliced, _swapped),
)


def read(path: Path) -> str:
    """Return "frames", "refused", or a description of any other outcome."""
    refusals = 0
    for reading in (probe, lambda path: list(frames(path, 32))):
        try:
            reading(path)
        except ClipError as error:
            if not str(error).startswith(f"{path}: ") or "\n" in str(error):
                return f"does not name the file in one line: {error!r}"
            refusals += 1
        except BaseException as error:  # noqa: BLE001 - the test reports it
            return repr(error)
    return "refused" if refusals else "frames"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps([name, read(Path(name))]) + "\n")
        sys.stdout.flush()
