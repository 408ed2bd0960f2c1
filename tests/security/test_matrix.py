"""Every route and verb of the REST API, asked by everybody of the cast."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.urls import URLPattern, URLResolver

from harbor_core.api.base import ApiView
from harbor_core.api.urls import urlpatterns
from tests.cast import PERSONAS, World, forget_everything, make_admin, make_world
from tests.security import things
from tests.security.matrix import Row
from tests.security.rows import ROWS

APPS = ("harbor_core", "harbor_auth", "harbor_projects", "harbor_replication", "harbor_jobservice")
DENIED = (401, 403, 404, 405)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, type[ApiView]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
            yield prefix + str(pattern.pattern), pattern.callback.view_class


def contents() -> set[str]:
    """Every row of every table of ours, as text, in one question to the database."""
    tables = [model._meta.db_table for label in APPS for model in apps.get_app_config(label).get_models()]
    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{table} ' || {quoted(table)}::text FROM {quoted(table)}" for table in tables)
        )
        return {row for (row,) in cursor}


def test_every_route_and_verb_has_a_row() -> None:
    declared = {(route.removeprefix("v2.0/"), verb) for route, view in routes(urlpatterns) for verb in view.permissions}
    assert declared == {(row.route, row.verb) for row in ROWS}
    assert len({repr(row) for row in ROWS}) == len(ROWS)


def test_every_view_is_one_of_ours() -> None:
    """A view of any other make would not ask for a permission."""
    assert all(issubclass(view, ApiView) for _, view in routes(urlpatterns))


@pytest.fixture(scope="class")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[World, dict[str, int | str]]]:
    """One world and what stands in it for all rows, none of which leaves a trace."""
    with django_db_blocker.unblock(), transaction.atomic():
        forget_everything()
        world = make_world(make_admin())
        yield world, things.named(world)
        transaction.set_rollback(True)


class TestRows:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.verb} {row.route}")
    def test_answers(self, row: Row, stage: tuple[World, dict[str, int | str]]) -> None:
        world, there = stage
        path = row.path.format(**there)
        before = contents()
        answers = []
        for persona in PERSONAS:
            with transaction.atomic():
                response = world.api(persona, row.verb, path, row.body)
                if response.status_code in DENIED:
                    assert contents() == before, f"{persona} was denied and changed something"
                elif row.verb in ("POST", "PUT", "PATCH", "DELETE") and response.status_code < 300:
                    assert contents() != before, f"{persona} was told of a change that did not happen"
                transaction.set_rollback(True)
            forget_everything()
            answers.append(response.status_code)
        assert dict(zip(PERSONAS, answers, strict=True)) == dict(zip(PERSONAS, row.expected, strict=True))


@pytest.mark.parametrize(
    "path",
    [
        "projects/nowhere",
        "projects/nowhere/repositories",
        "projects/nowhere/repositories/x/artifacts",
        "projects/424242",
    ],
)
def test_a_project_that_is_not_there_looks_like_one_that_is_closed(path: str, world: World) -> None:
    closed = path.replace("nowhere", "team").replace("424242", str(world.project.pk))
    for persona in ("outsider", "anonymous"):
        missing, hidden = world.api(persona, "GET", path), world.api(persona, "GET", closed)
        assert (missing.status_code, missing.content) == (hidden.status_code, hidden.content)
    assert world.api("sysadmin", "GET", path).status_code == 404


def test_wrong_credentials_count_as_none(world: World) -> None:
    assert world.api("outsider:wrong", "GET", "projects").status_code == 200
    assert world.api("outsider:wrong", "GET", "statistics").status_code == 401
