"""Resolves the file names and patterns in a sweep file to paths."""

import glob
import os
from pathlib import Path


def matching_files(folder: Path, pattern: str) -> list[str]:
    """The files that match a pattern, sorted. A name without wildcards need not exist.

    folder: where relative patterns start. A part of the pattern that exists under its literal name
    is not a wildcard: this covers a file [1].png or a folder shoot[1]. Raises RuntimeError for an
    unknown user after ~, ValueError for a null byte.
    """
    path = resolve(folder, pattern)
    if not glob.has_magic(pattern) or os.path.isfile(path):
        return [str(path)]
    base = folder if path.is_relative_to(folder) else Path(path.anchor)
    parts = list(path.relative_to(base).parts)
    while len(parts) > 1 and os.path.isdir(base / parts[0]):
        base /= parts.pop(0)
    names = glob.glob(os.path.join(*parts), root_dir=base)
    return sorted(str(base / name) for name in names)


def resolve(folder: Path, path: str) -> Path:
    """The path, relative to the folder of the sweep file.

    A leading ~ is a home folder, unless the folder has a file of that literal name, such as ~a.png.
    Raises the same errors as `matching_files`.
    """
    literal = os.path.lexists(folder.joinpath(*Path(path).parts[:1]))
    return folder / (Path(path) if literal else Path(path).expanduser())
