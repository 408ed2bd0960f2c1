"""The four views of a job that administrators schedule, start, look at and stop (contract 2.14).

A subclass of each names the job and what its parameters may be::

    class PurgeSchedule(JobSchedule):
        job = PURGE
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import CREATED, DONE, TEXT, Answer, Schema
from harbor_core.lib.wire import LISTING, Anything, Nested, Pairs, Reader, Text
from jobservice.api.shapes import SCHEDULE_TYPES, history_json, schedule_json
from jobservice.models import Execution
from jobservice.selectors import executions as selectors
from jobservice.selectors.monitor import schedule_get
from jobservice.services import system_jobs
from jobservice.states import SYSTEM

LOG = Answer(TEXT, media_type="text/plain")


BODY: dict[str, Reader] = {
    "schedule": Nested({"type": Text(choices=SCHEDULE_TYPES, default=""), "cron": Text(default="")}),
    "parameters": Pairs(Anything(), default={}),
}


@dataclass(frozen=True, slots=True)
class SystemJob:
    """``path`` below the API, ``checked`` turns parameters into those a task gets (raises BAD_REQUEST)."""

    job_type: str
    path: tuple[str, ...]
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]


def permissions_of(resource: str) -> dict[str, dict[str, str]]:
    """The permissions of the four views for the resource they are granted on."""
    return {
        "schedule": {"GET": f"{resource}:read", "POST": f"{resource}:create", "PUT": f"{resource}:update"},
        "list": {"GET": f"{resource}:list"},
        "item": {"GET": f"{resource}:read", "PUT": f"{resource}:stop"},
        "log": {"GET": f"{resource}:read"},
    }


def answers_of(history: Schema) -> dict[str, dict[str, Any]]:
    """The answers of the four views, for the shape of a run."""
    return {
        "schedule": {"GET": Answer(history, may_be_empty=True), "POST": CREATED, "PUT": DONE},
        "list": {"GET": [history]},
        "item": {"GET": history, "PUT": DONE},
        "log": {"GET": LOG},
    }


class JobView(ApiView):
    job: ClassVar[SystemJob]


class JobSchedule(JobView):
    """GET answers with nothing when there is no schedule. POST and PUT: type Manual starts a run now, None removes the
    schedule, everything else sets it."""

    bodies = {"POST": BODY, "PUT": BODY}

    def get(self, request: Request) -> Response:
        schedule = schedule_get(self.job.job_type, SYSTEM)
        return Response(schedule_json(schedule) if schedule else None)

    def post(self, request: Request) -> Response:
        return self.created(*self.job.path, self._apply())

    def put(self, request: Request) -> Response:
        self._apply()
        return self.done()

    def _apply(self) -> int:
        """The id of the execution that was started, 0 when none was."""
        schedule = self.body["schedule"]
        if not schedule or not schedule["type"]:
            raise HarborError("BAD_REQUEST", "schedule.type is missing")
        kind = schedule["type"]
        parameters = {} if kind == system_jobs.NONE else self.job.checked(self.body["parameters"])
        if kind == system_jobs.MANUAL:
            return system_jobs.start(self.actor, self.job.job_type, parameters).pk
        system_jobs.set_schedule(self.actor, self.job.job_type, kind, schedule["cron"], parameters)
        return 0


class JobHistory(JobView):
    parameters = {"GET": LISTING}

    def get(self, request: Request) -> Response:
        rows = selectors.executions([self.job.job_type], [SYSTEM])
        return self.page(selectors.execution_list(rows, self.listing), history_json)


class RunView(JobView):
    """Of one run, whose id is the only variable of the path."""

    @property
    def execution(self) -> Execution:
        """Raises NOT_FOUND."""
        (execution_id,) = self.kwargs.values()
        return selectors.execution_get(selectors.executions([self.job.job_type]), execution_id)


class JobRun(RunView):
    """PUT stops it; one that has ended stays as it is."""

    def get(self, request: Request, **path: int) -> Response:
        return Response(history_json(self.execution))

    def put(self, request: Request, **path: int) -> Response:
        system_jobs.stop(self.actor, self.execution)
        return self.done()


class JobLog(RunView):
    """The log, also while the job runs."""

    def get(self, request: Request, **path: int) -> HttpResponse:
        return text(selectors.execution_log(self.execution))


def text(log: bytes) -> HttpResponse:
    return HttpResponse(log, content_type="text/plain; charset=utf-8")
