"""Rows out of a damaged SQLite file: each page on its own, with no need of a schema or a tree.

The format: https://www.sqlite.org/fileformat2.html. Only what a ledger has is read: UTF-8, table
rows, overflow, the write-ahead log beside the file.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.runs.ledger_schema import PAGE_BYTES, Table

_MAGIC = b"SQLite format 3\0"
_TABLE_LEAF = 0x0D
_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_LOG_MAGIC = (0x377F0682, 0x377F0683)  # the last bit: checksums are of big-endian words
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)  # by serial type
_TEXT_OF: dict[Table, str] = {"facts": "value", "takes": "take", "events": "data"}

Row = tuple[int, tuple[Any, ...]]
"""A row's number, and its columns as they lie on disk."""


@dataclass(frozen=True)
class Image:
    """A database as one piece: the file, with what its write-ahead log adds.

    log_torn: the log is damaged, so that later changes may be missing.
    """

    content: bytes
    log_torn: bool

    @classmethod
    def of(cls, path: Path) -> "Image":
        """Read a database file and the log beside it, if there is one."""
        pages = bytearray(path.read_bytes())
        log = path.with_name(f"{path.name}-wal")
        frames, torn = _committed(log.read_bytes()) if log.is_file() else ({}, False)
        for number, page in frames.items():
            pages.extend(bytes(max(0, number * PAGE_BYTES - len(pages))))
            pages[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = page
        return cls(bytes(pages), torn)

    def page(self, number: int) -> bytes:
        """A page by its number from 1, filled up with zeros where the file was cut."""
        page = self.content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
        return page.ljust(PAGE_BYTES, b"\0")

    @property
    def pages(self) -> int:
        """How many pages there are, the last perhaps in part."""
        return -(-len(self.content) // PAGE_BYTES)

    def whole(self, table: Table) -> bool:
        """True when SQLite itself reads a table from its first row to its last."""
        # The two bytes say that there is a log, which is in the image already.
        alone = self.content[:18] + b"\1\1" + self.content[20:]
        try:
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.deserialize(alone)
                column = _TEXT_OF[table]
                # Text as it is: whether it makes sense is another question.
                connection.execute(
                    f"SELECT total(length({column})) FROM {table} NOT INDEXED"  # noqa: S608 - ours
                ).fetchone()
        except sqlite3.Error:
            return False
        return True

    @property
    def free(self) -> set[int] | None:
        """Pages that hold nothing any more; None when the list of them cannot be read."""
        first = self.page(1)
        if not first.startswith(_MAGIC):
            return None
        trunk, count = struct.unpack_from(">II", first, 32)
        found: set[int] = set()
        while trunk:
            if trunk in found or not 1 < trunk <= self.pages:
                return None
            after, leaves = struct.unpack_from(">II", self.page(trunk))
            if leaves > PAGE_BYTES // 4 - 2:
                return None
            found |= {trunk, *struct.unpack_from(f">{leaves}I", self.page(trunk), 8)}
            trunk = after
        return found if len(found) == count else None

    def rows(self) -> Iterator[Row]:
        """Every row of every table on every page that is in use and can be read."""
        unused = self.free or set()
        for number in range(1, self.pages + 1):
            page = self.page(number)
            begin = 100 if number == 1 else 0
            if number in unused or page[begin] != _TABLE_LEAF:
                continue
            (cells,) = struct.unpack_from(">H", page, begin + 3)
            for place in range(begin + 8, min(begin + 8 + 2 * cells, PAGE_BYTES - 1), 2):
                (at,) = struct.unpack_from(">H", page, place)
                try:
                    yield self._cell(page, at)
                except (ValueError, IndexError, struct.error):
                    continue  # no cell, or one that leads nowhere

    def _cell(self, page: bytes, at: int) -> Row:
        size, at = _varint(page, at)
        number, at = _varint(page, at)
        if size > len(self.content):
            raise ValueError("longer than the file")
        # How much of a long row lies on its own page: the format's own rule.
        local, most = size, PAGE_BYTES - 35
        if size > most:
            least = (PAGE_BYTES - 12) * 32 // 255 - 23
            local = least + (size - least) % (PAGE_BYTES - 4)
            local = local if local <= most else least
        payload = bytearray(page[at : at + local])
        if size > local:
            (following,) = struct.unpack_from(">I", page, at + local)
            while len(payload) < size:
                if not 1 < following <= self.pages:
                    raise ValueError("the rest of the row is gone")
                more = self.page(following)
                payload += more[4 : 4 + size - len(payload)]
                (following,) = struct.unpack_from(">I", more)
        if len(payload) < size:
            raise ValueError("cut short")
        return number, _columns(bytes(payload))


def _columns(payload: bytes) -> tuple[Any, ...]:
    """The values of a record."""
    header_end, at = _varint(payload, 0)
    place, values = header_end, []
    while at < header_end:
        kind, at = _varint(payload, at)
        value, place = _value(payload, place, kind)
        values.append(value)
    if place != len(payload):
        raise ValueError("no record")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A value of a serial type, and where the next one begins."""
    if kind < len(_INTEGER_BYTES):
        end = at + _INTEGER_BYTES[kind]
        return (int.from_bytes(payload[at:end], signed=True) if kind else None), end
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind < 12:
        raise ValueError("a reserved type")
    end = at + (kind - 12) // 2
    return (payload[at:end].decode() if kind % 2 else payload[at:end]), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of one to nine bytes, and where the next thing begins."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64 if value >> 63 else 0), at + 9


def _committed(log: bytes) -> tuple[dict[int, bytes], bool]:
    """Pages by number as the log's last whole transaction left them; whether the log is damaged.

    A writer that was killed leaves at most one frame unfinished, at the end. A frame of the same
    writing after a broken one means that what came between is lost.
    """
    if len(log) < _LOG_HEADER_BYTES:
        return {}, False
    magic, _, page_bytes, _, *salts = struct.unpack_from(">6I", log)
    order = ">" if magic & 1 else "<"
    sums = _checksum(log[:24], (0, 0), order)
    if (
        magic not in _LOG_MAGIC
        or page_bytes != PAGE_BYTES
        or sums != struct.unpack_from(">II", log, 24)
    ):
        return {}, True
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    broken = False
    step = _FRAME_HEADER_BYTES + PAGE_BYTES
    for at in range(_LOG_HEADER_BYTES, len(log), step):
        frame = log[at : at + step]
        if len(frame) < step:
            break
        of_this_writing = list(struct.unpack_from(">II", frame, 8)) == salts
        if broken and of_this_writing:
            return pages, True
        if broken or not of_this_writing:
            broken = True  # the end, unless more of this writing follows
            continue
        page = frame[_FRAME_HEADER_BYTES:]
        sums = _checksum(page, _checksum(frame[:8], sums, order), order)
        if sums != struct.unpack_from(">II", frame, 16):
            broken = True
            continue
        number, after_commit = struct.unpack_from(">II", frame)
        pending[number] = page
        if after_commit:
            pages |= pending
            pending = {}
    return pages, False


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """The log's running checksum."""
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
