"""Decide whether an IP address is on the public Internet."""

import ipaddress

# An own table is needed because `is_global` of `ipaddress` differs between Python 3.11, 3.12 and
# 3.13, and some versions accept 192.0.0.9, ::8.8.8.8 or NAT64. Source: IANA's special-purpose
# address registries (RFC 6890 and its successors), read 2026-11.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # this machine
        "169.254.0.0/16",  # link-local, including the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
        # Only 2000::/3 is allocated. The rest contains ::/96 (IPv4-compatible), ::ffff:0:0/96
        # (IPv4-mapped), 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), fc00::/7, fe80::/10, ff00::/8.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # protocol assignments, including Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """True if this IP address is reachable from the whole Internet.

    An IPv6 address that embeds an IPv4 address does not count as public, because a translator could
    map it to a private network.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not any(parsed in network for network in _NOT_PUBLIC)
