"""Garbage collection and log rotation in the portal."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from harbor_core.services.audit import event_types
from jobservice.models import Execution, Schedule
from projects.models import Blob
from tests.portal.conftest import World

pytestmark = pytest.mark.django_db
GC = "/harbor/clearing-job/gc"
PURGE = "/harbor/clearing-job/audit-log-purge"


@pytest.fixture
def admin(world: World) -> Client:
    client = Client()
    client.force_login(world.admin)
    return client


@pytest.mark.parametrize("path", [GC, f"{GC}/run", f"{GC}/schedule", PURGE, f"{PURGE}/run", f"{PURGE}/schedule"])
def test_administrators_see_it_and_nobody_else(path: str, admin: Client, world: World) -> None:
    assert admin.get(path).status_code == 200
    other = Client()
    other.force_login(world.developer)
    assert other.get(path).status_code == 404
    assert admin.get("/harbor/clearing-job/nothing").status_code == 404


def test_a_run_is_started_watched_and_stopped(admin: Client) -> None:
    answer = admin.post(f"{GC}/run", {"delete_untagged": "on", "workers": "3"})
    execution = Execution.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"{GC}/{execution.pk}"
    assert execution.extra_attrs["workers"] == 3 and execution.extra_attrs["dry_run"] is False
    page = admin.get(f"{GC}/{execution.pk}")
    assert page.status_code == 200 and b"Running" in page.content
    assert admin.get(f"{GC}/{execution.pk}/log").status_code == 200
    assert admin.post(f"{GC}/{execution.pk}/stop", {"confirm": "yes"}).status_code == 302
    execution.refresh_from_db()
    assert execution.status == "Stopped"
    assert f"/harbor/clearing-job/gc/{execution.pk}".encode() in admin.get(GC).content


def test_why_a_blob_is_kept(admin: Client, world: World) -> None:
    page = admin.get(f"{GC}/blob", {"digest": world.image.digest}).content
    assert world.image.repository.name.encode() in page and b"Artifacts that name it" in page
    loose = Blob.objects.create(digest="sha256:" + "e" * 64, size=2048, touched_at=timezone.now())
    page = admin.get(f"{GC}/blob", {"digest": loose.digest}).content
    assert b"2.00 KiB" in page and b"Nothing names it" in page
    for digest in ("sha256:" + "f" * 64, "<b>", "x" * 500):
        assert b"There is no blob" in admin.get(f"{GC}/blob", {"digest": digest}).content
    assert admin.get(f"{GC}/blob").status_code == 200 and f"{GC}/blob".encode() in admin.get(GC).content
    other = Client()
    other.force_login(world.developer)
    assert other.get(f"{GC}/blob").status_code == 404


def test_a_dry_run(admin: Client) -> None:
    admin.post(f"{GC}/run", {"workers": "1", "dry_run": "1"})
    assert Execution.objects.get().extra_attrs["dry_run"] is True


def test_wrong_values_stand_beside_their_fields(admin: Client) -> None:
    answer = admin.post(f"{GC}/run", {"workers": "11"})
    assert answer.status_code == 400 and not Execution.objects.exists()
    answer = admin.post(f"{GC}/schedule", {"type": "Custom", "cron": "at noon", "workers": "2"})
    assert answer.status_code == 400 and b"at noon" in answer.content and not Schedule.objects.exists()


def test_a_schedule_is_set_changed_and_removed(admin: Client) -> None:
    assert admin.post(f"{GC}/schedule", {"type": "Daily", "workers": "2"}).status_code == 302
    assert Schedule.objects.get().cron == "0 0 0 * * *"
    assert b'value="2"' in admin.get(f"{GC}/schedule").content
    admin.post(f"{GC}/schedule", {"type": "Custom", "cron": "0 0 3 * * *", "workers": "1"})
    assert Schedule.objects.get().cron == "0 0 3 * * *"
    admin.post(f"{GC}/schedule", {"type": "None", "workers": "1"})
    assert not Schedule.objects.exists()


def test_log_rotation_names_events_in_words(admin: Client) -> None:
    shown = admin.get(f"{PURGE}/run").content.decode()
    assert '<span title="pull_artifact">Artifact: Pull</span>' in shown
    boxes = re.findall(r'<input type="checkbox" name="include_event_types"[^>]*>', shown)
    assert len(boxes) == len(event_types()) and all(" checked" in box for box in boxes)


def test_log_rotation(admin: Client, world: World) -> None:
    values = {"audit_retention_hour": "24", "include_event_types": ["pull_artifact", "create_artifact"]}
    assert admin.post(f"{PURGE}/run", values).status_code == 302
    assert Execution.objects.get().extra_attrs["include_event_types"] == "pull_artifact,create_artifact"
