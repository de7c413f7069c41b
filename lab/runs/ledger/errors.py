"""Translates SQLite's errors on a ledger into errors that say what to change."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import BusyError, LabError, RunFolderError

_MAX_PATH_BYTES = 500
"""SQLite on Unix accepts 512 bytes, including the suffix of the write-ahead log."""
_MAX_REASON_CHARACTERS = 160
"""The message stays one readable line, even where SQLite quotes a whole row."""


class DamagedLedgerError(RunFolderError):
    """The content of the ledger is broken. A ledger that cannot be reached raises other errors."""


def damaged_ledger(path: Path, reason: str) -> DamagedLedgerError:
    """The error for a ledger whose content is broken; its message is one line."""
    printable = "".join(char if char.isprintable() else " " for char in reason)
    line = " ".join(printable.split())[:_MAX_REASON_CHARACTERS]
    return DamagedLedgerError(
        f"{path}: the ledger is damaged ({line}); `lab recover {path.parent}` rebuilds it "
        "from what can be read"
    )


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Turn each SQLite error into a LabError that says what to change.

    Raises BusyError for a locked file, DamagedLedgerError for broken content, and RunFolderError
    for anything else.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a bug in this toolkit, for example a ledger that was closed too early
    except sqlite3.DatabaseError as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: sqlite3.DatabaseError) -> LabError:
    # Errors of the sqlite3 module itself have no code. For text that is not UTF-8 the message
    # quotes the whole value.
    code = getattr(error, "sqlite_errorname", None) or ""
    kind = code.removeprefix("SQLITE_").partition("_")[0]
    if kind in ("BUSY", "LOCKED", "PROTOCOL"):
        return BusyError(f"{path}: another process keeps the ledger locked; wait and try again")
    if kind == "FULL":
        return RunFolderError(f"{path}: the disk is full; free space and try again")
    if kind == "CANTOPEN" and len(os.fsencode(path.absolute())) > _MAX_PATH_BYTES:
        return RunFolderError(
            f"{path}: SQLite cannot open a path of more than {_MAX_PATH_BYTES} bytes; name a run "
            "folder with a shorter path"
        )
    if kind in ("READONLY", "CANTOPEN", "PERM", "AUTH"):
        return RunFolderError(
            f"{path}: the ledger cannot be opened or written ({error}); you need write "
            "permission for it and its folder"
        )
    content_is_broken = code in (
        "SQLITE_IOERR_SHORT_READ",
        "SQLITE_IOERR_CORRUPTFS",
        "SQLITE_IOERR_DATA",
    )
    if kind in ("IOERR", "NOMEM", "NOLFS", "INTERRUPT") and not content_is_broken:
        return RunFolderError(
            f"{path}: the ledger cannot be read or written ({error}); check the disk and its free "
            "space"
        )
    # Every other error means broken pages, or a schema or row that this toolkit did not write.
    return damaged_ledger(path, str(error) if code else "text that is not UTF-8")
