"""Finds the URL at which Jupyter serves a file.

Jupyter's `/files/` route supports byte ranges, which video needs, and checks the user's login.
"""

import json
import os
from functools import cache
from pathlib import Path

from lab.errors import InputError


def file_url(path: Path) -> str:
    """A file's URL relative to Jupyter's base URL, such as files/runs/demo/report.html.

    Raises InputError for a file outside the folder that Jupyter serves, and for a hidden one.
    """
    root = server_root()
    # Try the path as given first, because Jupyter follows links inside its root folder.
    candidates = ((Path(os.path.abspath(path)), root), (path.resolve(), root.resolve()))
    for file, folder in candidates:
        if file.is_relative_to(folder):
            relative = file.relative_to(folder)
            break
    else:
        raise InputError(
            f"{path}: lies outside {root}, the folder that Jupyter serves; start Jupyter in a "
            "folder above it, or keep the run below that folder"
        )
    if any(part.startswith(".") for part in relative.parts):
        raise InputError(f"{path}: Jupyter serves nothing below a folder whose name starts with .")
    return "/".join(("files", *relative.parts))


@cache
def server_root() -> Path:
    """The folder that this kernel's Jupyter server serves; without a server, the working folder."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    for server in _running_servers():
        if str(server.get("pid")) == parent:
            return Path(server["root_dir"])
    return Path.cwd()


def _running_servers() -> list[dict[str, str]]:
    """The contents of the information files that this user's running servers have written."""
    from jupyter_core.paths import jupyter_runtime_dir

    servers = []
    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            servers.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue  # the server has just stopped
    return servers
