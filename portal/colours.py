"""Colours that people chose for labels, as the portal's colour field reads them."""

import re

_HEX = re.compile(r"#?([0-9a-f]{3,8})", re.IGNORECASE)
# CSS names that clients of the API may have stored; anything else counts as grey.
_NAMED = {
    "red": "#ff0000", "green": "#008000", "blue": "#0000ff", "yellow": "#ffff00", "black": "#000000",
    "white": "#ffffff", "orange": "#ffa500", "purple": "#800080", "gray": "#808080", "grey": "#808080",
}  # fmt: skip
NEUTRAL = "#61717d"


def hex_of(colour: str) -> str:
    """``#rrggbb`` of what is stored with a label: ``#rgb``, ``#rrggbb``, with or without alpha, or a name."""
    text = _NAMED.get(colour.strip().lower(), colour.strip())
    found = _HEX.fullmatch(text)
    digits = found[1].lower() if found else ""
    if len(digits) in (3, 4):
        digits = "".join(digit * 2 for digit in digits[:3])
    return f"#{digits[:6]}" if len(digits) in (6, 8) else NEUTRAL
