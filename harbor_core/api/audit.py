"""``/auditlog-exts`` and a project's log; ``/audit-logs`` and ``logs`` show the same in the form of Harbor 2.12."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import LOGIN, ApiView, ProjectView
from harbor_core.lib.schema import FLAG, INT, TEXT, TIME, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, compact
from harbor_core.models import AuditLog
from harbor_core.selectors.audit import audit_list, project_audit_list
from harbor_core.services import audit

_COMMON = {"id": INT, "username": TEXT, "resource": TEXT, "resource_type": TEXT, "operation": TEXT, "op_time": TIME}
AUDIT_LOG = obj("AuditLog", _COMMON)
AUDIT_LOG_EXT = obj(
    "AuditLogExt", _COMMON | {"operation_description": TEXT, "operation_result": FLAG, "client_ip?": TEXT}
)
EVENT_TYPE = obj("AuditLogEventType", {"event_type": TEXT})


def legacy_json(row: AuditLog) -> dict[str, Any]:
    """AuditLog."""
    return {
        "id": row.pk,
        "username": row.username,
        "resource": row.resource,
        "resource_type": row.resource_type,
        "operation": row.operation,
        "op_time": rfc3339(row.op_time),
    }


def audit_json(row: AuditLog) -> dict[str, Any]:
    """AuditLogExt, and where the request came from."""
    more = {
        "operation_description": row.operation_description,
        "operation_result": row.operation_result,
        "client_ip": row.client_ip,
    }
    return legacy_json(row) | compact(more, "operation_description", "operation_result")


class AuditLogExts(ApiView):
    permissions = {"GET": LOGIN}
    parameters = {"GET": LISTING}
    answers = {"GET": [AUDIT_LOG_EXT]}

    def get(self, request: Request) -> Response:
        return self.page(audit_list(self.actor, self.listing), audit_json)


class AuditLogs(ApiView):
    permissions = {"GET": LOGIN}
    parameters = {"GET": LISTING}
    answers = {"GET": [AUDIT_LOG]}

    def get(self, request: Request) -> Response:
        return self.page(audit_list(self.actor, self.listing, legacy=True), legacy_json)


class EventTypes(ApiView):
    """What ``disabled_audit_log_event_types`` may name."""

    permissions = {"GET": "audit-log:list"}
    answers = {"GET": [EVENT_TYPE]}

    def get(self, request: Request) -> Response:
        return Response([{"event_type": name} for name in audit.event_types()])


class ProjectAuditLogExts(ProjectView):
    permissions = {"GET": "log:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [AUDIT_LOG_EXT]}

    def get(self, request: Request, project_name: str) -> Response:
        return self.page(project_audit_list(self.project.pk, self.listing), audit_json)


class ProjectLogs(ProjectView):
    permissions = {"GET": "log:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [AUDIT_LOG]}

    def get(self, request: Request, project_name: str) -> Response:
        return self.page(project_audit_list(self.project.pk, self.listing, legacy=True), legacy_json)
