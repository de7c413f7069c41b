"""Reject requests sent by other sites' pages in a browser on this machine.

The emulator listens on loopback only, but any page in a local browser can reach loopback: through
a host name that resolves to 127.0.0.1 (DNS rebinding), or with a cross-site POST.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from lab.loopback import is_loopback


def rejection_reason(headers: Mapping[str, str], *, is_control: bool) -> str:
    """Why a request is rejected, "" when it is accepted.

    headers: by lower-case name. is_control: the request is for the emulator's own controls, which
    need no key.
    """
    host = headers.get("host", "")
    if not _is_this_machine(host):
        return f"Host {host!r} is not this machine; use 127.0.0.1 or localhost"
    origin = headers.get("origin")
    if is_control and origin is not None and origin != f"http://{host}":
        return f"Origin {origin!r} may not use the controls; only the emulator's own pages may"
    return ""


def _is_this_machine(host_header: str) -> bool:
    try:
        host = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    return is_loopback(host.rstrip("."))
