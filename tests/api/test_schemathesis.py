"""Requests that the published schema allows, and some that it does not, made up by Schemathesis with a fixed seed: no
5xx, no answer outside the schema.

Each operation is tried as an administrator and as a member of a project. Half of the requests name things that are
there. Whatever they change is rolled back.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from harbor_core.api.openapi import document
from harbor_core.wsgi import application
from projects.models import Label, WebhookPolicy
from tests.api.crowd import grow
from tests.cast import World, forget_everything

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The application outside Django's test client would close the connection of the test after each request."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def known(world: World) -> dict[str, Any]:
    """Path parameters that lead to something."""
    return {
        "project_name_or_id": "team",
        "project_name": "team",
        "repository_name": "app",
        "reference": "1.0",
        "tag_name": "1.0",
        "user_id": world.users["outsider"].pk,
        "robot_id": world.robot.pk,
        "label_id": Label.objects.values_list("pk", flat=True)[0],
        "webhook_policy_id": WebhookPolicy.objects.values_list("pk", flat=True)[0],
        "mid": world.project.members.values_list("pk", flat=True)[0],
        "meta_name": "public",
    }


@dataclass
class Attempt:
    """One persona against the application, in a world that stays as it is."""

    login: str
    there: dict[str, Any]
    examples: int

    def __call__(self, operation: Any, mode: GenerationMode) -> None:
        """Raises Failure, FailureGroup, or Unsatisfiable where there is nothing to get wrong."""
        may_be_empty = operation.definition.raw["responses"].get("200", {}).get("x-may-be-empty")

        @settings(
            max_examples=self.examples,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
        def attempt(case: Any, real: bool) -> None:
            case.cookies.clear()  # a made-up session would only be asked for its CSRF token
            if real:
                given = case.path_parameters
                given |= {name: value for name, value in self.there.items() if name in given}
            with transaction.atomic():
                response = case.call(headers={"Authorization": f"Basic {self.login}"})
                nothing = may_be_empty and response.status_code == 200 and not response.content
                case.validate_response(response, checks=[not_a_server_error] if nothing else CHECKS)
                transaction.set_rollback(True)
            forget_everything()

        attempt()


@pytest.mark.parametrize(
    ("persona", "mode"),
    [
        ("sysadmin", GenerationMode.POSITIVE),
        ("sysadmin", GenerationMode.NEGATIVE),
        pytest.param("developer", GenerationMode.POSITIVE, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("examples", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_every_operation(persona: str, mode: GenerationMode, examples: int, world: World, one_connection: None) -> None:
    grow(world, 2)
    attempt = Attempt(base64.b64encode(world.api.logins[persona].encode()).decode(), known(world), examples)
    # What stands outside /api/v2.0 says so at its path, where Schemathesis does not look.
    elsewhere = [path for path, item in document()["paths"].items() if "servers" in item]
    published = schemathesis.openapi.from_wsgi("/api/v2.0/openapi.json", application).exclude(path=elsewhere)
    failed: list[str] = []
    tried = 0
    for result in published.get_all_operations():
        operation = result.ok()
        try:
            attempt(operation, mode)
            tried += 1
        except Unsatisfiable:
            continue
        except (FailureGroup, Failure) as failure:
            failed.append(f"{operation.label}: {failure} {getattr(failure, 'exceptions', '')}")
    assert failed == []
    assert tried > 100
