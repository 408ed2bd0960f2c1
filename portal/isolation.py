"""Names inside sentences: one that runs from right to left must not turn the words around it (Unicode UAX #9)."""

import unicodedata

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_CONTROLS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_LEFTWARD = {"R", "AL", "AN"}


def isolated(name: str) -> str:
    """``name`` as it may stand in a sentence of plain text, where no ``<bdi>`` can: in an isolate of its own when some
    of it runs to the left, and without controls of direction, which could end the isolate."""
    plain = name.translate(_CONTROLS)
    if any(unicodedata.bidirectional(character) in _LEFTWARD for character in plain):
        return f"{_FIRST_STRONG_ISOLATE}{plain}{_POP_ISOLATE}"
    return plain


def named(name: str) -> dict[str, str]:
    """What the sentence ``… %(name)s …`` needs."""
    return {"name": isolated(name)}
