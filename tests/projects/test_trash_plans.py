"""The trash and the history of tags are listed by indexes: the plans of PostgreSQL at 2 000 rows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobservice import tasks
from projects.models import Repository, TagEvent, TrashedArtifact
from tests.cast import World, make_project

pytestmark = pytest.mark.postgres
ROWS = 2000
APP = "projects/team/repositories/app"


@pytest.fixture
def crowded(world: World) -> None:
    """ROWS deleted artifacts in two projects, every fourth with a companion, and ROWS events of tags in two
    repositories, every fourth a deletion."""
    now = timezone.now()
    other = make_project("other", world.users["outsider"])
    for project, name in ((world.project, "team/app"), (other, "other/app")):
        rows = TrashedArtifact.objects.bulk_create(
            TrashedArtifact(
                project=project,
                repository_name=name,
                digest=f"sha256:{number:064x}",
                type="IMAGE",
                size=1,
                manifest=b"{}",
                push_time=now,
                deleted_at=now - timedelta(minutes=number),
                expires_at=now + timedelta(days=7, minutes=-number),
            )
            for number in range(ROWS)
        )
        for row, root in zip(rows[1::4], rows[::4], strict=True):
            row.root = root
        TrashedArtifact.objects.bulk_update(rows[1::4], ["root"], batch_size=500)
    for repository in (world.artifact.repository, Repository.objects.create(project=other, name="other/app")):
        TagEvent.objects.bulk_create(
            TagEvent(
                repository=repository,
                name=f"t{number // 2}",
                operation="create" if number % 4 else "delete",
                old_digest="" if number % 4 else world.artifact.digest,
            )
            for number in range(ROWS)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plans(captured: CaptureQueriesContext, table: str) -> str:
    """Of the statements that read pages or batches of the table."""
    wanted = [
        query["sql"]
        for query in captured
        if query["sql"].startswith(f'SELECT "{table}"') and "LIMIT" in query["sql"] and "ORDER BY" in query["sql"]
    ]
    assert wanted
    found = []
    with connection.cursor() as cursor:
        for statement in wanted:
            cursor.execute(f"EXPLAIN {statement}")
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.mark.parametrize(
    ("path", "table", "index"),
    [
        ("projects/team/trash", "harbor_projects_trashedartifact", "trash_listing"),
        (f"{APP}/tags/t7/history", "harbor_projects_tagevent", "tag_event_history"),
        (f"{APP}/deleted-tags", "harbor_projects_tagevent", "tag_event_deleted"),
    ],
)
def test_lists(path: str, table: str, index: str, world: World, crowded: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert world.api("maintainer", "GET", f"{path}?page_size=10").status_code == 200
    seen = plans(captured, table)
    assert index in seen
    assert "Seq Scan" not in seen.replace("Seq Scan on harbor_projects_artifact ", "")  # of one row


def test_what_is_due_is_found_by_its_time(crowded: None) -> None:
    TrashedArtifact.objects.order_by("pk")[:1].get().delete()
    with CaptureQueriesContext(connection) as captured:
        assert tasks.purge_trash() == 0
    seen = plans(captured, "harbor_projects_trashedartifact")
    assert "trash_expiry" in seen
