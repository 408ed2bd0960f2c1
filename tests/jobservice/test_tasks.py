"""Housekeeping."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from harbor_core.celery import app
from harbor_core.lib import storage
from jobservice import tasks
from projects.models import Project, QuotaDelta, RepositoryBlob, Upload
from projects.services import quota
from tests.cast import World, push_image, put_blob


def test_every_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["schedule"] > 0


def _upload(world: World, hours_idle: float) -> Upload:
    upload = Upload.objects.create(
        id=uuid.uuid4(),
        project=world.project,
        repository_name="team/app",
        subject="u:1",
        granted_until=timezone.now() + timedelta(hours=1),
        last_activity=timezone.now() - timedelta(hours=hours_idle),
    )
    storage.backend().put(f"{storage.upload_prefix('team/app', str(upload.pk))}/startedat", b"then")
    return upload


def test_abandoned_uploads_go(world: World) -> None:
    old, young = _upload(world, settings.UPLOAD_GRANT_HOURS + 1), _upload(world, 1)
    assert tasks.sweep_uploads() == 1
    assert list(Upload.objects.all()) == [young]
    assert storage.upload_offset("team/app", str(old.pk)) is None
    assert storage.upload_offset("team/app", str(young.pk)) == 0
    assert tasks.sweep_uploads() == 0


def test_usage_is_added_up(world: World) -> None:
    push_image(world.actor("developer"), "team/app", "2.0")
    before = quota.used(world.project.pk)
    assert QuotaDelta.objects.filter(project=world.project).exists()
    assert tasks.fold_quota() == 1
    assert not QuotaDelta.objects.exists()
    assert quota.used(world.project.pk) == before == quota.recount(world.project.pk)
    assert tasks.fold_quota() == 0


def test_sessions_that_ended_go(db: None) -> None:
    for key, minutes in (("old", -1), ("new", 1)):
        expires = timezone.now() + timedelta(minutes=minutes)
        Session.objects.create(session_key=key, session_data="", expire_date=expires)
    tasks.clear_sessions()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


def test_a_deleted_project_leaves_no_layer_to_its_successor(world: World) -> None:
    """Layers pushed but never named by a manifest, and open uploads, are gone before the name is free."""
    orphan = put_blob("team/side", b"nobody named me")
    upload = _upload(world, 0)
    world.api("sysadmin", "DELETE", "projects/team/repositories/app")
    assert storage.linked_sizes("team/side", [orphan["digest"]])[orphan["digest"]] is not None
    assert world.api("sysadmin", "DELETE", "projects/team").status_code == 200
    assert Project.objects.get(pk=world.project.pk).deleted
    assert storage.linked_sizes("team/side", [orphan["digest"]])[orphan["digest"]] is None
    assert storage.upload_offset("team/app", str(upload.pk)) is None
    assert not Upload.objects.exists()
    assert not RepositoryBlob.objects.filter(repository_name__startswith="team/").exists()
