"""``/replication/executions``: runs of policies, their tasks and logs."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.schema import ANY, CREATED, INT, TEXT, TIME, Answer, choice, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Text, Whole, compact
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from jobservice.states import Status, Trigger
from replication.selectors import policies as selectors
from replication.selectors.policies import Planned
from replication.services import policies as services

STATE = choice("InProgress", "Succeed", "Failed", "Stopped")
TASK_STATE = choice("Pending", "InProgress", "Succeed", "Failed", "Stopped")
REPLICATION_EXECUTION = obj(
    "ReplicationExecution",
    {
        "id": INT,
        "policy_id": INT,
        "status": STATE,
        "trigger": choice(*selectors.TRIGGERS),
        "start_time": TIME,
        "end_time?": TIME,
        "status_text": TEXT,
        "total": INT,
        "failed": INT,
        "succeed": INT,
        "in_progress": INT,
        "stopped": INT,
    },
)
REPLICATION_TASK = obj(
    "ReplicationTask",
    {
        "id": INT,
        "execution_id": INT,
        "status": TASK_STATE,
        "job_id": TEXT,
        "operation": choice("copy", "deletion"),
        "resource_type": TEXT,
        "src_resource": TEXT,
        "dst_resource": TEXT,
        "start_time?": TIME,
        "end_time?": TIME,
    },
)
_STATE = {status: name for name, statuses in selectors.STATES.items() for status in statuses}
_TRIGGER = {trigger: name for name, trigger in selectors.TRIGGERS.items()}


def state_of(execution: Execution) -> str:
    """The contract's word."""
    return _STATE[Status(execution.status)]


def execution_json(execution: Execution, planned: Planned) -> dict[str, Any]:
    """ReplicationExecution. The task that looked for what to copy is none of those counted."""
    counts = {status: getattr(execution, status.counter) for status in Status}
    if planned.status:
        counts[Status(planned.status)] -= 1
    failed = planned.message if planned.status == Status.ERROR else ""
    shown = {
        "id": execution.pk,
        "policy_id": execution.vendor_id,
        "status": state_of(execution),
        "trigger": _TRIGGER[Trigger(execution.trigger)],
        "start_time": rfc3339(execution.start_time),
        "end_time": rfc3339(execution.end_time) if execution.end_time else "",
    }
    return compact(shown) | {
        "status_text": failed or execution.extra_attrs.get("message", ""),
        "total": sum(counts.values()),
        "failed": counts[Status.ERROR],
        "succeed": counts[Status.SUCCESS],
        "in_progress": counts[Status.RUNNING] + counts[Status.PENDING] + counts[Status.SCHEDULED],
        "stopped": counts[Status.STOPPED],
    }


def task_json(task: Task) -> dict[str, Any]:
    """ReplicationTask."""
    waiting = task.status in (Status.PENDING, Status.SCHEDULED)
    names = ("operation", "resource_type", "src_resource", "dst_resource")
    fields = {
        "id": task.pk,
        "execution_id": task.execution_id,
        "status": "Pending" if waiting else _STATE[Status(task.status)],
        "job_id": str(task.pk),
        **{name: task.extra_attrs.get(name, "") for name in names},
        "start_time": rfc3339(task.start_time) if task.start_time else "",
        "end_time": rfc3339(task.end_time) if task.end_time else "",
    }
    return compact(fields)


class ExecutionList(ApiView):
    permissions = {"GET": "replication:list", "POST": "replication:create"}
    parameters = {"GET": LISTING | {"policy_id": Whole(), "status": Text(default=""), "trigger": Text(default="")}}
    bodies = {"POST": {"policy_id": Whole(required=True)}}
    answers = {"GET": [REPLICATION_EXECUTION], "POST": CREATED}
    errors = {"POST": (404, 412)}

    def get(self, request: Request) -> Response:
        page = selectors.execution_list(
            self.listing,
            policy_id=self.params["policy_id"],
            status=self.params["status"],
            trigger=self.params["trigger"],
        )
        planned = selectors.planned(page.items)
        return self.page(page, lambda execution: execution_json(execution, planned.get(execution.pk, Planned())))

    def post(self, request: Request) -> Response:
        return self.created("replication", "executions", services.start(self.actor, self.body["policy_id"]).pk)


class ExecutionItem(ApiView):
    permissions = {"GET": "replication:read", "PUT": "replication:create"}
    paths = {"id": ID}
    answers = {"GET": REPLICATION_EXECUTION, "PUT": Answer(ANY)}
    errors = {"PUT": (404,)}

    def get(self, request: Request, id: int) -> Response:
        execution = executions.execution_get(selectors.executions_of(), id)
        return Response(execution_json(execution, selectors.planned([execution]).get(execution.pk, Planned())))

    def put(self, request: Request, id: int) -> HttpResponse:
        services.stop(self.actor, executions.execution_get(selectors.executions_of(), id))
        return HttpResponse("null\n", content_type="application/json")


class TaskList(ApiView):
    permissions = {"GET": "replication:list"}
    paths = {"id": ID}
    parameters = {"GET": LISTING | {"status": Text(default=""), "resource_type": Text(default="")}}
    answers = {"GET": [REPLICATION_TASK]}

    def get(self, request: Request, id: int) -> Response:
        execution = executions.execution_get(selectors.executions_of(), id)
        page = selectors.task_list(
            execution, self.listing, status=self.params["status"], resource_type=self.params["resource_type"]
        )
        return self.page(page, task_json)


class TaskLog(ApiView):
    permissions = {"GET": "replication:read"}
    paths = {"id": ID, "task_id": ID}
    answers = {"GET": Answer(TEXT, media_type="text/plain")}

    def get(self, request: Request, id: int, task_id: int) -> HttpResponse:
        task = executions.task_get(executions.execution_get(selectors.executions_of(), id), task_id)
        return HttpResponse(executions.whole_log(task), content_type="text/plain; charset=utf-8")
