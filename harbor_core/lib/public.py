"""The URL under which this client reaches us.

Only configured URLs are ever echoed: scheme and port come from the matching entry, the request's Host just selects it.
"""

from urllib.parse import urlsplit

from django.conf import settings

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    own = urlsplit(settings.EXTERNAL_URL)
    default_port = 443 if own.scheme == "https" else 80
    suffix = "" if (own.port or default_port) == default_port else f":{own.port}"
    for host in _LOOPBACK:
        # A client on the same machine, and tests: same scheme and port as the external URL, or the port we listen on.
        table[f"{host}{suffix}"] = f"{own.scheme}://{host}{suffix}"
        table[f"{host}:{settings.PORT}"] = f"{own.scheme}://{host}:{settings.PORT}"
    for url in settings.PUBLIC_URLS:
        parts = urlsplit(url)
        table[parts.netloc] = url
        table.setdefault(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}", url)
    return table


_hosts = _table()
_names = {*_LOOPBACK, urlsplit(settings.EXTERNAL_URL).hostname}


def public_url(host_header: str) -> str:
    """``https://registry.example`` for a Host header; the external URL for a host that is not ours."""
    return _hosts.get(host_header.lower(), settings.EXTERNAL_URL)


def is_own_host(host: str) -> bool:
    """Would the registry itself not be reached any more, if this name (with a port or without) led elsewhere?"""
    name = host.rpartition(":")[0] if host in _hosts else host
    return name in _names
