"""Where Jupyter serves a file: its own `/files/` route, which plays ranges and asks who one is."""

import json
import os
from functools import cache
from pathlib import Path

from lab.errors import InputError


def served(path: Path) -> str:
    """A file's address below Jupyter's base address, such as files/runs/demo/report.html.

    Raises InputError for a file outside the folder that Jupyter serves.
    """
    root = server_root()
    # As named first: Jupyter follows links, such as that of a home folder to a large disk.
    for place, above in ((Path(os.path.abspath(path)), root), (path.resolve(), root.resolve())):
        if place.is_relative_to(above):
            inside = place.relative_to(above)
            break
    else:
        raise InputError(
            f"{path}: lies outside {root}, the folder that Jupyter serves; start Jupyter in a "
            "folder above it, or keep the run below that folder"
        )
    if any(part.startswith(".") for part in inside.parts):
        raise InputError(f"{path}: Jupyter serves nothing below a folder whose name starts with .")
    return "/".join(("files", *inside.parts))


@cache
def server_root() -> Path:
    """The folder that this kernel's Jupyter server serves; the working folder without a server."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    for info in _servers():
        if str(info.get("pid")) == parent:
            return Path(info["root_dir"])
    return Path.cwd()


def _servers() -> list[dict[str, str]]:
    """What running servers of this user wrote down about themselves."""
    from jupyter_core.paths import jupyter_runtime_dir

    found = []
    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue  # it ended meanwhile
    return found
