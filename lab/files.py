"""Writes files atomically, checks paths and folders, and hashes content."""

import atexit
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from lab.errors import InputError, RunFolderError
from lab.units import bytes_text, escape_controls

TEMP_SUFFIX = ".part"
_MAX_STEM_BYTES = 80
"""With a hash, a suffix and the mark of a temporary file added, a name stays under 143 bytes. That
is the limit of eCryptfs; most file systems allow 255."""
_MAX_SUFFIX_BYTES = 16
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def file_name(text: str, ending: str = "") -> str:
    """A valid file name from a text and an ending.

    Separators and control characters become "_". A text over 80 bytes of UTF-8 is cut between
    letters. A changed text gets its hash added, so that different texts give different names.
    """
    printable = "".join("_" if char in "/\\" or not char.isprintable() else char for char in text)
    stem = _cut(printable, _MAX_STEM_BYTES)
    return f"{stem}{'' if stem == text else '-' + content_id(text, 8)}{ending}"


def file_suffix(path: Path) -> str:
    """The suffix of a file, in lower case and at most 16 bytes long."""
    return _cut(path.suffix.lower(), _MAX_SUFFIX_BYTES)


def _cut(text: str, most_bytes: int) -> str:
    """The longest prefix of at most `most_bytes` bytes that keeps letters and accents together."""
    end = len(text.encode("utf-8", "surrogatepass")[:most_bytes].decode("utf-8", "ignore"))
    while 0 < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return text[:end]


def as_path(value: object, error: type[InputError]) -> Path:
    """The value as a path. Raises `error` when it is not a path."""
    if not isinstance(value, str | os.PathLike):
        raise error(f"expected a path, not {value!r}")
    return Path(value)


@contextmanager
def open_input_file(path: Path, error: type[InputError], most_bytes: int) -> Iterator[BinaryIO]:
    """Open a regular file of at most `most_bytes` for reading.

    Raises `error` when it is missing, a folder, a pipe or device, too large, or unreadable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise error(f"{path}: is {kind}; name a file")
        if status.st_size > most_bytes:
            size, most = bytes_text(status.st_size), bytes_text(most_bytes)
            raise error(f"{path}: {size} is too large; at most {most}")
        file = path.open("rb")
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror})") from reason
    except ValueError as reason:
        raise error(f"{str(path)!r}: is not a path ({reason})") from reason
    with file:
        yield file


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; rename it to `path` if the block succeeds.

    Its name ends with the suffix of `path` and `.part`. It is flushed to disk before the rename and
    deleted when the block fails. Raises RunFolderError on a full disk or quota.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(
        prefix=f".{_cut(path.stem, _MAX_STEM_BYTES)}-",
        suffix=f"{_cut(path.suffix, _MAX_SUFFIX_BYTES)}{TEMP_SUFFIX}",
        dir=path.parent,
    )
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            raise RunFolderError(
                f"{path.parent}: the disk is full; free space and try again"
            ) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON atomically. Raises ValueError for NaN: write null and a reason."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    write_text(path, escape_controls(text))  # a path in it may have bytes that are not UTF-8


def remove_temp_files(folder: Path) -> None:
    """Delete the temporary files of a killed writer in `folder`, but not in its subfolders."""
    for part in folder.glob(f".*{TEMP_SUFFIX}"):
        with suppress(FileNotFoundError):
            part.unlink()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_id(value: Any, length: int = 12) -> str:
    """A hash of plain data, in hex. Equal data has the same id on any machine."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def make_writable_folder(folder: Path) -> Path:
    """Create `folder` if it is missing, and check that files can be written in it.

    Raises RunFolderError otherwise.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder)
    except OSError as error:
        raise RunFolderError(
            f"{folder}: cannot write here ({error.strerror}); name another folder"
        ) from error
    return folder


def check_writable(folder: Path) -> None:
    """Raise OSError unless files can be written in an existing folder."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"\0")


def folder_or_temporary(folder: Path) -> Path:
    """The folder, created if it is missing. For a read-only one: a temporary folder.

    Raises RunFolderError when writing fails for another reason.
    """
    try:
        return make_writable_folder(folder)
    except RunFolderError as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE):
            raise
        return temporary_folder_for(folder)


def temporary_folder_for(folder: Path) -> Path:
    """The temporary folder that replaces this one until the process ends."""
    return _temporary_folder(folder.absolute())


@cache
def _temporary_folder(replaced: Path) -> Path:
    temporary = Path(tempfile.mkdtemp(prefix="i2v-lab-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def target_outside(path: Path, folder: Path) -> str:
    """The real location of a path that leads out of a folder; "" for a path inside.

    Links in the path and in the folder are followed.
    """
    try:
        real = path.resolve()
        return "" if real.is_relative_to(folder.resolve()) else str(real)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or not a path
        return f"nowhere ({error})"
