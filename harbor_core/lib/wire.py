"""The wire format: reading what clients send by a schema, and leaving out zero values from what they get.

A schema is a dict of field readers. What a client sends of the wrong type, size or range is UNPROCESSABLE_ENTITY
(422); names the schema does not have are ignored; ``null`` counts as absent (contract 2.2).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from harbor_core.lib.errors import HarborError
from harbor_core.lib.query import parse_query, parse_sort

INT64 = 2**63 - 1


def unprocessable(name: str, problem: str) -> HarborError:
    return HarborError("UNPROCESSABLE_ENTITY", f"{name} {problem}")


class Reader(ABC):
    """Reads one value. ``default`` stands for a value that is absent; ``about`` tells readers of the published schema
    what it is for."""

    def __init__(self, *, default: Any = None, required: bool = False, about: str = "") -> None:
        self.default = default
        self.required = required
        self.about = about

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema (as OpenAPI 3.0 has it) of what is accepted."""

    @abstractmethod
    def load(self, name: str, value: Any) -> Any:
        """From JSON."""

    def load_text(self, name: str, text: str) -> Any:
        """From a query parameter or a piece of the path."""
        return self.load(name, text)


class Text(Reader):
    def __init__(self, *, max_length: int = 0, choices: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length
        self.choices = choices

    def schema(self) -> dict[str, Any]:
        limits = {"maxLength": self.max_length} if self.max_length else {}
        return {"type": "string"} | limits | ({"enum": list(self.choices)} if self.choices else {})

    def load(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise unprocessable(name, "must be a string")
        if self.max_length and len(value) > self.max_length:
            raise unprocessable(name, f"must have at most {self.max_length} characters")
        if self.choices and value not in self.choices:
            raise unprocessable(name, f"must be one of {', '.join(self.choices)}")
        return value


class Flag(Reader):
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def load(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise unprocessable(name, "must be true or false")
        return value

    def load_text(self, name: str, text: str) -> bool:
        lowered = text.lower()
        if lowered not in ("true", "false", "1", "0", "t", "f"):
            raise unprocessable(name, "must be true or false")
        return lowered in ("true", "1", "t")


class Whole(Reader):
    def __init__(self, *, low: int = -INT64, high: int = INT64, **options: Any) -> None:
        super().__init__(**options)
        self.low = low
        self.high = high

    def schema(self) -> dict[str, Any]:
        low = {"minimum": self.low} if self.low > -INT64 else {}
        return {"type": "integer", "format": "int64"} | low | ({"maximum": self.high} if self.high < INT64 else {})

    def load(self, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise unprocessable(name, "must be a whole number")
        if not self.low <= value <= self.high:
            raise unprocessable(name, f"must lie between {self.low} and {self.high}")
        return value

    def load_text(self, name: str, text: str) -> int:
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
            raise unprocessable(name, "must be a whole number")
        return self.load(name, int(text))


class Nested(Reader):
    def __init__(self, fields: Mapping[str, Reader], **options: Any) -> None:
        super().__init__(**options)
        self.fields = fields

    def schema(self) -> dict[str, Any]:
        return object_schema(self.fields)

    def load(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise unprocessable(name, "must be an object")
        return read(self.fields, value, f"{name}.")


class Anything(Reader):
    """Whatever JSON can say."""

    def schema(self) -> dict[str, Any]:
        return {}

    def load(self, name: str, value: Any) -> Any:
        return value


class Pairs(Reader):
    """An object whose keys are data."""

    def __init__(self, value: Reader, **options: Any) -> None:
        super().__init__(**options)
        self.value = value

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}

    def load(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise unprocessable(name, "must be an object")
        return {key: self.value.load(key, entry) for key, entry in value.items()}


class Items(Reader):
    def __init__(self, item: Reader, **options: Any) -> None:
        super().__init__(**options)
        self.item = item

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}

    def load(self, name: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise unprocessable(name, "must be a list")
        return [self.item.load(f"{name}[{position}]", entry) for position, entry in enumerate(value)]


class Parsed(Reader):
    """A text with a grammar of its own."""

    def __init__(self, parse: Callable[[str], Any], **options: Any) -> None:
        super().__init__(**options)
        self.parse = parse

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def load(self, name: str, value: Any) -> Any:
        return self.parse(value)


# Query parameters of every list operation. Page 0 is the first page; page_size 0 turns paging off.
PAGING: dict[str, Reader] = {
    "page": Whole(low=0, default=1, about="Which page, from 1."),
    "page_size": Whole(low=0, high=100, default=10, about="Rows per page; 0 for all of a list that is not too long."),
}
LISTING: dict[str, Reader] = PAGING | {
    "q": Parsed(
        parse_query,
        default={},
        about="Conditions joined by commas: k=v exactly, k=~v contains, k=[a~b] from a to b, k={a b} any of them, "
        "k=(a b) all of them. Keys a list does not know are ignored.",
    ),
    "sort": Parsed(
        parse_sort, default=(), about="Keys joined by commas, in this order; a minus before one turns it round."
    ),
}


def object_schema(fields: Mapping[str, Reader]) -> dict[str, Any]:
    """JSON Schema of an object that is read by these fields."""
    properties = {name: described(reader) for name, reader in fields.items()}
    required = [name for name, reader in fields.items() if reader.required]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def described(reader: Reader) -> dict[str, Any]:
    """Its schema with what it is for, and the default where that is plain data."""
    plain = isinstance(reader.default, str | int) and reader.default != ""
    default = {"default": reader.default} if plain else {}
    return reader.schema() | default | ({"description": reader.about} if reader.about else {})


def read(schema: Mapping[str, Reader], data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every field of the schema, from a JSON object. Raises UNPROCESSABLE_ENTITY."""
    values = {}
    for name, reader in schema.items():
        value = data.get(name)
        if value is None:
            if reader.required:
                raise unprocessable(f"{prefix}{name}", "is required")
            values[name] = reader.default
        else:
            values[name] = reader.load(f"{prefix}{name}", value)
    return values


def read_text(schema: Mapping[str, Reader], data: Mapping[str, str]) -> dict[str, Any]:
    """Every field of the schema, from query parameters. An empty one counts as absent. Raises UNPROCESSABLE_ENTITY,
    or BAD_REQUEST for a query that does not parse."""
    values = {}
    for name, reader in schema.items():
        text = data.get(name, "")
        if "\0" in text:
            raise HarborError("BAD_REQUEST", f"{name} holds a NUL character")
        if text == "":
            if reader.required:
                raise unprocessable(name, "is required")
            values[name] = reader.default
        else:
            values[name] = reader.load_text(name, text)
    return values


def compact(values: dict[str, Any], *always: str) -> dict[str, Any]:
    """Without ``False``, ``0``, ``""``, ``None`` and empty lists and maps, except under the names given."""
    return {key: value for key, value in values.items() if value or key in always}
