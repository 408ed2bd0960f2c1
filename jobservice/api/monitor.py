"""``/jobservice`` and ``/schedules``: what the job service does, and how to hold it (contract 2.16)."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import LOGIN, ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import DONE, FLAG, INT, TEXT, TIME, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import PAGING, Text, compact
from jobservice.api.system_jobs import LOG, text
from jobservice.models import Schedule, Task, WorkerPool
from jobservice.selectors import monitor as selectors
from jobservice.selectors.executions import whole_log
from jobservice.selectors.monitor import Queue, Worker
from jobservice.services import control

LIST, STOP = "jobservice-monitor:list", "jobservice-monitor:stop"
POOL = obj(
    "WorkerPool",
    {
        "pid": INT,
        "worker_pool_id": TEXT,
        "start_at": TIME,
        "heartbeat_at": TIME,
        "concurrency": INT,
        "host": TEXT,
    },
)
WORKER = obj(
    "Worker",
    {
        "id": TEXT,
        "pool_id": TEXT,
        "job_name?": TEXT,
        "job_id?": TEXT,
        "start_at?": TIME,
        "check_in?": TEXT,
        "checkin_at?": TIME,
    },
    about="A thread of a pool; without job_id it is free.",
)
QUEUE = obj(
    "JobQueue",
    {"job_type": TEXT, "count?": INT, "latency?": INT, "paused": FLAG},
    about="Jobs that wait, and for how many seconds the first of them has.",
)
SCHEDULE_TASK = obj(
    "ScheduleTask", {"id": INT, "vendor_type": TEXT, "vendor_id": INT, "cron": TEXT, "update_time": TIME}
)
SCHEDULER_STATUS = obj("SchedulerStatus", {"paused": FLAG})


def pool_json(pool: WorkerPool) -> dict[str, Any]:
    """WorkerPool."""
    return {
        "pid": pool.pid,
        "worker_pool_id": pool.pk,
        "start_at": rfc3339(pool.start_at),
        "heartbeat_at": rfc3339(pool.heartbeat_at),
        "concurrency": pool.concurrency,
        "host": pool.host,
    }


def worker_json(worker: Worker) -> dict[str, Any]:
    """Worker; ``check_in`` tells how far its job is."""
    row: dict[str, Any] = {"id": worker.id, "pool_id": worker.pool_id}
    task = worker.task
    if task is None:
        return row
    row |= {"job_name": task.job_type, "job_id": str(task.pk), "start_at": rfc3339(task.start_time)}
    if task.done or task.bytes:
        row |= {"check_in": _check_in(task), "checkin_at": rfc3339(task.update_time)}
    return row


def _check_in(task: Task) -> str:
    done = f"{task.done} of {task.total}" if task.total else f"{task.done}"
    return f"{done}, {task.bytes} bytes" if task.bytes else done


def queue_json(queue: Queue) -> dict[str, Any]:
    """JobQueue."""
    row = {"job_type": queue.job_type, "count": queue.count, "latency": queue.latency, "paused": queue.paused}
    return compact(row, "paused")


def schedule_task_json(schedule: Schedule) -> dict[str, Any]:
    """ScheduleTask."""
    return {
        "id": schedule.pk,
        "vendor_type": schedule.vendor_type,
        "vendor_id": schedule.vendor_id,
        "cron": schedule.cron,
        "update_time": rfc3339(schedule.update_time),
    }


class Pools(ApiView):
    permissions = {"GET": LIST}
    answers = {"GET": [POOL]}

    def get(self, request: Request) -> Response:
        return Response([pool_json(pool) for pool in selectors.pool_list()])


class Workers(ApiView):
    """``all`` stands for every pool."""

    permissions = {"GET": LIST}
    answers = {"GET": [WORKER]}

    def get(self, request: Request, pool_id: str) -> Response:
        return Response([worker_json(worker) for worker in selectors.worker_list(pool_id)])


class Queues(ApiView):
    permissions = {"GET": LIST}
    answers = {"GET": [QUEUE]}

    def get(self, request: Request) -> Response:
        return Response([queue_json(queue) for queue in selectors.queue_list()])


class QueueItem(ApiView):
    """``all`` stands for every queue, SCHEDULER for all schedules."""

    permissions = {"PUT": STOP}
    bodies = {"PUT": {"action": Text(required=True, choices=("stop", "pause", "resume"))}}
    answers = {"PUT": DONE}

    def put(self, request: Request, job_type: str) -> Response:
        control.act_on_queue(self.actor, job_type, self.body["action"])
        return self.done()


class Job(ApiView):
    """``all`` stops everything that runs."""

    permissions = {"PUT": STOP}
    answers = {"PUT": DONE}

    def put(self, request: Request, job_id: str) -> Response:
        control.stop_job(self.actor, job_id)
        return self.done()


class JobLog(ApiView):
    permissions = {"GET": LIST}
    answers = {"GET": LOG}

    def get(self, request: Request, job_id: str) -> HttpResponse:
        return text(whole_log(selectors.job_get(job_id)))


class Schedules(ApiView):
    permissions = {"GET": LIST}
    parameters = {"GET": PAGING}
    answers = {"GET": [SCHEDULE_TASK]}

    def get(self, request: Request) -> Response:
        return self.page(selectors.schedule_list(self.listing), schedule_task_json)


class SchedulesPaused(ApiView):
    """Only for ``all``."""

    permissions = {"GET": LOGIN}
    answers = {"GET": SCHEDULER_STATUS}

    def get(self, request: Request, job_type: str) -> Response:
        if job_type.lower() != selectors.ALL:
            raise HarborError("BAD_REQUEST", "only all schedules together can be paused, ask for all")
        return Response({"paused": selectors.schedules_paused()})
