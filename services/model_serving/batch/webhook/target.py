"""The address that a caller gives, read once: what was checked is what is called."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.model_serving.batch.webhook.errors import InvalidWebhook
from services.model_serving.batch.webhook.networks import Networks

MOST_CHARACTERS = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
VISIBLE = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without the backslash, which some parsers take for a slash."""
NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to deliver.

    Attributes:
        scheme: `http` or `https`.
        host: A name or an address, without brackets.
        port: The one that is called.
        path: With the query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str, *, ports: Collection[int], networks: Networks) -> Target:
    """Read an address; a name is not looked up, since what it leads to may be another address when it is called.

    Raises:
        InvalidWebhook: It is none, has another port, or names an address that may not be connected to.
    """
    if len(url) > MOST_CHARACTERS or not VISIBLE.fullmatch(url):
        raise InvalidWebhook(f"must be an address of at most {MOST_CHARACTERS} visible ASCII characters")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise InvalidWebhook("must be an address such as https://example.com/jobs") from None
    if scheme not in DEFAULT_PORTS or not host:
        raise InvalidWebhook("must be an address such as https://example.com/jobs")
    if "@" in parts.netloc:
        raise InvalidWebhook("must hold no user name and no password")
    if "#" in url:
        raise InvalidWebhook("must hold no fragment")
    port = DEFAULT_PORTS[scheme] if port is None else port
    if port not in ports:
        raise InvalidWebhook(f"must have one of the ports {', '.join(map(str, sorted(ports)))}")
    _check_host(host, networks, encrypted=scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, host, port, path)


def _check_host(host: str, networks: Networks, *, encrypted: bool) -> None:
    try:
        address = str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        if not NAME.fullmatch(host):
            raise InvalidWebhook("must name a host") from None
        return
    if "%" in host or not (networks.permits(address) if encrypted else networks.allows(address)):
        raise InvalidWebhook("must not lead into a private or reserved network")
