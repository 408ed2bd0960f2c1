"""The job service in the portal: queues, schedules, workers, executions, tasks and logs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from harbor_core.models import AuditLog
from jobservice import dispatch
from jobservice.dispatch import TaskSpec
from jobservice.logs.stores import stores
from jobservice.models import JobQueue, Task, WorkerPool
from jobservice.services import schedules
from jobservice.services.transitions import move
from jobservice.states import SCHEDULER, Status
from portal.templatetags.portal import duration
from projects.models import WebhookPolicy
from tests.portal.conftest import World

pytestmark = pytest.mark.django_db
BASE = "/harbor/job-service-dashboard"
HTMX = {"HX-Request": "true"}


def _started(task: Task) -> Task:
    WorkerPool.objects.get_or_create(id="pool-1", defaults={"host": "worker-7", "pid": 42, "concurrency": 6})
    move(Task.objects.filter(pk=task.pk), Status.PENDING, Status.RUNNING, worker="pool-1", run_count=1,
         lease_until=timezone.now() + timedelta(minutes=1), done=40, total=80, rate=8.0)  # fmt: skip
    task.refresh_from_db()
    return task


@pytest.mark.parametrize("path", ["", "/pending-jobs", "/schedules", "/workers", "/executions", "/queues/all/pause",
                                  "/workers/stop", "/executions/{execution}", "/executions/{execution}/stop",
                                  "/tasks/{task}", "/tasks/{task}/log", "/tasks/{task}/stop"])  # fmt: skip
def test_administrators_see_it_and_nobody_else(path: str, admin: Client, world: World) -> None:
    execution = dispatch.submit("GARBAGE_COLLECTION")
    path = BASE + path.format(execution=execution.pk, task=execution.tasks.get().pk)
    assert admin.get(path).status_code == 200
    other = Client()
    assert other.get(path).status_code == 404
    other.force_login(world.developer)
    assert other.get(path).status_code == 404
    assert other.post(f"{BASE}/queues/all/pause").status_code == 404 and not JobQueue.objects.filter(paused=True)


def test_what_is_not_there_is_not_found(admin: Client) -> None:
    for path in ("executions/99", "tasks/99", "tasks/99/log", "queues/NONE/pause", "queues/all/burn",
                 "queues/SCHEDULER/stop"):  # fmt: skip
        assert admin.get(f"{BASE}/{path}").status_code == 404


def test_a_queue_is_paused_resumed_and_emptied(admin: Client) -> None:
    execution = dispatch.submit("RETENTION", tasks=[TaskSpec({}), TaskSpec({})])
    page = admin.get(BASE)
    assert b"Tag retention" in page.content and b"2 wait" in page.content
    assert b"no schedule" not in admin.get(f"{BASE}/queues/RETENTION/pause").content
    assert admin.post(f"{BASE}/queues/RETENTION/pause")["Location"] == BASE
    assert JobQueue.objects.get(job_type="RETENTION").paused and b"Paused" in admin.get(BASE).content
    admin.post(f"{BASE}/queues/RETENTION/resume")
    assert not JobQueue.objects.get(job_type="RETENTION").paused
    admin.post(f"{BASE}/queues/RETENTION/stop")
    execution.refresh_from_db()
    assert execution.status == Status.STOPPED and execution.stopped == 2
    noted = AuditLog.objects.filter(resource_type="job-queue").order_by("pk")
    assert list(noted.values_list("operation", flat=True)) == ["pause", "resume", "stop"]


def test_all_queues_and_schedules_are_paused(admin: Client) -> None:
    admin.post(f"{BASE}/queues/all/pause")
    page = admin.get(BASE)
    assert b"Resume all" in page.content and b"Pause all" not in page.content
    assert b"nothing starts by itself" in page.content
    admin.post(f"{BASE}/queues/all/resume")
    assert not JobQueue.objects.filter(paused=True).exists()


def test_schedules_with_their_projects(admin: Client, world: World) -> None:
    policy = WebhookPolicy.objects.create(project=world.library, name="deploy", targets=[], event_types=[])
    schedules.put("GARBAGE_COLLECTION", cron="0 0 3 * * *", operator="ann")
    schedules.put("WEBHOOK", policy.pk, cron="0 30 4 * * *")
    page = admin.get(f"{BASE}/schedules")
    assert b"0 0 3 * * *" in page.content and b"ann" in page.content
    assert f'href="/harbor/projects/{world.library.pk}"'.encode() in page.content
    assert admin.post(f"{BASE}/queues/SCHEDULER/pause")["Location"] == f"{BASE}/schedules"
    assert JobQueue.objects.get(job_type=SCHEDULER).paused
    assert b"nothing starts by itself" in admin.get(f"{BASE}/schedules").content


def test_workers_and_what_they_are_at(admin: Client) -> None:
    assert b"No worker answers" in admin.get(f"{BASE}/workers").content
    task = _started(dispatch.submit("GARBAGE_COLLECTION").tasks.get())
    page = admin.get(f"{BASE}/workers").content
    assert b"worker-7" in page and f"{BASE}/tasks/{task.pk}".encode() in page and b'aria-valuenow="50"' in page
    admin.post(f"{BASE}/tasks/{task.pk}/stop")
    task.refresh_from_db()
    assert task.stop_requested
    other = _started(dispatch.submit("RETENTION").tasks.get())
    admin.post(f"{BASE}/workers/stop")
    other.refresh_from_db()
    assert other.stop_requested


def test_executions_are_filtered_and_watched(admin: Client) -> None:
    running = _started(dispatch.submit("GARBAGE_COLLECTION", operator="ann").tasks.get()).execution
    ended = dispatch.submit("RETENTION", trigger="SCHEDULE", tasks=[])
    page = admin.get(f"{BASE}/executions").content
    assert b'hx-trigger="every 3s"' in page and b"40 of 80" in page
    found = {
        query: [row["row"].pk for row in admin.get(f"{BASE}/executions?{query}").context["rows"]]
        for query in ("type=RETENTION", "state=Running", "trigger=SCHEDULE", "state=nonsense", "state=Error", "")
    }
    assert found == {
        "type=RETENTION": [ended.pk],
        "state=Running": [running.pk],
        "trigger=SCHEDULE": [ended.pk],
        "state=nonsense": [ended.pk, running.pk],
        "state=Error": [],
        "": [ended.pk, running.pk],
    }
    assert b"every 3s" not in admin.get(f"{BASE}/executions?type=RETENTION").content
    part = admin.get(f"{BASE}/executions", headers=HTMX).content
    assert b"<html" not in part and b'id="list"' in part


def test_an_execution_with_many_tasks(admin: Client) -> None:
    execution = dispatch.submit("RETENTION", tasks=[TaskSpec({"repository": n}) for n in range(20)])
    task = _started(execution.tasks.order_by("pk")[0])
    where = f"{BASE}/executions/{execution.pk}"
    page = admin.get(where)
    assert b"0 of 20" in page.content and len(page.context["tasks"]) == 15 and page.context["log"] is None
    assert [row.pk for row, _, _ in admin.get(f"{where}?state=Running").context["tasks"]] == [task.pk]
    live = admin.get(where, headers=HTMX | {"HX-Target": "live"}).content
    assert b'id="live"' in live and b'id="list"' not in live
    tasks = admin.get(where, headers=HTMX | {"HX-Target": "list"}).content
    assert b'id="list"' in tasks and b'id="live"' not in tasks
    admin.post(f"{where}/stop")
    execution.refresh_from_db()
    assert execution.stopped == 19 and execution.running == 1
    assert b"repository" in admin.get(f"{BASE}/tasks/{task.pk}").content


def test_a_log_is_followed_by_bytes(admin: Client) -> None:
    """A character cut at the end of a piece comes whole with the next."""
    execution = dispatch.submit("GARBAGE_COLLECTION")
    task = _started(execution.tasks.get())
    Task.objects.filter(pk=task.pk).update(has_log=True)
    text = "收集了 3 个\n".encode()
    stores()[0].append(task.pk, 0, text[:1])
    first = admin.get(f"{BASE}/tasks/{task.pk}/log?offset=0")
    assert first.content == b"" and first["X-Log-Offset"] == "0" and "X-Log-End" not in first
    stores()[0].append(task.pk, 1, text[1:])
    second = admin.get(f"{BASE}/tasks/{task.pk}/log?offset=0")
    assert second.content == text and second["X-Log-Offset"] == str(len(text))
    assert "收集了" in admin.get(f"{BASE}/executions/{execution.pk}").content.decode()
    assert admin.get(f"{BASE}/tasks/{task.pk}/log?offset={len(text)}").content == b""


def test_a_log_that_is_gone_says_so(admin: Client) -> None:
    task = _started(dispatch.submit("GARBAGE_COLLECTION").tasks.get())
    move(Task.objects.filter(pk=task.pk), Status.RUNNING, Status.SUCCESS)
    page = admin.get(f"{BASE}/tasks/{task.pk}").content
    assert b"not kept any more" in page and b"every 2s" not in page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.9, "0 s"), (59, "59 s"), (65, "1 min 5 s"), (7200, "2 h"), (7800.5, "2 h 10 min"),
     (90_000, "1 d 1 h")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_pages_cost_the_same_however_much_there_is(
    admin: Client, world: World, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(12):
        policy = WebhookPolicy.objects.create(project=world.library, name=f"p{number}", targets=[], event_types=[])
        schedules.put("WEBHOOK", policy.pk, cron="0 30 4 * * *")
        _started(dispatch.submit("WEBHOOK", vendor_id=policy.pk).tasks.get())
    for path, queries in (("", 10), ("/schedules", 10), ("/workers", 10), ("/executions", 11)):
        with django_assert_max_num_queries(queries):
            assert admin.get(f"{BASE}{path}").status_code == 200
