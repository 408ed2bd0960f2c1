"""The shapes of answers, for the published OpenAPI document (harbor_core.api.openapi).

A shape stands beside the function that renders it::

    TAG = obj("Tag", {"id": INT, "name": TEXT, "push_time": TIME, "immutable?": FLAG})

A key that ends in ``?`` may be absent. Views declare what a verb answers with: ``{"GET": [TAG]}`` is a list,
``{"GET": TAG}`` one object, :data:`CREATED` a Location, :data:`DONE` nothing; :class:`Answer` says everything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON Schema whose values may be Schemas again. One with a name is published once and referred to."""

    spec: Mapping[str, Any]
    name: str = ""

    def rendered(self) -> dict[str, Any]:
        """Where it is used: the reference to a named one, else the schema itself."""
        return {"$ref": f"#/components/schemas/{self.name}"} if self.name else self.definition()

    def definition(self) -> dict[str, Any]:
        return {key: _rendered(value) for key, value in self.spec.items()}

    def named(self) -> "Iterator[Schema]":
        """Every named schema in it, itself included; one may be met more than once."""
        if self.name:
            yield self
        yield from _named(self.spec)


def _rendered(value: Any) -> Any:
    match value:
        case Schema():
            return value.rendered()
        case Mapping():
            return {key: _rendered(item) for key, item in value.items()}
        case list():
            return [_rendered(item) for item in value]
    return value


def _named(value: Any) -> Iterator[Schema]:
    match value:
        case Schema():
            yield from value.named()
        case Mapping():
            for item in value.values():
                yield from _named(item)
        case list():
            for item in value:
                yield from _named(item)


TEXT = Schema({"type": "string"})
FLAG = Schema({"type": "boolean"})
INT = Schema({"type": "integer", "format": "int64"})
NUMBER = Schema({"type": "number"})
TIME = Schema({"type": "string", "format": "date-time"})
ANY = Schema({})  # whatever the artifact, or the other side, says
BINARY = Schema({"type": "string", "format": "binary"})


def obj(name: str, properties: Mapping[str, Schema], about: str = "") -> Schema:
    """An object; ``name`` empty where it is used in one place only."""
    spec: dict[str, Any] = {"type": "object", "description": about} if about else {"type": "object"}
    spec["properties"] = {key.removesuffix("?"): value for key, value in properties.items()}
    required = [key for key in properties if not key.endswith("?")]
    return Schema(spec | ({"required": required} if required else {}), name)


def array(item: Schema) -> Schema:
    return Schema({"type": "array", "items": item})


def mapping(value: Schema = ANY) -> Schema:
    """An object whose keys are data."""
    return Schema({"type": "object", "additionalProperties": value})


def choice(*values: str) -> Schema:
    return Schema({"type": "string", "enum": list(values)})


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful answer: its status, the shape of its body (``None``: no body), its headers by name.

    ``may_be_empty``: there is no body where there is nothing to show (contract 2.2: a schedule that is not set)."""

    body: Schema | None = None
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    may_be_empty: bool = False


DONE = Answer()
CREATED = Answer(status=201, headers={"Location": "The path of what was created."})


def created(body: Schema) -> Answer:
    """201 with a Location and a body."""
    return Answer(body, 201, headers=CREATED.headers)


def answer(declared: Answer | Schema | Sequence[Schema]) -> Answer:
    """What a view wrote, spelt out."""
    if isinstance(declared, Answer):
        return declared
    if isinstance(declared, Schema):
        return Answer(declared)
    (item,) = declared
    return Answer(array(item))
