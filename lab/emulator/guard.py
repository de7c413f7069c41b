"""Whom the emulator answers: programs of this machine, and no web page of somebody else's.

It listens on loopback only, but a browser on this machine reaches loopback for any page: by a name
of the page's own that leads here (DNS rebinding), or by posting here from another site.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def objection(headers: Mapping[str, str], *, controls: bool) -> str:
    """Why a request is not answered, "" when it is.

    headers: by lower-case name. controls: it is for the emulator itself, which asks for no key.
    """
    host = headers.get("host", "")
    if not _is_here(f"//{host}"):
        return f"Host {host!r} is not this machine; use 127.0.0.1 or localhost"
    origin = headers.get("origin")
    if controls and origin is not None and origin != f"http://{host}":
        return f"Origin {origin!r} may not use the controls; no web page but the emulator's own may"
    return ""


def _is_here(address: str) -> bool:
    try:
        name = (urlsplit(address).hostname or "").rstrip(".")
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
