"""Which addresses may be connected to on behalf of a caller."""

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

UNICAST = ipaddress.ip_network("2000::/3")
"""All that was ever given out of IPv6; the translated forms of IPv4 addresses are elsewhere."""
ISATAP = frozenset({bytes.fromhex("00005efe"), bytes.fromhex("02005efe")})
"""What stands before an IPv4 address in the lower half of an IPv6 address that is a tunnel to it (RFC 5214)."""
REFUSED: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
"""Of the registries of special addresses (RFC 6890), and what leads to IPv4 through IPv6 (6to4, Teredo, NAT64), for
that may be an address of this network again. Written out, since what Python calls global changes with its version."""


class Networks:
    """Addresses of the internet, and those of networks that the operator allows.

    Args:
        allowed: Networks that would be refused otherwise.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def permits(self, address: str) -> bool:
        """Whether an address may be connected to; what cannot be read may not."""
        found = _read(address)
        if found is None:
            return False
        return self._allows(found) or _is_public(found)

    def allows(self, address: str) -> bool:
        """Whether the operator allows its network by name."""
        found = _read(address)
        return found is not None and self._allows(found)

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address not in UNICAST or address.packed[8:12] in ISATAP):
        return False
    return address.is_global and not any(address in network for network in REFUSED)


def _read(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
