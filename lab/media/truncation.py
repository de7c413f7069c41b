"""Detect a clip that is cut off or damaged, and measure how much of it is missing.

A decoder reaches the end of a truncated file without an error, as if the file were complete. The
file's structure reveals the truncation: every container stores the length of its parts, and a part
that runs past the end of the file was cut off.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from lab.errors import ClipError
from lab.files import open_input_file
from lab.media.probe import (
    MAX_CLIP_BYTES,
    MAX_CLIP_S,
    frame_rate,
    lists_every_frame,
    matroska_end_s,
    sniff_container,
)

# Bounds the time spent on a malicious file; a real one of 8 GB has fewer parts.
_MAX_PARTS = 4_000_000
_MP4_MEDIA_BOXES = (b"moov", b"moof", b"mdat")
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_AVI_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # written by recorders that cannot seek back


@dataclass(frozen=True)
class Completeness:
    """What a clip's file declares about its end, read before any frame is decoded.

    truncated: the file ends inside one of its own parts. declared_end_s: when the last frame ends
    in the clip's timestamps, 0 when the header does not say. exact: declared_end_s, where known, is
    exact (MP4 only), so a clip that ends earlier has lost frames. In other containers the last
    frame may just have a longer duration. frame_s: average duration of a frame.
    """

    truncated: bool
    declared_end_s: float
    exact: bool
    frame_s: float

    @classmethod
    def read(cls, path: Path, container: InputContainer) -> Self:
        """Read the header of the open container and the structure of its file."""
        stream = container.streams.video[0]
        kind = sniff_container(path)
        with open_input_file(path, ClipError, MAX_CLIP_BYTES) as file:
            truncated = _TRUNCATION_TESTS[kind](file, os.fstat(file.fileno()).st_size)
        declared_end_s = _declared_end_s(kind, container, stream)
        return cls(truncated, declared_end_s, kind == "mp4", 1 / (frame_rate(stream) or 25))

    def damage(self, frame: int, *, begin_s: float, end_s: float, error: str) -> str:
        """Describe what is missing after the last decoded frame; "" for a complete clip.

        frame: index of that frame. begin_s, end_s: when the first frame begins and the last one
        ends, in the clip's timestamps. error: what stopped the decoder, "" if it reached the end.
        """
        missing_s = self.declared_end_s - end_s
        if self.declared_end_s and missing_s <= self.frame_s / 2:
            return ""
        if not (self.truncated or error or (self.declared_end_s and self.exact)):
            return ""
        how = "cut off" if self.truncated else "damaged"
        why = f" ({error})" if error and not self.truncated else ""
        lost = "the rest is missing, and the file does not say how much"
        if self.declared_end_s:
            lost = f"{missing_s:.2f} s of {self.declared_end_s - begin_s:.2f} s are missing"
        return f"{how} after frame {frame}{why}: {lost}"


def _declared_end_s(kind: str, container: InputContainer, stream: VideoStream) -> float:
    """End of the last frame in the clip's timestamps, from the header; 0 when it does not say."""
    rate = frame_rate(stream)
    end_s = 0.0
    if kind == "mp4" and lists_every_frame(stream):
        end_s = float(((stream.start_time or 0) + (stream.duration or 0)) * (stream.time_base or 0))
    elif kind == "matroska":
        end_s = matroska_end_s(stream)
        if not end_s and len(container.streams) == 1:
            end_s = (container.duration or 0) / av.time_base
    elif kind == "avi" and rate:
        end_s = stream.frames / rate  # FFmpeg shortens the duration to the bytes present
    return end_s if 0 < end_s <= MAX_CLIP_S else 0.0


def _mp4_is_truncated(file: BinaryIO, size: int) -> bool:
    offset = 0
    for _ in range(_MAX_PARTS):
        file.seek(offset)
        header = file.read(16)
        length, name = int.from_bytes(header[:4]), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:])
        # End of file, a box that extends to the end of the file, or bytes that are no box.
        if len(header) < 8 or length < 8:
            return False
        offset += length
        if offset > size:
            return name in _MP4_MEDIA_BOXES
    return False


def _matroska_is_truncated(file: BinaryIO, size: int) -> bool:
    offset, end = 0, size
    for _ in range(_MAX_PARTS):
        if offset >= end:
            return offset > size
        file.seek(offset)
        header = file.read(12)
        id_bytes = 9 - header[0].bit_length()
        length_bytes = 9 - header[id_bytes].bit_length() if len(header) > id_bytes else 9
        if id_bytes > 4 or length_bytes > 8:
            # not an element header: zero bytes never filled in, or a header that is cut off
            return True
        name = int.from_bytes(header[:id_bytes])
        unknown = (1 << 7 * length_bytes) - 1  # a live recording has no known length
        length = int.from_bytes(header[id_bytes : id_bytes + length_bytes]) & unknown
        offset += id_bytes + length_bytes
        if name == _SEGMENT:
            if length != unknown:
                end = offset + length
            if end > size:
                return True
        elif length != unknown:
            offset += length
        elif name != _CLUSTER:
            return False
    return False


def _avi_is_truncated(file: BinaryIO, size: int) -> bool:
    offset = 0
    for _ in range(_MAX_PARTS):
        file.seek(offset)
        header = file.read(12)
        if len(header) < 12:
            return False
        length = int.from_bytes(header[4:8], "little")
        if header[:4] == b"RIFF":  # a long video has several RIFF chunks in sequence
            offset += 12
            continue
        offset += 8 + length + length % 2
        if offset > size:
            is_movi = header[:4] == b"LIST" and header[8:] == b"movi"
            return is_movi and length not in _AVI_UNKNOWN_LENGTHS
    return False


def _gif_is_truncated(file: BinaryIO, size: int) -> bool:
    """A GIF stores no length; a trailer byte marks its end."""
    file.seek(13 + _palette_bytes(file.read(11)[10:]))
    in_sub_blocks = False
    for _ in range(_MAX_PARTS):
        byte = file.read(1)
        if not byte:
            return True
        if in_sub_blocks:  # the byte is the sub-block's length; length 0 ends the series
            in_sub_blocks = byte != b"\0"
            file.seek(byte[0], os.SEEK_CUR)
        elif byte == b"\x21":  # extension: its label, then sub-blocks
            file.seek(1, os.SEEK_CUR)
            in_sub_blocks = True
        elif byte == b"\x2c":  # image: descriptor, palette and code size, then sub-blocks
            file.seek(_palette_bytes(file.read(9)[8:]) + 1, os.SEEK_CUR)
            in_sub_blocks = True
        else:
            return False  # the trailer, or garbage
    return False


def _palette_bytes(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


_TRUNCATION_TESTS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mp4": _mp4_is_truncated,
    "matroska": _matroska_is_truncated,
    "avi": _avi_is_truncated,
    "gif": _gif_is_truncated,
}
