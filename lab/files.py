"""Files that are whole or absent, and ids made from content."""

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
_MOST_STEM_BYTES = 80
"""With what is added to it (a hash, a suffix, a mark for temporaries) a name stays under 143 bytes,
the least that a common file system takes (eCryptfs; most take 255)."""
_MOST_SUFFIX_BYTES = 16
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def file_name(text: str, ending: str = "") -> str:
    """A file name that begins with `text`, as far as it fits, and ends with `ending`.

    Separators and control characters become "_", and a text over 80 bytes of UTF-8 is cut between
    letters. Where that changes the text, a hash of it is added: different texts stay different.
    """
    plain = "".join("_" if sign in "/\\" or not sign.isprintable() else sign for sign in text)
    kept = _cut(plain, _MOST_STEM_BYTES)
    return f"{kept}{'' if kept == text else '-' + content_id(text, 8)}{ending}"


def file_suffix(path: Path) -> str:
    """The suffix of a file, in small letters; a long one is none that anybody needs, and cut."""
    return _cut(path.suffix.lower(), _MOST_SUFFIX_BYTES)


def _cut(text: str, most_bytes: int) -> str:
    """The longest beginning that has at most so many bytes and parts no letter from its accents."""
    end = len(text.encode("utf-8", "surrogatepass")[:most_bytes].decode("utf-8", "ignore"))
    while 0 < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return text[:end]


def as_path(value: object, error: type[InputError]) -> Path:
    """A path from whatever a caller passed; `error` in one line when it cannot be one."""
    if not isinstance(value, str | os.PathLike):
        raise error(f"expected a path, not {value!r}")
    return Path(value)


@contextmanager
def open_input_file(path: Path, error: type[InputError], most_bytes: int) -> Iterator[BinaryIO]:
    """Open a file that somebody named, for reading.

    Raises `error` in one line when it is absent, a folder, a pipe or device, larger than
    `most_bytes`, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
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
        raise error(f"{str(path)!r}: is no path ({reason})") from reason
    with file:
        yield file


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` only if the block succeeds.

    The temporary keeps the suffix of `path` before `.part`, is flushed to disk before the rename,
    and is removed when the block fails. A full disk, or a quota, becomes RunFolderError.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(
        prefix=f".{_cut(path.stem, _MOST_STEM_BYTES)}-",
        suffix=f"{_cut(path.suffix, _MOST_SUFFIX_BYTES)}{TEMP_SUFFIX}",
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
                f"{path.parent}: the disk is full; free space and go on"
            ) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON, whole or not at all. NaN is refused: say null and a reason."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    write_text(path, escape_controls(text))  # a path may hold bytes that are no UTF-8


def remove_temp_files(folder: Path) -> None:
    """Delete temporaries that a killed writer left in `folder` (not below it)."""
    for part in folder.glob(f".*{TEMP_SUFFIX}"):
        with suppress(FileNotFoundError):
            part.unlink()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_id(value: Any, length: int = 12) -> str:
    """A short id of plain data: equal data, equal id, in any process and on any machine."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def make_writable_folder(folder: Path) -> Path:
    """Create `folder` if need be and prove that a file can be written in it.

    Raises RunFolderError with the operating system's reason otherwise.
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
    """Write something in a folder that is there, and leave nothing. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"\0")


def folder_or_temporary(folder: Path) -> Path:
    """The folder, made if need be; where nobody may write, a temporary one in its stead.

    The same one for a folder as long as this process lives; then it is deleted. Raises
    RunFolderError where writing fails for another reason.
    """
    try:
        return make_writable_folder(folder)
    except RunFolderError as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE):
            raise
        return temporary_folder_for(folder)


def temporary_folder_for(folder: Path) -> Path:
    """A temporary folder instead of this one: the same as long as this process lives."""
    return _made_once(folder.absolute())


@cache
def _made_once(folder: Path) -> Path:
    made = Path(tempfile.mkdtemp(prefix="i2v-lab-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def target_outside(path: Path, folder: Path) -> str:
    """Where a path really lies, when that is outside the folder it is written in; "" inside.

    A folder that is itself reached through a link is inside wherever that leads.
    """
    try:
        real = path.resolve()
        return "" if real.is_relative_to(folder.resolve()) else str(real)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, no path at all
        return f"nowhere ({error})"
