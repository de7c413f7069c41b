"""How a clip ends: whole, cut off or damaged, and how much of it is missing.

A file cut off behind its header ends for a decoder like a whole one. Its structure tells: every
container says how long its parts are, and a part that runs past the end of the file was cut off.
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
    lists_all,
    sniff_container,
    tagged_end_s,
)

# A file made to waste time has millions of parts of no length; a real one of 8 GB has fewer.
_MAX_PARTS = 4_000_000
_PICTURES_MP4 = (b"moov", b"moof", b"mdat")
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_UNTOLD_AVI = (0, 0xFFFFFFFF)  # written by a recorder that could not go back


@dataclass(frozen=True)
class Ending:
    """What a clip's file tells of its end before anything is decoded.

    cut_off: the file ends inside one of its own parts. announced_s: when the pictures end by the
    clip's own clock, 0 where the header does not say. certain: a picture that was announced and
    does not come is missing. Only MP4 lists every picture; elsewhere the last one may just be
    shown for longer than usual.
    """

    cut_off: bool
    announced_s: float
    certain: bool
    frame_s: float

    @classmethod
    def told(cls, path: Path, container: InputContainer) -> Self:
        """Read it from the open container and from the structure of the file."""
        stream = container.streams.video[0]
        kind = sniff_container(path)
        with open_input_file(path, ClipError, MAX_CLIP_BYTES) as file:
            cut_off = _CUT_OFF[kind](file, os.fstat(file.fileno()).st_size)
        announced_s = _announced_end_s(kind, container, stream)
        return cls(cut_off, announced_s, kind == "mp4", 1 / (frame_rate(stream) or 25))

    def damage(self, frame: int, *, begin_s: float, end_s: float, trouble: str) -> str:
        """What is wrong behind the last frame that decodes, in one clause; "" for a whole clip.

        frame: that frame's index. begin_s, end_s: when the first frame begins and that one ends, by
        the clip's own clock. trouble: what stopped the decoder, "" when it came to the end.
        """
        missing_s = self.announced_s - end_s
        if self.announced_s and missing_s <= self.frame_s / 2:
            return ""
        if not (self.cut_off or trouble or (self.announced_s and self.certain)):
            return ""
        how = "cut off" if self.cut_off else "damaged"
        why = f" ({trouble})" if trouble and not self.cut_off else ""
        lost = "the rest is missing, and the file does not say how much"
        if self.announced_s:
            lost = f"{missing_s:.2f} s of {self.announced_s - begin_s:.2f} s are missing"
        return f"{how} after frame {frame}{why}: {lost}"


def _announced_end_s(kind: str, container: InputContainer, stream: VideoStream) -> float:
    """When the pictures end by the clip's own clock, as its header says; 0 when it does not."""
    rate = frame_rate(stream)
    end_s = 0.0
    if kind == "mp4" and lists_all(stream):
        end_s = float(((stream.start_time or 0) + (stream.duration or 0)) * (stream.time_base or 0))
    elif kind == "matroska":
        end_s = tagged_end_s(stream)
        if not end_s and len(container.streams) == 1:
            end_s = (container.duration or 0) / av.time_base
    elif kind == "avi" and rate:
        end_s = stream.frames / rate  # FFmpeg fits the duration to the bytes that are there
    return end_s if 0 < end_s <= MAX_CLIP_S else 0.0


def _mp4_is_cut_off(file: BinaryIO, size: int) -> bool:
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(16)
        length, name = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:])
        if len(head) < 8 or length < 8:  # the end, a part that goes to it, or no parts any more
            return False
        at += length
        if at > size:
            return name in _PICTURES_MP4
    return False


def _matroska_is_cut_off(file: BinaryIO, size: int) -> bool:
    at, end = 0, size
    for _ in range(_MAX_PARTS):
        if at >= end:
            return at > size
        file.seek(at)
        head = file.read(12)
        id_bytes = 9 - head[0].bit_length()
        length_bytes = 9 - head[id_bytes].bit_length() if len(head) > id_bytes else 9
        if id_bytes > 4 or length_bytes > 8:
            return True  # bytes that are no part: never written, or less than one before the end
        name = int.from_bytes(head[:id_bytes])
        untold = (1 << 7 * length_bytes) - 1  # written live, when the end was not known
        length = int.from_bytes(head[id_bytes : id_bytes + length_bytes]) & untold
        at += id_bytes + length_bytes
        if name == _SEGMENT:
            if length != untold:
                end = at + length
            if end > size:
                return True
        elif length != untold:
            at += length
        elif name != _CLUSTER:
            return False
    return False


def _avi_is_cut_off(file: BinaryIO, size: int) -> bool:
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            return False
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"RIFF":  # a long film has several, one behind the other
            at += 12
            continue
        at += 8 + length + length % 2
        if at > size:
            return head[:4] == b"LIST" and head[8:] == b"movi" and length not in _UNTOLD_AVI
    return False


def _gif_is_cut_off(file: BinaryIO, size: int) -> bool:
    """A GIF tells no length; it has a mark at its end."""
    file.seek(13 + _palette_bytes(file.read(11)[10:]))
    in_blocks = False
    for _ in range(_MAX_PARTS):
        mark = file.read(1)
        if not mark:
            return True
        if in_blocks:  # each begins with its length; one of no length is the last
            in_blocks = mark != b"\0"
            file.seek(mark[0], os.SEEK_CUR)
        elif mark == b"\x21":  # an extension: its kind, then blocks
            file.seek(1, os.SEEK_CUR)
            in_blocks = True
        elif mark == b"\x2c":  # a picture: its place, palette and code size, then blocks
            file.seek(_palette_bytes(file.read(9)[8:]) + 1, os.SEEK_CUR)
            in_blocks = True
        else:
            return False  # the mark at the end, or garbage
    return False


def _palette_bytes(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


_CUT_OFF: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mp4": _mp4_is_cut_off,
    "matroska": _matroska_is_cut_off,
    "avi": _avi_is_cut_off,
    "gif": _gif_is_cut_off,
}
