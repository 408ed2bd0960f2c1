"""``/system/storageaudit`` (ours): what storage has and the database does not know, and the other way round."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID
from harbor_core.lib.schema import CREATED, INT, TEXT, choice, obj
from harbor_core.lib.wire import LISTING, Items, Text, Whole, compact
from jobservice.api.shapes import HISTORY_FIELDS
from jobservice.api.system_jobs import (
    JobHistory,
    JobLog,
    JobRun,
    JobSchedule,
    RunView,
    SystemJob,
    answers_of,
    permissions_of,
)
from jobservice.models import StorageFinding
from jobservice.selectors import findings as selectors
from jobservice.services import storage_audit

AUDIT = SystemJob(storage_audit.JOB_TYPE, ("system", "storageaudit"), storage_audit.checked)
PERMISSIONS = permissions_of("garbage-collection")
ANSWERS = answers_of(obj("StorageAuditHistory", HISTORY_FIELDS))
FINDING = obj(
    "StorageFinding",
    {
        "id": INT,
        "kind": choice(*StorageFinding.Kind.values),
        "path?": TEXT,
        "digest?": TEXT,
        "repository_name?": TEXT,
        "size?": INT,
        "recorded?": INT,
        "state": choice(*StorageFinding.State.values),
        "message?": TEXT,
    },
    about="Something storage and database disagree on. size: bytes in storage, recorded: bytes by the database; "
    "message: why what was asked for was not done.",
)
ACTION = {
    "action": Text(choices=(storage_audit.ADOPT, storage_audit.DELETE), required=True),
    "kinds": Items(Text(choices=tuple(StorageFinding.Kind.values)), default=()),
    "findings": Items(Whole(low=1), default=()),
}


def finding_json(finding: StorageFinding) -> dict[str, Any]:
    """StorageFinding."""
    names = ("id", "kind", "path", "digest", "repository_name", "size", "recorded", "state", "message")
    return compact({name: getattr(finding, name) for name in names}, "id", "kind", "state")


class AuditSchedule(JobSchedule):
    """A storage audit has no parameters."""

    job = AUDIT
    permissions = PERMISSIONS["schedule"]
    answers = ANSWERS["schedule"]


class AuditHistory(JobHistory):
    job = AUDIT
    permissions = PERMISSIONS["list"]
    answers = ANSWERS["list"]


class AuditRun(JobRun):
    job = AUDIT
    paths = {"audit_id": ID}
    permissions = PERMISSIONS["item"]
    answers = ANSWERS["item"]


class AuditLog(JobLog):
    job = AUDIT
    paths = {"audit_id": ID}
    permissions = PERMISSIONS["log"]
    answers = ANSWERS["log"]


class AuditFindings(RunView):
    """POST starts a run that adopts or deletes what was found: whole kinds, or findings by their ids."""

    job = AUDIT
    paths = {"audit_id": ID}
    permissions = {"GET": "garbage-collection:read", "POST": "garbage-collection:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": ACTION}
    answers = {"GET": [FINDING], "POST": CREATED}
    errors = {"POST": (412,)}

    def get(self, request: Request, audit_id: int) -> Response:
        return self.page(selectors.finding_list(self.execution, self.listing), finding_json)

    def post(self, request: Request, audit_id: int) -> Response:
        body = self.body
        started = storage_audit.start_settling(
            self.actor, self.execution, body["action"], kinds=body["kinds"], findings=body["findings"]
        )
        return self.created(*AUDIT.path, started.pk)
