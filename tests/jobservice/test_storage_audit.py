"""Storage audits as administrators start them, read their reports and settle what they found."""

import json
import os
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from harbor_core.lib import storage
from harbor_core.models import AuditLog
from jobservice.models import Execution, StorageFinding
from jobservice.selectors import executions
from jobservice.services import storage_audit
from projects.models import Artifact, Blob
from tests.cast import World
from tests.jobservice.conftest import Worker
from tests.projects.test_storage_audit import lose, stray

pytestmark = pytest.mark.django_db
PATH = "system/storageaudit"


@pytest.fixture(autouse=True)
def fresh_storage(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harbor_core.lib.storage_backends import FilesystemBackend

    made = FilesystemBackend(str(tmp_path))
    monkeypatch.setattr(storage, "backend", lambda: made)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_audit, "quiet_since", lambda: timezone.now() + timedelta(days=1))


def ended(world: World, worker: Worker, answer: Any) -> Execution:
    assert answer.status_code == 201, answer.content
    prefix, _, number = answer.headers["Location"].rpartition("/")
    assert prefix == f"/api/v2.0/{PATH}" and worker.work() == 1
    execution = Execution.objects.get(pk=number)
    assert execution.status == "Success", executions.execution_log(execution)
    return execution


def compared(world: World, worker: Worker) -> Execution:
    return ended(world, worker, world.api("sysadmin", "POST", f"{PATH}/schedule", {"schedule": {"type": "Manual"}}))


def settled(world: World, worker: Worker, report: Execution, action: str, **chosen: Any) -> dict[str, Any]:
    body = {"action": action} | chosen
    return ended(world, worker, world.api("sysadmin", "POST", f"{PATH}/{report.pk}/findings", body)).extra_attrs


def found(world: World, report: Execution, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.api("sysadmin", "GET", f"{PATH}/{report.pk}/findings{query}").json()
    return rows


@pytest.mark.usefixtures("no_grace")
def test_a_report_and_what_becomes_of_it(world: World, worker: Worker) -> None:
    first, second = stray(storage.backend(), b"one"), stray(storage.backend(), b"another")
    report = compared(world, worker)
    row = world.api("sysadmin", "GET", f"{PATH}/{report.pk}").json()
    told = json.loads(row["job_parameters"])
    assert (told["findings"], told["unknown_blob"], told["unknown_bytes"]) == (2, 2, 10)
    rows = found(world, report)
    assert {row["digest"]: row["size"] for row in rows} == {first: 3, second: 7}
    assert {row["state"] for row in rows} == {"open"}
    one = next(row["id"] for row in rows if row["digest"] == first)
    assert settled(world, worker, report, "adopt", findings=[one])["adopted"] == 1
    assert Blob.objects.filter(digest=first).exists() and AuditLog.objects.filter(operation="adopt").exists()
    told = settled(world, worker, report, "delete", kinds=["unknown_blob"])
    assert (told["deleted"], told["freed_space"], told["refused"]) == (1, 7, 0)
    assert {row["digest"]: row["state"] for row in found(world, report)} == {first: "adopted", second: "deleted"}
    assert [row["digest"] for row in found(world, report, "?q=state=deleted")] == [second]
    assert AuditLog.objects.filter(operation="delete", resource_type="stored-content").exists()
    assert compared(world, worker).extra_attrs["findings"] == 0


@pytest.mark.usefixtures("no_grace")
def test_a_lost_database_gets_its_artifacts_back(world: World, worker: Worker) -> None:
    lost = world.artifact.digest
    lose()
    report = compared(world, worker)
    told = settled(world, worker, report, "adopt", kinds=["unknown_manifest", "unknown_blob", "unknown_link"])
    assert (told["adopted"], told["refused"]) == (6, 0)
    assert Artifact.objects.get().digest == lost


@pytest.mark.usefixtures("no_grace")
def test_what_is_being_deleted_is_not_adopted(world: World, worker: Worker) -> None:
    digest = stray(storage.backend())
    report = compared(world, worker)
    Blob.objects.create(digest=digest, size=3, state=Blob.State.DELETING)
    told = settled(world, worker, report, "adopt", kinds=["unknown_blob"])
    assert (told["adopted"], told["refused"]) == (0, 1)
    assert found(world, report)[0]["message"] == "it is being deleted"


def test_nothing_young_is_reported(world: World, worker: Worker) -> None:
    digest = stray(storage.backend())
    assert compared(world, worker).extra_attrs["findings"] == 0
    path = storage.backend().root / storage.blob_path(digest)
    old = timezone.now().timestamp() - 30 * 24 * 3600
    os.utime(path, (old, old))
    report = compared(world, worker)
    assert report.extra_attrs["findings"] == 1
    os.utime(path)
    told = settled(world, worker, report, "delete", kinds=["unknown_blob"])
    assert (told["gone"], told["deleted"]) == (1, 0) and path.exists()


@pytest.mark.usefixtures("no_grace")
def test_a_report_has_its_limit(world: World, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_audit, "KEPT_MAX", 2)
    for number in range(5):
        stray(storage.backend(), str(number).encode())
    report = compared(world, worker)
    assert report.extra_attrs["findings"] == 5 and StorageFinding.objects.count() == 2
    assert b"keeps 2 of 5" in executions.execution_log(report)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "burn", "kinds": ["unknown_blob"]}, 422),
        ({"action": "delete", "kinds": ["nothing"]}, 422),
        ({"action": "delete"}, 400),
        ({"action": "delete", "kinds": ["unknown_blob"], "findings": [1]}, 400),
        ({"action": "adopt", "kinds": ["empty_tree"]}, 400),
        ({"action": "delete", "kinds": ["missing_blob"]}, 400),
    ],
)
def test_what_is_refused(world: World, body: dict[str, Any], status: int) -> None:
    report = Execution.objects.create(
        vendor_type="STORAGE_AUDIT", status="Success", end_time=timezone.now(), extra_attrs={"findings": 0}
    )
    assert world.api("sysadmin", "POST", f"{PATH}/{report.pk}/findings", body).status_code == status
    assert not Execution.objects.exclude(pk=report.pk).exists()


def test_only_a_finished_report_is_settled(world: World) -> None:
    running = Execution.objects.create(vendor_type="STORAGE_AUDIT")
    body = {"action": "delete", "kinds": ["unknown_blob"]}
    assert world.api("sysadmin", "POST", f"{PATH}/{running.pk}/findings", body).status_code == 412
    other = Execution.objects.create(vendor_type="GARBAGE_COLLECTION", end_time=timezone.now())
    assert world.api("sysadmin", "POST", f"{PATH}/{other.pk}/findings", body).status_code == 404
    body = {"schedule": {"type": "Manual"}, "parameters": {"deep": True}}
    assert world.api("sysadmin", "POST", f"{PATH}/schedule", body).status_code == 400
