"""Rows are read from a damaged SQLite file page by page."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.runs.ledger.schema import PAGE_BYTES
from lab.runs.recovery.sqlite_pages import DatabaseImage

VALUES = [
    None,
    0,
    1,
    -1,
    127,
    -129,
    2**22,
    -(2**30),
    2**40,
    -(2**62),
    2**63 - 1,
    0.5,
    "",
    "é",
    b"\0",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table of 120 rows of all types and lengths, with interior and overflow pages."""
    path = tmp_path / "some.sqlite"
    rng = random.Random(1)
    with closing(sqlite3.connect(path)) as made, made:
        made.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        made.execute("CREATE TABLE takes (take, a, b)")
        for value in VALUES * 8:
            length = rng.choice([0, 5, 300, 4030, 4061, 4062, 9000, 60_000])
            made.execute("INSERT INTO takes VALUES (?, ?, ?)", ("x" * length, value, "é" * 3))
    return path


def selected(path: Path) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as opened:
        return set(opened.execute("SELECT rowid, * FROM takes"))


def rows_read(image: DatabaseImage) -> set[tuple[object, ...]]:
    return {(number, *columns) for number, columns in image.rows() if len(columns) == 3}


def overwrite(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))


def test_every_row_is_read_as_sqlite_reads_it(path: Path) -> None:
    """Every row of a sound file is read as SQLite reads it."""
    image = DatabaseImage.read(path)
    assert rows_read(image) == selected(path)
    assert image.table_is_readable("takes")
    assert image.free_pages == set()


def test_the_schema_and_the_tree_are_not_needed(path: Path) -> None:
    """Without the first page and the root page, every row is read; SQLite reads none."""
    rows = selected(path)
    for page in (1, 2):
        overwrite(path, page)
    image = DatabaseImage.read(path)
    assert rows_read(image) == rows
    assert not image.table_is_readable("takes")
    assert image.free_pages is None


def test_a_lost_page_costs_only_its_own_rows(path: Path) -> None:
    """With any page lost, only rows that were written are read."""
    rows = selected(path)
    content = path.read_bytes()
    for page in range(1, len(content) // PAGE_BYTES + 1, 5):
        path.write_bytes(content)
        overwrite(path, page)
        left = {row for row in rows_read(DatabaseImage.read(path)) if "\0" not in row[1]}
        assert left <= rows
        assert len(rows - left) <= 30


def test_free_pages_are_not_read(path: Path) -> None:
    """Rows on free pages are not read."""
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("DELETE FROM takes WHERE rowid > 20")
    image = DatabaseImage.read(path)
    assert image.free_pages
    used = set(range(1, image.page_count + 1)) - image.free_pages
    leaf = next(image.page(number) for number in used if image.page(number)[0] == 0x0D)
    content = bytearray(image.content)
    for number in image.free_pages:  # what stood there is still there, but for the list itself
        if any(image.page(number)[:8]):
            continue
        content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = leaf
    assert bytes(content) != image.content
    stale = DatabaseImage(bytes(content), wal_damaged=False)
    assert sorted(map(repr, stale.rows())) == sorted(map(repr, image.rows()))
    assert rows_read(stale) == selected(path)


@pytest.fixture
def logged(path: Path, tmp_path: Path) -> Iterator[tuple[Path, set[tuple[object, ...]]]]:
    """A file and its write-ahead log as a killed writer leaves them, and their rows."""
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(1, 60):
            with writer:
                writer.execute("UPDATE takes SET b = ? WHERE rowid = ?", (str(number), number))
        rows = selected(path)
        copy = tmp_path / "copy.sqlite"
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        yield copy, rows


def test_the_log_is_read(logged: tuple[Path, set[tuple[object, ...]]]) -> None:
    """Committed pages of the log replace those of the file."""
    copy, rows = logged
    image = DatabaseImage.read(copy)
    assert rows_read(image) == rows
    assert image.table_is_readable("takes")
    assert not image.wal_damaged


def test_an_unfinished_transaction_does_not_count(
    logged: tuple[Path, set[tuple[object, ...]]],
) -> None:
    """A truncated last frame is neither damage nor a change."""
    copy, rows = logged
    log = Path(f"{copy}-wal")
    log.write_bytes(log.read_bytes()[:-100])
    image = DatabaseImage.read(copy)
    assert not image.wal_damaged
    assert {row for row in rows_read(image) if row[0] != 59} == {
        row for row in rows if row[0] != 59
    }


@pytest.mark.parametrize("at", [0, 40, 32 + 24 + 100, 32 + 10 * (24 + PAGE_BYTES) + 500])
def test_a_damaged_log_is_detected(logged: tuple[Path, set[tuple[object, ...]]], at: int) -> None:
    """Damage before the end of the log is detected."""
    copy, _ = logged
    log = Path(f"{copy}-wal")
    content = bytearray(log.read_bytes())
    content[at] ^= 0xFF
    log.write_bytes(content)
    assert DatabaseImage.read(copy).wal_damaged


@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_any_bytes_can_be_read(start: bytes, seed: int) -> None:
    """Reading ends without an error for any bytes."""
    noise = random.Random(seed).randbytes(2 * PAGE_BYTES)
    page = (b"\x0d\0\0" + start).ljust(PAGE_BYTES, b"\x81")
    list(DatabaseImage(page + noise, wal_damaged=False).rows())
    list(DatabaseImage(noise + page, wal_damaged=False).rows())
