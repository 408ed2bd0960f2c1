"""Listings of content are served by indexes: the plans of PostgreSQL at 2 000 rows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from projects.models import Artifact, ArtifactLabel, Label, Repository, Tag
from tests.cast import World

pytestmark = pytest.mark.postgres
ROWS = 2000
ARTIFACTS = "projects/team/repositories/app/artifacts"


@pytest.fixture
def crowded(world: World) -> Label:
    """ROWS artifacts in the repository and as many in another, each with a tag; a label that three of them wear, and
    ROWS other labels."""
    start = timezone.now()
    for repository in (world.artifact.repository, Repository.objects.create(project=world.project, name="team/web")):
        artifacts = Artifact.objects.bulk_create(
            Artifact(
                project=world.project,
                repository=repository,
                digest=f"sha256:{number:064x}",
                type="IMAGE",
                size=1,
                manifest=b"{}",
                push_time=start - timedelta(minutes=number),
            )
            for number in range(ROWS)
        )
        Tag.objects.bulk_create(
            Tag(repository=repository, artifact=artifact, name=f"v{number}")
            for number, artifact in enumerate(artifacts)
        )
    Label.objects.bulk_create(Label(project=world.project, name=f"l{number}") for number in range(ROWS))
    Label.objects.bulk_create(Label(name=f"l{number}") for number in range(ROWS))
    rare, frequent = Label.objects.create(name="rare"), Label.objects.create(name="frequent")
    ArtifactLabel.objects.bulk_create(ArtifactLabel(artifact=artifact, label=rare) for artifact in artifacts[:3])
    ArtifactLabel.objects.bulk_create(ArtifactLabel(artifact=artifact, label=frequent) for artifact in artifacts)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return rare


def plan(world: World, path: str, table: str) -> str:
    with CaptureQueriesContext(connection) as captured:
        assert world.api("guest", "GET", path).status_code == 200
    listing = next(
        query["sql"]
        for query in captured
        if "LIMIT" in query["sql"] and query["sql"].startswith(f'SELECT "{table}"."id"') and "ORDER BY" in query["sql"]
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {listing}")
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "artifact_listing"),
        ("tags%3D*", "artifact_listing"),
        ("tags%3Dv7", "tag_once"),
        ("tags%3D%7Bv7+v8%7D", "tag_once"),
        ("digest%3Dsha256:" + "0" * 64, "artifact_"),
        ("labels%3D({rare})", "harbor_projects_artifactlabel_label_id"),
        ("labels%3D({rare}),tags%3Dv7", "tag_once"),
    ],
)
def test_artifacts(query: str, index: str, world: World, crowded: Label) -> None:
    seen = plan(world, f"{ARTIFACTS}?page_size=10&q={query.format(rare=crowded.pk)}", "harbor_projects_artifact")
    assert index in seen
    assert "Seq Scan on harbor_projects_artifact " not in seen
    assert "Seq Scan on harbor_projects_tag " not in seen


def test_labels(world: World, crowded: Label) -> None:
    for path in (f"labels?scope=p&project_id={world.project.pk}", "labels?scope=g"):
        seen = plan(world, path, "harbor_projects_label")
        assert "Sort" not in seen
        assert "label_project_name" in seen or "label_global_name" in seen


def test_tags_of_an_artifact(world: World, crowded: Label) -> None:
    seen = plan(world, f"{ARTIFACTS}/1.0/tags", "harbor_projects_tag")
    assert "Seq Scan" not in seen
