"""Pages cost as many queries with many rows as with few."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from harbor_core.services import config
from projects.models import Artifact, Project, Quota, Repository, Tag
from tests.api.crowd import grow
from tests.cast import make_admin, make_world
from tests.portal import content
from tests.portal.conftest import World
from tests.portal.places import places

# Session, user and settings are three of them; the default password of admin (asked for administrators only) may be one
# more.
LIMITS = {"projects": 13, "repositories": 13, "tags": 15, "artifacts": 15, "artifact": 21}
MOST = {"retention-preview": 32}  # it tries the rules on each repository of its page


def _grow(world: World) -> None:
    projects = Project.objects.bulk_create(
        Project(name=f"grown-{number}", owner=world.admin, public=number % 2 == 0) for number in range(40)
    )
    Quota.objects.bulk_create(Quota(project=project) for project in projects)
    Repository.objects.bulk_create(
        Repository(project=world.library, name=f"library/grown-{number}") for number in range(40)
    )
    repository = Repository.objects.get(name="library/app")
    for number in range(12):
        content.push_image("library/app", f"grown-{number}", words=f"grown {number}")
    Tag.objects.bulk_create(
        Tag(repository=repository, artifact=world.image, name=f"more-{number}") for number in range(60)
    )
    cache.clear()


def _cost(client: Client, url: str) -> int:
    """Queries of one page, with nothing remembered from another: the settings are kept for some seconds only."""
    cache.clear()
    config.forget()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


@pytest.fixture
def urls(world: World) -> dict[str, str]:
    base = f"/harbor/projects/{world.library.pk}/repositories"
    return {
        "projects": "/harbor/projects?page_size=50",
        "repositories": f"{base}?page_size=50",
        "tags": f"{base}/app?page_size=100",
        "artifacts": f"{base}/app?view=artifacts&page_size=50",
        "artifact": f"{base}/app/artifacts/{world.image.digest}",
    }


def test_constant_queries(world: World, admin: Client, urls: dict[str, str]) -> None:
    admin.get("/harbor/projects")
    before = {}
    for name, url in urls.items():
        before[name] = _cost(admin, url)
    _grow(world)
    after = {}
    for name, url in urls.items():
        after[name] = _cost(admin, url)
    assert after == before
    assert all(after[name] <= LIMITS[name] for name in LIMITS), after


def test_lists_leave_manifests_in_the_database(world: World, admin: Client, urls: dict[str, str]) -> None:
    for name in ("tags", "artifacts"):
        with CaptureQueriesContext(connection) as queries:
            admin.get(urls[name])
        table = Artifact._meta.db_table
        assert not any(f'"{table}"."manifest"' in query["sql"] for query in queries), name


def test_every_page_costs_the_same_with_more_rows(db: None) -> None:
    """All pages there are, among rows of every kind, before and after there are twice as many."""
    crowded = make_world(make_admin())
    client = Client(HTTP_HOST="localhost:8080")
    client.force_login(crowded.users["sysadmin"], backend="auth.backends.local.LocalBackend")
    grow(crowded, 20)
    urls = places(crowded)
    answers = {name: client.get(url).status_code for name, url in urls.items()}
    assert {name: status for name, status in answers.items() if status != 200} == {}
    before = {name: _cost(client, url) for name, url in urls.items()}
    grow(crowded, 20)
    after = {name: _cost(client, url) for name, url in urls.items()}
    assert {name: (before[name], after[name]) for name in urls if after[name] > before[name]} == {}
    assert {name: after[name] for name in urls if after[name] > MOST.get(name, 30)} == {}
