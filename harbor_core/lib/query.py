"""The query language of list operations: ``q=`` and ``sort=`` (contract 2.3). Parser only, no database.

``q=k1=v1,k2=~v2,k3=[a~b],k4={v1 v2},k5=(v1 v2)``: conditions joined by AND. The whole text is percent-decoded once
more than HTTP already did. Values stay text here; the field table of a listing (harbor_core.lib.filtering) knows
their types.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from harbor_core.lib.errors import HarborError

MAX_LENGTH = 8192
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Exact:
    value: str


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """Contains, whatever the case."""

    value: str


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends included; an empty end is open."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    values: tuple[str, ...]


Condition = Exact | Fuzzy | Range | AnyOf | AllOf


@dataclass(frozen=True, slots=True)
class Order:
    key: str
    descending: bool = False


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", f"invalid query: {message}")


def snake_case(key: str) -> str:
    """``ProjectID`` -> ``project_id``."""
    return _WORD_START.sub("_", key.strip()).lower()


def parse_query(text: str) -> dict[str, Condition]:
    """Conditions by snake-cased key; of two with one key the last counts. Raises BAD_REQUEST."""
    if len(text) > MAX_LENGTH or _BAD_ESCAPE.search(text):
        raise _bad("it is too long" if len(text) > MAX_LENGTH else "a % starts no escape")
    try:
        text = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8") from None
    if "\0" in text:
        raise _bad("it holds a NUL character")
    conditions: dict[str, Condition] = {}
    for item in text.split(",") if text else ():
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise _bad(f"{item[:100]!r} is not of the form key=value")
        conditions[snake_case(key)] = _condition(value.strip())
    return conditions


def _condition(value: str) -> Condition:
    match value[:1]:
        case "\\":
            return Exact(value[1:])
        case "~":
            return Fuzzy(_literal(value[1:]))
        case "[":
            low, tilde, high = _inside(value, "]").partition("~")
            if not tilde or "~" in high:
                raise _bad(f"{value[:100]!r} is not a range [low~high]")
            return Range(_literal(low), _literal(high))
        case "{":
            return AnyOf(_words(_inside(value, "}")))
        case "(":
            return AllOf(_words(_inside(value, ")")))
    return Exact(_literal(value))


def _inside(value: str, closing: str) -> str:
    if len(value) < 2 or not value.endswith(closing):
        raise _bad(f"{value[:100]!r} lacks its closing {closing}")
    return value[1:-1]


def _words(text: str) -> tuple[str, ...]:
    return tuple(_literal(word) for word in text.split(" ") if word)


def _literal(text: str) -> str:
    """Without a leading backslash or the quotes around it."""
    text = text.strip()
    if text.startswith("\\"):
        return text[1:]
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def parse_sort(text: str) -> list[Order]:
    """``name,-creation_time`` in the order given."""
    orders = []
    for item in text[:MAX_LENGTH].split(","):
        key = snake_case(item.strip().lstrip("-+"))
        if key:
            orders.append(Order(key, item.strip().startswith("-")))
    return orders
