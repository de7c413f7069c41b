"""Tells whether a host name or a URL is that of this machine."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """True for "localhost" and for a loopback IP address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """True for a URL whose host is this machine; False for an invalid URL."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
