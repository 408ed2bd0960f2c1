"""Garbage collection as administrators start, watch and schedule it."""

import json
import os
from typing import Any

import pytest
from django.conf import settings as configuration
from django.test import override_settings

from jobservice import dispatch
from jobservice.models import Execution, JobQueue
from jobservice.selectors import executions
from jobservice.services import gc
from projects.models import Artifact, Blob, CollectionDay, TrashedArtifact
from projects.selectors import collection as selectors
from projects.services import artifacts, collection, tags
from tests.cast import World, configure, push_image
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db
PATH = "system/gc"


@pytest.fixture(autouse=True)
def no_window(settings: Any) -> None:
    settings.GC_WINDOW_HOURS = 0


def run(world: World, worker: Worker, **parameters: Any) -> Execution:
    body = {"schedule": {"type": "Manual"}, "parameters": parameters}
    response = world.api("sysadmin", "POST", f"{PATH}/schedule", body)
    assert response.status_code == 201, response.content
    prefix, _, execution_id = response.headers["Location"].rpartition("/")
    assert prefix == f"/api/v2.0/{PATH}"
    assert worker.work() == 1
    execution = Execution.objects.get(pk=execution_id)
    assert execution.status == "Success", executions.execution_log(execution)
    return execution


def history(world: World, execution: Execution) -> dict[str, Any]:
    row = world.api("sysadmin", "GET", f"{PATH}/{execution.pk}").json()
    assert row["job_name"] == "GARBAGE_COLLECTION" and row["job_status"] == "Success"
    return json.loads(row["job_parameters"])


def test_a_run_frees_what_is_deleted_and_leaves_the_trash(world: World, worker: Worker) -> None:
    artifacts.delete(world.actor("maintainer"), world.artifact)
    held = run(world, worker)
    found = history(world, held)
    assert found["purged_blobs"] == 0 and found["held_by_trash"] > 0
    size = sum(Blob.objects.values_list("size", flat=True))
    found = history(world, run(world, worker, empty_trash=True, workers=3))
    assert (found["purged_blobs"], found["purged_manifests"], found["freed_space"]) == (2, 1, size)
    assert not Blob.objects.exists() and not TrashedArtifact.objects.exists()


def test_untagged_artifacts_go_only_when_asked(world: World, worker: Worker) -> None:
    actor = world.actor("developer")
    push_image(actor, "team/app", "kept")
    tags.delete(world.actor("maintainer"), world.artifact.repository, "1.0")
    run(world, worker)
    assert Artifact.objects.count() == 2
    found = history(world, run(world, worker, delete_untagged=True))
    assert found["untagged_artifacts"] == 1
    assert [artifact.tags.get().name for artifact in Artifact.objects.all()] == ["kept"]


def test_a_dry_run_only_tells(world: World, worker: Worker) -> None:
    configure(trash_retention_days=0)
    artifacts.delete(world.actor("maintainer"), world.artifact)
    execution = run(world, worker, dry_run=True, delete_untagged=True)
    assert history(world, execution)["freed_space"] > 0
    assert Blob.objects.count() == 3
    assert b"nothing is deleted" in executions.execution_log(execution)


def test_a_young_blob_waits(world: World, worker: Worker) -> None:
    configure(trash_retention_days=0)
    artifacts.delete(world.actor("maintainer"), world.artifact)
    with override_settings(GC_WINDOW_HOURS=1):
        run(world, worker)
        assert Blob.objects.count() == 3
        state = world.api("sysadmin", "GET", f"{PATH}/state").json()
        assert state["waiting"]["number"] == 3 and state["due"]["number"] == 0
        kept = world.api("sysadmin", "GET", f"{PATH}/blobs/{world.artifact.digest}").json()
        assert kept["due_at"] > kept["touched_at"]


@pytest.mark.parametrize("parameters", [{"workers": 0}, {"workers": 11}, {"workers": "2"}, {"dry_run": "yes"}])
def test_wrong_parameters(parameters: dict[str, Any], world: World) -> None:
    body = {"schedule": {"type": "Manual"}, "parameters": parameters}
    assert world.api("sysadmin", "POST", f"{PATH}/schedule", body).status_code == 400


def test_a_schedule(world: World) -> None:
    body = {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}, "parameters": {"delete_untagged": True, "workers": 2}}
    assert world.api("sysadmin", "POST", f"{PATH}/schedule", body).status_code == 201
    found = world.api("sysadmin", "GET", f"{PATH}/schedule").json()
    assert found["schedule"]["cron"] == "0 0 0 * * *"
    assert json.loads(found["job_parameters"])["delete_untagged"] is True


@pytest.fixture(autouse=True)
def own_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test processes share one Redis."""
    monkeypatch.setattr(gc, "LOCK", f"{gc.LOCK}:{os.getpid()}")


@pytest.fixture
def loose(world: World) -> int:
    """How many blobs nothing names any more."""
    artifacts.delete(world.actor("maintainer"), world.artifact)
    TrashedArtifact.objects.all().delete()
    return Blob.objects.count()


def test_what_is_due_goes_by_itself_without_an_execution(loose: int) -> None:
    total = gc.continuous()
    assert total is not None and total.blobs == loose > 0
    assert not Blob.objects.exists() and not Execution.objects.exists()
    again = gc.continuous()
    assert again is not None and again.blobs == 0


def test_what_goes_is_added_up_by_day(loose: int, world: World, worker: Worker) -> None:
    gc.continuous()
    push_image(world.actor("developer"), "team/app", "again")
    artifacts.delete(world.actor("maintainer"), Artifact.objects.get())
    size = sum(Blob.objects.values_list("size", flat=True))
    run(world, worker, empty_trash=True)
    *before, today = selectors.days(3)
    assert (today.blobs, today.refused) == (loose + 3, 0) and today.freed > size and today.seconds > 0
    assert [(row.blobs, row.freed) for row in before] == [(0, 0)] * 2
    gc.continuous()
    assert CollectionDay.objects.get().blobs == loose + 3


def test_it_waits_for_a_run_and_for_a_paused_queue(loose: int, worker: Worker) -> None:
    dispatch.submit("GARBAGE_COLLECTION", parameters={"dry_run": True})
    assert gc.continuous() is None
    assert worker.work() == 1
    queue, _ = JobQueue.objects.update_or_create(job_type="GARBAGE_COLLECTION", defaults={"paused": True})
    assert gc.continuous() is None and Blob.objects.count() == loose
    queue.paused = False
    queue.save()
    assert gc.continuous() is not None


def test_one_at_a_time(loose: int) -> None:
    with configuration.REDIS.client() as client, client.lock(gc.LOCK, timeout=60):
        assert gc.continuous() is None and Blob.objects.count() == loose
    assert gc.continuous() is not None


def test_it_ends_when_its_time_is_over(loose: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "BATCH", 1)
    total = gc.continuous(seconds=0)
    assert total is not None and total.blobs == 0 and Blob.objects.count() == loose
    assert (gc.continuous() or total).blobs == loose, "its lock is free again"
