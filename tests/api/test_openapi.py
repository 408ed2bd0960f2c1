"""The published schema says what there is: every route, every verb, and shapes that are a valid OpenAPI document."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from harbor_core.api.openapi import VERSION_PREFIX, document, routes
from harbor_core.api.operations import OPERATIONS
from harbor_core.lib.schema import FLAG, INT, TEXT, answer, array, obj
from harbor_core.lib.wire import PAGING, Flag, Nested, Pairs, Text, Whole, object_schema
from tests.cast import Api

OPERATION_ROWS = [row for rows in OPERATIONS.values() for row in rows]


def declared() -> dict[str, Any]:
    """``GET /path`` -> view."""
    return {
        f"{verb} {route.removeprefix(f'/{VERSION_PREFIX}')}": view
        for route, view in routes()
        for verb in view.permissions
    }


def test_every_view_declares_its_answers() -> None:
    missing = [operation for operation, view in declared().items() if operation.partition(" ")[0] not in view.answers]
    assert not missing, f"`answers` of the view lacks the verb: {missing}"
    for operation, view in declared().items():
        stray = (set(view.answers) | set(view.errors) | set(view.parameters) | set(view.bodies)) - set(view.permissions)
        assert not stray, f"{operation}: {view.__name__} declares {stray} without a permission"


def test_every_operation_has_a_name_and_every_name_an_operation() -> None:
    named = [operation for _, operation, _ in OPERATION_ROWS]
    assert sorted(named) == sorted(declared()), "harbor_core/api/operations.py differs from the routes"
    identifiers = [identifier for identifier, _, _ in OPERATION_ROWS]
    assert len(set(identifiers)) == len(identifiers)


def test_the_document_is_valid() -> None:
    OpenAPIV30SpecValidator(document()).validate()


def test_one_name_means_one_shape() -> None:
    """Two different schemas under one name would hide each other."""
    shapes: dict[str, Any] = {}
    for operation, view in declared().items():
        body = answer(view.answers[operation.partition(" ")[0]]).body
        for schema in body.named() if body else ():
            assert shapes.setdefault(schema.name, schema.definition()) == schema.definition(), schema.name


def test_it_is_served_to_everybody(api: Api) -> None:
    response = api("anonymous", "GET", "openapi.json")
    assert response.json() == document()
    assert response.json()["openapi"].startswith("3.0")


def test_an_operation_says_what_its_view_declares() -> None:
    operation = document()["paths"]["/projects/{project_name_or_id}/members"]["get"]
    assert operation["operationId"] == "listProjectMembers"
    parameters = {item.get("name", item.get("$ref")): item for item in operation["parameters"]}
    assert parameters["project_name_or_id"]["required"] and parameters["project_name_or_id"]["in"] == "path"
    assert parameters["page_size"]["schema"] == {
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": 100,
        "default": 10,
    }
    assert "#/components/parameters/X-Is-Resource-Name" in parameters
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "422", "429", "500", "503"}
    found = operation["responses"]["200"]
    assert set(found["headers"]) == {"X-Request-Id", "X-Total-Count", "Link"}
    assert found["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/ProjectMemberEntity"
    }


def test_only_what_anybody_may_call_needs_no_credentials() -> None:
    paths = document()["paths"]
    assert "security" not in paths["/ping"]["get"]
    assert paths["/users"]["get"]["security"] == [{"basic": []}, {"token": []}, {"session": []}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": Text(required=True, max_length=3)}, {"name": {"type": "string", "maxLength": 3}}),
        ({"kind": Text(choices=("a", "b"))}, {"kind": {"type": "string", "enum": ["a", "b"]}}),
        ({"on": Flag(default=True, about="Lit?")}, {"on": {"type": "boolean", "default": True, "description": "Lit?"}}),
        ({"n": Whole(low=1)}, {"n": {"type": "integer", "format": "int64", "minimum": 1}}),
        ({"map": Pairs(Text())}, {"map": {"type": "object", "additionalProperties": {"type": "string"}}}),
        (
            {"in": Nested({"x": Text(required=True)})},
            {"in": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}},
        ),
    ],
)
def test_readers_describe_themselves(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert object_schema(fields)["properties"] == expected


def test_required_fields_are_listed() -> None:
    assert object_schema({"a": Text(required=True), "b": Text()})["required"] == ["a"]
    assert "required" not in object_schema(PAGING)


def test_shapes() -> None:
    inner = obj("Inner", {"on?": FLAG})
    outer = obj("Outer", {"id": INT, "inner": array(inner)}, about="Both.")
    assert outer.rendered() == {"$ref": "#/components/schemas/Outer"}
    assert outer.definition() == {
        "type": "object",
        "description": "Both.",
        "properties": {
            "id": {"type": "integer", "format": "int64"},
            "inner": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
        },
        "required": ["id", "inner"],
    }
    assert inner.definition() == {"type": "object", "properties": {"on": {"type": "boolean"}}}
    assert [schema.name for schema in outer.named()] == ["Outer", "Inner"]
    assert answer([TEXT]).body == array(TEXT)
