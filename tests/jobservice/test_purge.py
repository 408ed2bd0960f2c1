"""The log rotation: which rows go, and its API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from harbor_core.models import AuditLog
from jobservice.models import Execution, Schedule, Task
from jobservice.selectors import executions
from jobservice.services import purge
from tests.cast import World
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db
ALL_TYPES = "create_artifact,delete_artifact,pull_artifact"
PATH = "system/purgeaudit"


def rows(hours: float, kind: str = "pull_artifact", number: int = 1) -> None:
    operation, _, resource = kind.partition("_")
    when = timezone.now() - timedelta(hours=hours)
    AuditLog.objects.bulk_create(
        AuditLog(username="ann", operation=operation, resource_type=resource, resource="r", op_time=when)
        for _ in range(number)
    )


def body(kind: str = "Manual", cron: str = "", **parameters: Any) -> dict[str, Any]:
    values = {"audit_retention_hour": 24, "include_event_types": ALL_TYPES, "dry_run": False} | parameters
    return {"schedule": {"type": kind, "cron": cron}, "parameters": values}


def left() -> list[str]:
    found = AuditLog.objects.filter(username="ann").order_by("pk").values_list("operation", "resource_type")
    return [f"{operation}_{resource}" for operation, resource in found]


@pytest.fixture
def run(world: World, worker: Worker):  # type: ignore[no-untyped-def]  # a function
    def start(**parameters: Any) -> Execution:
        response = world.api("sysadmin", "POST", f"{PATH}/schedule", body(**parameters))
        assert response.status_code == 201, response.content
        prefix, _, execution_id = response.headers["Location"].rpartition("/")
        assert prefix == f"/api/v2.0/{PATH}"
        assert worker.work() == 1
        return Execution.objects.get(pk=execution_id)

    return start


def test_only_old_rows_of_the_kinds(run) -> None:  # type: ignore[no-untyped-def]  # a fixture
    for kind in ("pull_artifact", "create_artifact", "create_project"):
        rows(23, kind)
        rows(25, kind)
    execution = run()
    assert left() == ["pull_artifact", "create_artifact", "create_project", "create_project"]
    assert execution.status == "Success" and execution.extra_attrs["purged"] == 2
    task = execution.tasks.get()
    assert (task.done, task.total) == (2, 2)


def test_a_dry_run_only_counts(run) -> None:  # type: ignore[no-untyped-def]  # a fixture
    rows(25, number=3)
    execution = run(dry_run=True)
    assert len(left()) == 3
    assert (execution.extra_attrs["purged"], execution.extra_attrs["would_purge"]) == (0, 3)
    assert b"nothing is deleted" in executions.execution_log(execution)


def test_no_kind_means_none(run) -> None:  # type: ignore[no-untyped-def]  # a fixture
    rows(25)
    assert run(include_event_types=" , ").extra_attrs["purged"] == 0
    assert len(left()) == 1


def test_operations_as_before(run) -> None:  # type: ignore[no-untyped-def]  # a fixture
    rows(25, "pull_artifact")
    rows(25, "create_user-group")
    run(include_event_types="", include_operations="create")
    assert left() == ["pull_artifact"]
    run(include_event_types="PULL_artifact")
    assert left() == []


def test_many_rows_go_in_batches_past_those_that_stay(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]  # a fixture
    monkeypatch.setattr(purge, "BATCH", 7)
    for hours in (30, 29.5, 29, 28):
        rows(hours, "pull_artifact", 10)
        rows(hours, "create_project", 10)
    assert run().extra_attrs["purged"] == 40
    assert left() == ["create_project"] * 40


def test_a_schedule_is_set_shown_replaced_and_removed(world: World) -> None:
    empty = world.api("sysadmin", "GET", f"{PATH}/schedule")
    assert (empty.status_code, empty.content) == (200, b"")
    made = world.api("sysadmin", "POST", f"{PATH}/schedule", body("Hourly", "0 0 * * * *"))
    assert (made.status_code, made.headers["Location"]) == (201, f"/api/v2.0/{PATH}/0")
    shown = world.api("sysadmin", "GET", f"{PATH}/schedule").json()
    assert shown["schedule"]["type"] == "Hourly" and shown["schedule"]["cron"] == "0 0 * * * *"
    assert shown["schedule"]["next_scheduled_time"].endswith(":00:00.000Z")
    assert '"audit_retention_hour": 24' in shown["job_parameters"]
    assert world.api("sysadmin", "PUT", f"{PATH}/schedule", body("Custom", "0 7 * * * *")).status_code == 200
    assert world.api("sysadmin", "GET", f"{PATH}/schedule").json()["schedule"]["cron"] == "0 7 * * * *"
    assert Schedule.objects.count() == 1
    none = {"schedule": {"type": "None", "cron": ""}}
    assert world.api("sysadmin", "PUT", f"{PATH}/schedule", none).status_code == 200
    assert world.api("sysadmin", "GET", f"{PATH}/schedule").content == b""
    recorded = AuditLog.objects.filter(resource_type="schedule").order_by("pk").values_list("operation", flat=True)
    assert list(recorded) == ["update", "update", "delete"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 400),
        ({"schedule": {}}, 400),
        ({"schedule": {"type": "Sometimes"}}, 422),
        ({"schedule": "Daily"}, 422),
        (body("Custom", "* * * * * *"), 400),
        (body("Custom", "0 0 * * *"), 400),
        (body("Custom", ""), 400),
        (body(audit_retention_hour=240_001), 400),
        (body(audit_retention_hour=-1), 400),
        (body(audit_retention_hour="24"), 400),
        (body(audit_retention_hour=True), 400),
        (body(include_event_types=["pull_artifact"]), 400),
        (body(include_event_types=None), 400),
        (body(dry_run="no"), 400),
        ({"schedule": {"type": "Manual"}, "parameters": {"include_event_types": ""}}, 400),
        ({"schedule": {"type": "Manual"}, "parameters": {"audit_retention_hour": 1}}, 400),
        ({"schedule": {"type": "Manual"}, "parameters": 7}, 422),
    ],
)
def test_bad_schedules(sent: dict[str, Any], status: int, world: World) -> None:
    for verb in ("POST", "PUT"):
        response = world.api("sysadmin", verb, f"{PATH}/schedule", sent)
        assert response.status_code == status, response.content
        assert response.json()["errors"][0]["message"]
    assert not Execution.objects.exists() and not Schedule.objects.exists()


def test_history_log_and_stop(world: World, run, worker: Worker) -> None:  # type: ignore[no-untyped-def]  # a fixture
    rows(25)
    execution = run()
    api = world.api
    response = api("sysadmin", "GET", f"{PATH}?page_size=5")
    assert response.headers["X-Total-Count"] == "1"
    (item,) = response.json()
    assert item == api("sysadmin", "GET", f"{PATH}/{execution.pk}").json()
    assert (item["id"], item["job_name"], item["job_kind"]) == (execution.pk, "PURGE_AUDIT_LOG", "MANUAL")
    assert (item["job_status"], item["schedule"]) == ("Success", {"type": "Manual"})
    assert '"purged": 1' in item["job_parameters"] and "deleted" not in item
    log = api("sysadmin", "GET", f"{PATH}/{execution.pk}/log")
    assert log.headers["Content-Type"].startswith("text/plain") and b"1 rows are deleted" in log.content
    assert api("sysadmin", "GET", f"{PATH}?q=job_status=Error").json() == []
    for path in (f"{PATH}/424242", f"{PATH}/424242/log"):
        assert api("sysadmin", "GET", path).status_code == 404
    assert api("sysadmin", "GET", f"{PATH}/x").status_code == 422
    assert api("sysadmin", "PUT", f"{PATH}/{execution.pk}").status_code == 200, "it has ended, nothing to stop"

    api("sysadmin", "POST", f"{PATH}/schedule", body())
    waiting = Execution.objects.order_by("-pk")[0]
    assert api("sysadmin", "GET", f"{PATH}/{waiting.pk}").json()["job_status"] == "Running"
    assert api("sysadmin", "GET", f"{PATH}/{waiting.pk}/log").content == b""
    assert api("sysadmin", "PUT", f"{PATH}/{waiting.pk}").status_code == 200
    assert api("sysadmin", "GET", f"{PATH}/{waiting.pk}").json()["job_status"] == "Stopped"
    assert Task.objects.get(execution=waiting).status == "Stopped"


def test_a_run_by_schedule(world: World, worker: Worker) -> None:
    from jobservice.services import schedules

    world.api("sysadmin", "POST", f"{PATH}/schedule", body("Daily", "0 0 0 * * *"))
    Schedule.objects.update(next_time=timezone.now() - timedelta(hours=1))
    assert schedules.fire_due() == 1
    worker.work()
    (item,) = world.api("sysadmin", "GET", PATH).json()
    assert (item["job_kind"], item["schedule"]) == ("SCHEDULE", {"type": "Schedule", "cron": "0 0 0 * * *"})
    assert '"audit_retention_hour": 24' in item["job_parameters"]


def test_other_jobs_are_not_in_it(world: World) -> None:
    from jobservice import dispatch

    other = dispatch.submit("TEST")
    assert world.api("sysadmin", "GET", PATH).json() == []
    assert world.api("sysadmin", "GET", f"{PATH}/{other.pk}").status_code == 404
    assert world.api("sysadmin", "PUT", f"{PATH}/{other.pk}").status_code == 404
