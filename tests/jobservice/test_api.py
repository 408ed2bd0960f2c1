"""``/jobservice`` and ``/schedules``."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobservice import dispatch
from jobservice.models import JobQueue, Task
from jobservice.services import schedules
from tests.cast import World
from tests.jobservice.conftest import Worker

pytestmark = pytest.mark.django_db


def test_pools_and_workers(world: World, worker: Worker) -> None:
    api = world.api
    assert api("sysadmin", "GET", "jobservice/pools").json() == []
    assert api("sysadmin", "GET", "jobservice/pools/all/workers").json() == []
    dispatch.submit("TEST")
    context = worker.take()
    assert context is not None
    worker.tick()
    (pool,) = api("sysadmin", "GET", "jobservice/pools").json()
    assert set(pool) == {"pid", "worker_pool_id", "start_at", "heartbeat_at", "concurrency", "host"}
    assert (pool["worker_pool_id"], pool["concurrency"], pool["pid"]) == (worker.pool.pk, 4, worker.pool.pid)
    busy, *free = api("sysadmin", "GET", f"jobservice/pools/{worker.pool.pk}/workers").json()
    assert (busy["job_name"], busy["job_id"], busy["pool_id"]) == ("TEST", str(context.task.pk), worker.pool.pk)
    assert "check_in" not in busy and [set(row) for row in free] == [{"id", "pool_id"}] * 3
    context.progress(3, 9, 700)
    worker.tick()
    busy, *_ = api("sysadmin", "GET", "jobservice/pools/all/workers").json()
    assert busy["check_in"] == "3 of 9, 700 bytes" and busy["checkin_at"] > "2026"
    assert api("sysadmin", "GET", "jobservice/pools/nobody/workers").status_code == 404


def test_queues(world: World) -> None:
    api = world.api
    dispatch.submit("TEST")
    Task.objects.update(queued_at=timezone.now() - timedelta(seconds=65))
    found = {queue["job_type"]: queue for queue in api("sysadmin", "GET", "jobservice/queues").json()}
    assert 65 <= found["TEST"].pop("latency") < 70
    assert found["TEST"] == {"job_type": "TEST", "count": 1, "paused": False}
    assert found["PURGE_AUDIT_LOG"] == {"job_type": "PURGE_AUDIT_LOG", "paused": False}
    assert api("sysadmin", "PUT", "jobservice/queues/test", {"action": "pause"}).status_code == 200
    assert JobQueue.objects.get(job_type="TEST").paused
    assert api("sysadmin", "PUT", "jobservice/queues/TEST", {"action": "stop"}).status_code == 200
    assert Task.objects.get().status == "Stopped"
    assert api("sysadmin", "PUT", "jobservice/queues/TEST", {"action": "resume"}).status_code == 200
    assert not JobQueue.objects.get(job_type="TEST").paused
    for body, status in (({"action": "dance"}, 422), ({}, 422), ({"action": 1}, 422), (b"{", 400)):
        assert api("sysadmin", "PUT", "jobservice/queues/TEST", body).status_code == status
    assert api("sysadmin", "PUT", "jobservice/queues/NOBODY", {"action": "stop"}).status_code == 404


def test_jobs(world: World, worker: Worker) -> None:
    api = world.api
    dispatch.submit("TEST", parameters={"steps": 2})
    task = Task.objects.get()
    assert api("sysadmin", "GET", f"jobservice/jobs/{task.pk}/log").content == b""
    worker.work()
    log = api("sysadmin", "GET", f"jobservice/jobs/{task.pk}/log")
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert b"step 2 of 2" in log.content
    assert api("sysadmin", "PUT", f"jobservice/jobs/{task.pk}").status_code == 200, "it has ended: nothing to do"
    assert Task.objects.get().status == "Success"
    dispatch.submit("TEST")
    waiting = Task.objects.order_by("-pk")[0]
    assert api("sysadmin", "PUT", f"jobservice/jobs/{waiting.pk}").status_code == 200
    assert Task.objects.get(pk=waiting.pk).status == "Stopped"
    assert api("sysadmin", "PUT", "jobservice/jobs/all").status_code == 200
    for job_id in ("0", "x", "424242", "99999999999999999999"):
        assert api("sysadmin", "PUT", f"jobservice/jobs/{job_id}").status_code == 404
        assert api("sysadmin", "GET", f"jobservice/jobs/{job_id}/log").status_code == 404


def test_schedules(world: World) -> None:
    api = world.api
    assert api("sysadmin", "GET", "schedules").json() == []
    first = schedules.put("TEST", 5, cron="0 0 1 * * *")
    schedules.put("TEST_URGENT", cron="0 0 2 * * *")
    page = api("sysadmin", "GET", "schedules?page_size=1")
    assert page.headers["X-Total-Count"] == "2" and 'rel="next"' in page.headers["Link"]
    (row,) = page.json()
    assert {name: row[name] for name in ("id", "vendor_type", "vendor_id", "cron")} == {
        "id": first.pk,
        "vendor_type": "TEST",
        "vendor_id": 5,
        "cron": "0 0 1 * * *",
    }
    assert api("guest", "GET", "schedules/all/paused").json() == {"paused": False}
    api("sysadmin", "PUT", "jobservice/queues/scheduler", {"action": "pause"})
    assert api("guest", "GET", "schedules/all/paused").json() == {"paused": True}
    assert api("sysadmin", "GET", "schedules/TEST/paused").status_code == 400
