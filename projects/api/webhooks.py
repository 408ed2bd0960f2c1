"""``/projects/{project}/webhook``: policies, and what they can be told of. Ours: ``/system/webhook``, policies that see
every project."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, OwnerView, ProjectView
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, TIME, array, choice, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Items, Nested, Text, Whole, compact
from jobservice.models import Execution
from jobservice.selectors import executions
from projects.models import WebhookPolicy
from projects.selectors import webhooks as selectors
from projects.services import webhooks as services

TARGET = {
    "type": Text(default=""),
    "address": Text(default=""),
    "auth_header": Text(default=""),
    "skip_cert_verify": Flag(default=False),
    "payload_format": Text(default=""),
}
POLICY = {
    "name": Text(default=""),
    "description": Text(default=""),
    "enabled": Flag(default=False),
    "event_types": Items(Text(), default=[]),
    "targets": Items(Nested(TARGET), default=[]),
}
WEBHOOK_POLICY = obj(
    "WebhookPolicy",
    {
        "id": INT,
        "name": TEXT,
        "description?": TEXT,
        "project_id?": INT,
        "targets": array(
            obj(
                "WebhookTargetObject",
                {
                    "type": choice(*services.FORMATS),
                    "address": TEXT,
                    "auth_header?": TEXT,
                    "skip_cert_verify?": FLAG,
                    "payload_format?": TEXT,
                },
            )
        ),
        "event_types": array(TEXT),
        "creator": TEXT,
        "creation_time": TIME,
        "update_time": TIME,
        "enabled": FLAG,
        "signed?": FLAG,
    },
)
SECRET = obj("WebhookSecret", {"secret": TEXT}, about="What deliveries are signed with; it is shown this once.")
LAST_TRIGGER = obj(
    "WebhookLastTrigger",
    {
        "policy_name": TEXT,
        "event_type": TEXT,
        "enabled?": FLAG,
        "creation_time": TIME,
        "last_trigger_time": TIME,
    },
)
EVENTS = obj(
    "SupportedWebhookEventTypes",
    {
        "event_type": array(TEXT),
        "notify_type": array(TEXT),
        "payload_formats": array(obj("PayloadFormat", {"notify_type": TEXT, "formats": array(TEXT)})),
    },
)
WEBHOOK_JOB = obj(
    "WebhookJob",
    {
        "id": INT,
        "policy_id": INT,
        "event_type?": TEXT,
        "notify_type": TEXT,
        "status": TEXT,
        "job_detail?": TEXT,
        "creation_time": TIME,
        "update_time": TIME,
    },
)


def target_json(target: dict[str, Any]) -> dict[str, Any]:
    """WebhookTargetObject, its header in clear: whoever reads a policy may have to change it."""
    return compact(target | {"auth_header": selectors.auth_header(target)})


def policy_json(policy: WebhookPolicy) -> dict[str, Any]:
    """WebhookPolicy."""
    fields = {
        "id": policy.pk,
        "name": policy.name,
        "description": policy.description,
        "project_id": policy.project_id,
        "targets": [target_json(target) for target in policy.targets],
        "event_types": policy.event_types,
        "creator": policy.creator,
        "creation_time": rfc3339(policy.creation_time),
        "update_time": rfc3339(policy.update_time),
        "enabled": policy.enabled,
        "signed": bool(policy.secret),
    }
    return compact(fields, "enabled")


class PolicyList(OwnerView):
    permissions = {"GET": "notification-policy:list", "POST": "notification-policy:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": POLICY}
    answers = {"GET": [WEBHOOK_POLICY], "POST": CREATED}
    errors = {"POST": (409,)}

    def get(self, request: Request, project_name_or_id: str = "") -> Response:
        return self.page(selectors.policy_list(self.owner, self.listing), policy_json)

    def post(self, request: Request, project_name_or_id: str = "") -> Response:
        policy = services.create(self.actor, self.owner, self.body)
        return self.created(*self.base, "webhook", "policies", policy.pk)


class PolicyItem(OwnerView):
    permissions = {
        "GET": "notification-policy:read",
        "PUT": "notification-policy:update",
        "DELETE": "notification-policy:delete",
    }
    paths = {"webhook_policy_id": ID}
    bodies = {"PUT": POLICY}
    answers = {"GET": WEBHOOK_POLICY, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, webhook_policy_id: int, project_name_or_id: str = "") -> Response:
        return Response(policy_json(selectors.policy_get(self.owner, webhook_policy_id)))

    def put(self, request: Request, webhook_policy_id: int, project_name_or_id: str = "") -> Response:
        services.update(self.actor, self.owner, webhook_policy_id, self.body)
        return self.done()

    def delete(self, request: Request, webhook_policy_id: int, project_name_or_id: str = "") -> Response:
        services.delete(self.actor, self.owner, webhook_policy_id)
        return self.done()


class PolicySecret(OwnerView):
    """Ours: sign deliveries as Standard Webhooks, or do not any more."""

    permissions = {"POST": "notification-policy:update", "DELETE": "notification-policy:update"}
    paths = {"webhook_policy_id": ID}
    answers = {"POST": SECRET, "DELETE": DONE}

    def post(self, request: Request, webhook_policy_id: int, project_name_or_id: str = "") -> Response:
        return Response({"secret": services.new_secret(self.actor, self.owner, webhook_policy_id)})

    def delete(self, request: Request, webhook_policy_id: int, project_name_or_id: str = "") -> Response:
        services.drop_secret(self.actor, self.owner, webhook_policy_id)
        return self.done()


class Events(ProjectView):
    permissions = {"GET": "notification-policy:read"}
    answers = {"GET": EVENTS}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        formats = [{"notify_type": kind, "formats": list(known)} for kind, known in services.FORMATS.items() if known]
        return Response(
            {
                "event_type": list(services.EVENT_TYPES),
                "notify_type": list(services.FORMATS),
                "payload_formats": formats,
            }
        )


class LastTrigger(ProjectView):
    """When each policy was last told of each of its events."""

    permissions = {"GET": "notification-policy:read"}
    answers = {"GET": [LAST_TRIGGER]}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        policies = selectors.policies_of(self.project)
        told = selectors.last_triggers(policies)
        return Response(
            [
                compact(
                    {
                        "policy_name": policy.name,
                        "event_type": event,
                        "enabled": policy.enabled,
                        "creation_time": rfc3339(policy.creation_time),
                        "last_trigger_time": rfc3339(told.get((policy.pk, event))),
                    }
                )
                for policy in policies
                for event in policy.event_types
            ]
        )


def job_json(execution: Execution) -> dict[str, Any]:
    """WebhookJob."""
    fields = {
        "id": execution.pk,
        "policy_id": execution.vendor_id,
        "event_type": execution.extra_attrs.get("event_type", ""),
        "notify_type": "slack" if execution.vendor_type == selectors.JOB_TYPES["slack"] else "http",
        "status": execution.status,
        "job_detail": execution.extra_attrs.get("payload", ""),
        "creation_time": rfc3339(execution.start_time),
        "update_time": rfc3339(execution.update_time),
    }
    return compact(fields)


class Jobs(ProjectView):
    """Deliveries of a policy in the older form. ``status`` is one, or several with commas between."""

    permissions = {"GET": "notification-policy:list"}
    parameters = {"GET": LISTING | {"policy_id": Whole(required=True), "status": Text(default="")}}
    answers = {"GET": [WEBHOOK_JOB]}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        rows = selectors.deliveries(selectors.policy_get(self.project, self.params["policy_id"]))
        if self.params["status"]:
            rows = rows.filter(status__in=self.params["status"].split(","))
        return self.page(executions.execution_list(rows, self.listing), job_json)
