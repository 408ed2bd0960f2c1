"""Jobs through the front door: started, watched, read, stopped, scheduled."""

import httpx

from tests.support.services import wait_until
from tests.support.stack import Stack

PURGE = "/api/v2.0/system/purgeaudit"


def purge(client: httpx.Client, kind: str, cron: str = "") -> httpx.Response:
    parameters = {"audit_retention_hour": 240_000, "include_event_types": "pull_artifact", "dry_run": True}
    return client.post(f"{PURGE}/schedule", json={"schedule": {"type": kind, "cron": cron}, "parameters": parameters})


def test_the_log_rotation_runs_and_can_be_watched(stack: Stack) -> None:
    with stack.api() as client:
        started = purge(client, "Manual")
        assert started.status_code == 201, started.text
        run = started.headers["Location"]
        wait_until(lambda: client.get(run).json()["job_status"] == "Success", 20, "the run to end")
        assert '"would_purge": 0' in client.get(run).json()["job_parameters"]
        log = client.get(f"{run}/log")
        assert log.headers["Content-Type"].startswith("text/plain")
        assert "this is a dry run" in log.text and log.text.rstrip().endswith("the task ends as Success")


def test_a_paused_queue_and_a_stop(stack: Stack) -> None:
    queue = "/api/v2.0/jobservice/queues/PURGE_AUDIT_LOG"
    with stack.api() as client:
        assert client.put(queue, json={"action": "pause"}).status_code == 200
        try:
            run = purge(client, "Manual").headers["Location"]
            rows = {row["job_type"]: row for row in client.get("/api/v2.0/jobservice/queues").json()}
            assert (rows["PURGE_AUDIT_LOG"]["count"], rows["PURGE_AUDIT_LOG"]["paused"]) == (1, True)
            assert client.put(run).status_code == 200
            assert client.get(run).json()["job_status"] == "Stopped"
            waiting = purge(client, "Manual").headers["Location"]
        finally:
            assert client.put(queue, json={"action": "resume"}).status_code == 200
        wait_until(lambda: client.get(waiting).json()["job_status"] == "Success", 20, "the run to end after the pause")


def test_workers_and_the_systems_schedules(stack: Stack) -> None:
    with stack.api() as client:
        (pool,) = client.get("/api/v2.0/jobservice/pools").json()
        assert pool["pid"] == stack.pid("worker")
        assert len(client.get(f"/api/v2.0/jobservice/pools/{pool['worker_pool_id']}/workers").json()) == 6
        schedules = {row["vendor_type"]: row["cron"] for row in client.get("/api/v2.0/schedules").json()}
        assert schedules["EXECUTION_SWEEP"] == "0 0 * * * *"
        assert purge(client, "Daily", "0 0 0 * * *").status_code == 201
        assert client.get(f"{PURGE}/schedule").json()["schedule"]["type"] == "Daily"
        assert purge(client, "None").status_code == 201
        assert client.get(f"{PURGE}/schedule").content == b""
