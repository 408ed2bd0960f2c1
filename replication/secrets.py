"""Credentials of remote registries at rest, and as answers show them."""

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from harbor_core.lib import crypto
from harbor_core.lib.errors import HarborError

MASK = "*****"  # stands for a secret in answers; sent back, it means the one that is stored
PROXY_MAX = 512


def sealed(secret: str) -> str:
    return crypto.encrypt(secret) if secret else ""


def unsealed(stored: str) -> str:
    """Raises BAD_REQUEST when it was written under a key that is not known here."""
    try:
        return crypto.decrypt(stored) if stored else ""
    except crypto.UndecryptableError as exc:
        raise HarborError("BAD_REQUEST", f"{exc} Give the credentials of the registry again.") from exc


# ---------------------------------------------------------------------- further credentials
def more_sealed(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Access keys and secrets as they are stored."""
    return [[key, sealed(secret)] for key, secret in pairs]


def more_of(stored: list[list[str]] | None) -> list[tuple[str, str]]:
    """Access keys and secrets in clear. Raises BAD_REQUEST as :func:`unsealed`."""
    return [(key, unsealed(secret)) for key, secret in stored or []]


def more_as_meant(given: list[tuple[str, str]], stored: list[list[str]] | None) -> list[tuple[str, str]]:
    """A masked secret is the one that is stored for the same access key. Raises BAD_REQUEST."""
    known = dict(more_of(stored)) if any(secret == MASK for _, secret in given) else {}
    return [(key, known.get(key, "") if secret == MASK else secret) for key, secret in given]


# ---------------------------------------------------------------------- proxies, whose address may hold a password
def check_proxy(url: str) -> None:
    """``http(s)://[user:password@]host:port``. Raises BAD_REQUEST."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname and parts.port) and parts.scheme in ("http", "https")
    except ValueError:
        usable = False
    plain = len(url) <= PROXY_MAX and url.isascii() and url.isprintable() and " " not in url
    if not usable or not plain or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise HarborError("BAD_REQUEST", "the proxy is not an address of the form http(s)://[user:password@]host:port")


def without_password(url: str) -> tuple[str, str]:
    """A proxy's address and its password, for storing them apart."""
    parts = urlsplit(url)
    if not parts.password:
        return url, ""
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), parts.password


def with_password(url: str, password: str) -> str:
    """The other way round; with the mask for a password as answers show it."""
    parts = urlsplit(url)
    if not password:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


def proxy_as_meant(given: str, url: str, stored: str) -> str:
    """What was shown stands for what is stored. Raises BAD_REQUEST."""
    if f":{MASK}@" not in given:
        return given
    if given != with_password(url, MASK):
        raise HarborError("BAD_REQUEST", "the proxy changes: give its password again")
    return with_password(url, unsealed(stored))
