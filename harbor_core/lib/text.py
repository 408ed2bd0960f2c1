"""Text from outside that has to fit a database."""

from typing import Any

_REPLACEMENT = "\ufffd"


def storable(value: Any) -> Any:
    """A JSON value whose strings PostgreSQL can hold: NUL and halves of surrogate pairs become U+FFFD.

    Used for what is extracted from manifests and configs; their bytes are kept as they came.
    """
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        clean = value.replace("\0", _REPLACEMENT)
        return clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value
