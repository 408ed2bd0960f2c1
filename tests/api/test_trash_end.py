"""What leaves the trash for good, and who may send it away."""

from datetime import timedelta

import pytest
from django.utils import timezone

from harbor_core.models import AuditLog
from jobservice import tasks
from projects.models import TrashedArtifact, TrashedBlob
from projects.services import trash as trash_service
from tests.api.test_trash import APP, TRASH, accounts_are_right, delete, listed, push
from tests.cast import World, configure, make_project
from tests.support.manifests import push_index


def test_without_a_retention_time_deleted_is_gone(world: World) -> None:
    configure(trash_retention_days=0)
    delete(world)
    assert listed(world) == []
    assert not TrashedBlob.objects.exists()
    assert accounts_are_right(world)


def test_the_time_is_up(world: World) -> None:
    push(world, "2.0")
    delete(world)
    delete(world, "2.0")
    TrashedArtifact.objects.filter(digest=world.artifact.digest).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert tasks.purge_trash() == 1
    assert [row["tags"] for row in listed(world)] == [["2.0"]]
    assert tasks.purge_trash() == 0


def test_many_are_removed_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash_service, "BATCH", 2)
    for number in range(5):
        push(world, f"n{number}")
    world.api("maintainer", "DELETE", APP)
    TrashedArtifact.objects.update(expires_at=timezone.now())
    assert tasks.purge_trash() == 6
    assert not TrashedArtifact.objects.exists()


def test_emptying_is_for_administrators_of_the_project(world: World) -> None:
    index = push_index(world.actor("developer"), "team/app", "multi", push(world))
    delete(world)
    delete(world, "multi")
    rows = listed(world)
    assert {row["digest"] for row in rows} == {index, world.artifact.digest}
    assert world.api("maintainer", "DELETE", f"{TRASH}/{rows[0]['id']}").status_code == 403
    assert world.api("project_admin", "DELETE", f"{TRASH}/{rows[0]['id']}").status_code == 200
    assert world.api("project_admin", "DELETE", f"{TRASH}/{rows[0]['id']}").status_code == 404
    assert len(listed(world)) == 1
    assert world.api("project_admin", "DELETE", TRASH).status_code == 200
    assert listed(world) == [] and not TrashedArtifact.objects.exists() and not TrashedBlob.objects.exists()
    assert AuditLog.objects.filter(operation="delete", resource_type="trash").count() == 2


def test_another_project_cannot_reach_it(world: World) -> None:
    delete(world)
    row = listed(world)[0]
    other = make_project("other", world.users["outsider"])
    other.members.create(user=world.users["outsider"], role=1)
    for verb, path in (("POST", f"{row['id']}/restore"), ("DELETE", str(row["id"]))):
        assert world.api("outsider", verb, f"projects/other/trash/{path}").status_code == 404
    assert world.api("outsider", "DELETE", "projects/other/trash").status_code == 200
    assert len(listed(world)) == 1
