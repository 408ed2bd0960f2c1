"""Where calls to other systems may go.

Users name addresses that this server then calls (issuers of identity tokens, say). So only addresses of the public
internet are called: not this machine, not its private network, not the metadata service of a cloud. Exceptions are
``HARBOR_OUTBOUND_ALLOWED``, and callers whose targets only administrators name (``private=True``: all but link-local
addresses).

The name is resolved once and the connection goes to an address that was looked at, so a name that changes its mind
between check and use gains nothing.
"""

import ipaddress
import socket
from functools import lru_cache

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# IPv6 addresses that stand for an IPv4 address which a gateway on the way will call.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class RefusedTargetError(Exception):
    """The target may not be called; the message says why."""


def addresses(host: str, port: int, *, private: bool = False) -> list[str]:
    """The addresses of the host that may be called, in the resolver's order. Raises RefusedTargetError when there is
    none, OSError when the name cannot be resolved."""
    networks, names = _exceptions(tuple(settings.OUTBOUND_ALLOWED))
    found = list(dict.fromkeys(str(entry[4][0]) for entry in _resolve(host, port)))
    if _is_named(host.lower().rstrip("."), names):
        return found
    may_call = _may_call_private if private else _may_call
    allowed = [text for text in found if may_call(ipaddress.ip_address(text.partition("%")[0]), networks)]
    if not allowed and private:
        raise RefusedTargetError(f"{host} is a link-local address")
    if not allowed:
        raise RefusedTargetError(f"{host} is not an address of the public internet")
    return allowed


def _resolve(host: str, port: int) -> list[tuple]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:  # a label that is empty or too long
        raise OSError(f"{host[:100]} is not a host name") from exc


def _may_call(address: Address, networks: tuple[Network, ...]) -> bool:
    if any(address in network for network in networks):
        return True
    inner = _inner(address)
    if inner is not None:
        return _may_call(inner, networks)
    return address.is_global and not address.is_multicast


def _may_call_private(address: Address, networks: tuple[Network, ...]) -> bool:
    """Link-local addresses belong to the machine it runs on: there a cloud tells its secrets."""
    return _may_call(address, networks) or not (_inner(address) or address).is_link_local


def _inner(address: Address) -> Address | None:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


@lru_cache(maxsize=4)
def _exceptions(entries: tuple[str, ...]) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    networks: list[Network] = []
    names: list[str] = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError:
            names.append(entry.lower())
    return tuple(networks), tuple(names)


def _is_named(host: str, names: tuple[str, ...]) -> bool:
    return any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in names)
