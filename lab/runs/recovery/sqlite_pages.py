"""Reads rows from a damaged SQLite file page by page, without its schema or its B-tree.

The file format: https://www.sqlite.org/fileformat2.html. The reader covers what a ledger uses:
UTF-8 text, table leaf pages, overflow pages and the write-ahead log beside the file.
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.runs.ledger.schema import PAGE_BYTES, Table

_MAGIC = b"SQLite format 3\0"
_FILE_HEADER_BYTES = 100
_TABLE_LEAF = 0x0D
_LEAF_HEADER_BYTES = 8
_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_LOG_MAGIC = (0x377F0682, 0x377F0683)  # with the last bit set, checksums use big-endian words
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)  # by serial type
_LONGEST_COLUMN: dict[Table, str] = {"facts": "value", "takes": "take", "events": "data"}

Row = tuple[int, tuple[Any, ...]]
"""The rowid, and the columns as they are stored."""


@dataclass(frozen=True)
class DatabaseImage:
    """The pages of a database file, updated with the transactions of its write-ahead log.

    wal_damaged: the write-ahead log is damaged, so later changes may be missing.
    """

    content: bytes
    wal_damaged: bool

    @classmethod
    def read(cls, path: Path) -> "DatabaseImage":
        """Read a database file and its log, if there is one."""
        content = bytearray(path.read_bytes())
        log = path.with_name(f"{path.name}-wal")
        pages, wal_damaged = _committed_pages(log.read_bytes()) if log.is_file() else ({}, False)
        for number, page in pages.items():
            content.extend(bytes(max(0, number * PAGE_BYTES - len(content))))
            content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = page
        return cls(bytes(content), wal_damaged)

    def page(self, number: int) -> bytes:
        """A page by its number, counted from 1. A truncated page is padded with zeros."""
        page = self.content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
        return page.ljust(PAGE_BYTES, b"\0")

    @property
    def page_count(self) -> int:
        """The number of pages, including a truncated last one."""
        return -(-len(self.content) // PAGE_BYTES)

    def table_is_readable(self, table: Table) -> bool:
        """True when SQLite itself can read every row of a table."""
        # Bytes 18 and 19 select the journal mode. The image already includes the log, so they are
        # set to "no write-ahead log".
        without_log = self.content[:18] + b"\1\1" + self.content[20:]
        try:
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.deserialize(without_log)
                column = _LONGEST_COLUMN[table]
                # length() reads the whole text without decoding it into Python.
                connection.execute(
                    f"SELECT total(length({column})) FROM {table} NOT INDEXED"  # noqa: S608 - no user input
                ).fetchone()
        except sqlite3.Error:
            return False
        return True

    @property
    def free_pages(self) -> set[int] | None:
        """The numbers of unused pages; None when the list of free pages is damaged."""
        header = self.page(1)
        if not header.startswith(_MAGIC):
            return None
        trunk, count = struct.unpack_from(">II", header, 32)
        free: set[int] = set()
        while trunk:
            if trunk in free or not 1 < trunk <= self.page_count:
                return None
            following, leaves = struct.unpack_from(">II", self.page(trunk))
            if leaves > PAGE_BYTES // 4 - 2:
                return None
            free |= {trunk, *struct.unpack_from(f">{leaves}I", self.page(trunk), 8)}
            trunk = following
        return free if len(free) == count else None

    def rows(self) -> Iterator[Row]:
        """Every readable row of every table leaf page in use."""
        unused = self.free_pages or set()
        for number in range(1, self.page_count + 1):
            page = self.page(number)
            start = _FILE_HEADER_BYTES if number == 1 else 0
            if number in unused or page[start] != _TABLE_LEAF:
                continue
            (cells,) = struct.unpack_from(">H", page, start + 3)
            pointers = start + _LEAF_HEADER_BYTES
            for pointer in range(pointers, min(pointers + 2 * cells, PAGE_BYTES - 1), 2):
                (offset,) = struct.unpack_from(">H", page, pointer)
                try:
                    yield self._cell(page, offset)
                except (ValueError, IndexError, struct.error):
                    continue  # the pointer, the cell or its overflow chain is damaged

    def _cell(self, page: bytes, offset: int) -> Row:
        size, offset = _varint(page, offset)
        rowid, offset = _varint(page, offset)
        if size > len(self.content):
            raise ValueError("the row is longer than the file")
        # The file format's rule for how much of a long row is stored on the leaf page itself.
        local, max_local = size, PAGE_BYTES - 35
        if size > max_local:
            min_local = (PAGE_BYTES - 12) * 32 // 255 - 23
            local = min_local + (size - min_local) % (PAGE_BYTES - 4)
            local = local if local <= max_local else min_local
        payload = bytearray(page[offset : offset + local])
        if size > local:
            (following,) = struct.unpack_from(">I", page, offset + local)
            while len(payload) < size:
                if not 1 < following <= self.page_count:
                    raise ValueError("an overflow page is missing")
                overflow = self.page(following)
                payload += overflow[4 : 4 + size - len(payload)]
                (following,) = struct.unpack_from(">I", overflow)
        if len(payload) < size:
            raise ValueError("the row is truncated")
        return rowid, _columns(bytes(payload))


def _columns(payload: bytes) -> tuple[Any, ...]:
    """The values of a record: a header of serial types, then the values."""
    header_end, header_offset = _varint(payload, 0)
    offset, values = header_end, []
    while header_offset < header_end:
        serial_type, header_offset = _varint(payload, header_offset)
        value, offset = _value(payload, offset, serial_type)
        values.append(value)
    if offset != len(payload):
        raise ValueError("the header does not fit the record")
    return tuple(values)


def _value(payload: bytes, offset: int, serial_type: int) -> tuple[Any, int]:
    """The value at an offset, and the offset after it."""
    if serial_type < len(_INTEGER_BYTES):
        end = offset + _INTEGER_BYTES[serial_type]
        return (int.from_bytes(payload[offset:end], signed=True) if serial_type else None), end
    if serial_type == 7:
        return struct.unpack_from(">d", payload, offset)[0], offset + 8
    if serial_type in (8, 9):  # the constants 0 and 1
        return serial_type - 8, offset
    if serial_type < 12:
        raise ValueError("a reserved serial type")
    end = offset + (serial_type - 12) // 2
    return (payload[offset:end].decode() if serial_type % 2 else payload[offset:end]), end


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """A variable-length integer of one to nine bytes, and the offset after it."""
    value = 0
    for index in range(8):
        byte = data[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    value = value << 8 | data[offset + 8]
    return value - (1 << 64 if value >> 63 else 0), offset + 9


def _committed_pages(log: bytes) -> tuple[dict[int, bytes], bool]:
    """Pages by number after the last complete transaction; and whether the log is damaged.

    A killed writer leaves at most one invalid frame, the last one. The log is therefore damaged if
    a frame with the log's own salts follows an invalid frame.
    """
    if len(log) < _LOG_HEADER_BYTES:
        return {}, False
    magic, _, page_bytes, _, *salts = struct.unpack_from(">6I", log)
    byte_order = ">" if magic & 1 else "<"
    checksum = _log_checksum(log[:24], (0, 0), byte_order)
    if (
        magic not in _LOG_MAGIC
        or page_bytes != PAGE_BYTES
        or checksum != struct.unpack_from(">II", log, 24)
    ):
        return {}, True
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    seen_invalid = False
    frame_bytes = _FRAME_HEADER_BYTES + PAGE_BYTES
    for start in range(_LOG_HEADER_BYTES, len(log), frame_bytes):
        frame = log[start : start + frame_bytes]
        if len(frame) < frame_bytes:
            break
        salts_match = list(struct.unpack_from(">II", frame, 8)) == salts
        if seen_invalid and salts_match:
            return committed, True
        if seen_invalid or not salts_match:
            # A frame with other salts is left from an older log. If a frame with this log's salts
            # follows it, the log is damaged.
            seen_invalid = True
            continue
        page = frame[_FRAME_HEADER_BYTES:]
        checksum = _log_checksum(page, _log_checksum(frame[:8], checksum, byte_order), byte_order)
        if checksum != struct.unpack_from(">II", frame, 16):
            seen_invalid = True
            continue
        number, pages_after_commit = struct.unpack_from(">II", frame)
        pending[number] = page
        if pages_after_commit:
            committed |= pending
            pending = {}
    return committed, False


def _log_checksum(data: bytes, checksum: tuple[int, int], byte_order: str) -> tuple[int, int]:
    """The write-ahead log's cumulative checksum, continued over more data."""
    one, two = checksum
    words = struct.unpack(f"{byte_order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
