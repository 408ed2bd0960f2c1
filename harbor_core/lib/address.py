"""Addresses of other systems as people type them."""

from urllib.parse import urlsplit, urlunsplit

MAX_LENGTH = 2048


def http_address(text: str, *, query: bool = False) -> str:
    """``http(s)://host[:port][/path]`` without a slash at the end; http is meant where no scheme is given.

    ``query`` keeps what follows a question mark. A name or password in it is refused, as is anything that does not
    stand in an address in clear. Raises ValueError with a sentence.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    plain = len(text) <= MAX_LENGTH and text.isascii() and text.isprintable() and " " not in text
    if not usable or not plain or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ValueError(f"{text[:200]!r} is not an address of the form http(s)://host[:port]")
    path = parts.path if query else parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query if query else "", ""))
