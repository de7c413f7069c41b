"""Reject requests that a web page could make a browser on this machine send.

The emulator listens on loopback only, but any page in a local browser can reach loopback: through
a host name that resolves to 127.0.0.1 (DNS rebinding), or with a cross-site POST.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def rejection_reason(headers: Mapping[str, str], *, is_control: bool) -> str:
    """Why a request is rejected, "" when it is accepted.

    headers: by lower-case name. is_control: the request is for the emulator's own controls, which
    need no key.
    """
    host = headers.get("host", "")
    if not _is_loopback(f"//{host}"):
        return f"Host {host!r} is not this machine; use 127.0.0.1 or localhost"
    origin = headers.get("origin")
    if is_control and origin is not None and origin != f"http://{host}":
        return f"Origin {origin!r} may not use the controls; only the emulator's own pages may"
    return ""


def _is_loopback(address: str) -> bool:
    try:
        name = (urlsplit(address).hostname or "").rstrip(".")
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
