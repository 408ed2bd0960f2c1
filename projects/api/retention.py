"""``/retentions``: which artifacts of a project are kept."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, LOGIN, ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import paginate
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, Answer, array, mapping, obj
from harbor_core.lib.timefmt import seconds
from harbor_core.lib.wire import LISTING, Anything, Flag, Items, Nested, Pairs, Text, Whole, compact
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from jobservice.states import Status, Trigger
from projects import access
from projects.models import RetentionPolicy
from projects.selectors import retention as selectors
from projects.selectors.immutability import Rules, rules_of
from projects.selectors.retention import TEMPLATES, Verdict
from projects.services import retention as services
from projects.services.rule_selectors import DECORATIONS

SELECTOR = {
    "kind": Text(default=""),
    "decoration": Text(default=""),
    "pattern": Text(default=""),
    "extras": Text(max_length=1024, default=""),
}
RULE = {
    "id": Whole(default=0),
    "priority": Whole(default=0, low=-(2**31), high=2**31 - 1),
    "disabled": Flag(default=False),
    "action": Text(default="retain"),
    "template": Text(default=""),
    "params": Pairs(Anything(), default={}),
    "tag_selectors": Items(Nested(SELECTOR), default=[]),
    "scope_selectors": Pairs(Items(Nested(SELECTOR)), default={}),
}
POLICY = {
    "id": Whole(default=0),
    "algorithm": Text(default="or"),
    "rules": Items(Nested(RULE), default=[]),
    "trigger": Nested(
        {"kind": Text(default=""), "settings": Pairs(Anything(), default={}), "references": Pairs(Anything())}
    ),
    "scope": Nested({"level": Text(default=""), "ref": Whole(default=0)}, default={"level": "", "ref": 0}),
    "keep_newest": Whole(default=0, about="Ours: so many of every repository stay whatever the rules say."),
    "max_delete_percent": Whole(default=0, about="Ours: a repository that would lose more is left alone; 0: no limit."),
}
_SELECTOR = obj("RetentionSelector", {"kind": TEXT, "decoration": TEXT, "pattern": TEXT, "extras?": TEXT})
_RULE = obj(
    "RetentionRule",
    {
        "id?": INT,
        "priority?": INT,
        "disabled?": FLAG,
        "action": TEXT,
        "template": TEXT,
        "params?": mapping(),
        "tag_selectors": array(_SELECTOR),
        "scope_selectors": mapping(array(_SELECTOR)),
    },
)
RETENTION_POLICY = obj(
    "RetentionPolicy",
    {
        "id": INT,
        "algorithm": TEXT,
        "rules?": array(_RULE),
        "trigger": obj("RetentionRuleTrigger", {"kind": TEXT, "settings?": mapping(), "references?": mapping()}),
        "scope": obj("RetentionPolicyScope", {"level": TEXT, "ref": INT}),
        "keep_newest?": INT,
        "max_delete_percent?": INT,
    },
)
RETENTION_EXECUTION = obj(
    "RetentionExecution",
    {
        "id": INT,
        "policy_id": INT,
        "status": TEXT,
        "trigger": TEXT,
        "start_time?": TEXT,
        "end_time?": TEXT,
        "dry_run?": FLAG,
    },
)
RETENTION_TASK = obj(
    "RetentionExecutionTask",
    {
        "id": INT,
        "execution_id": INT,
        "repository?": TEXT,
        "job_id": TEXT,
        "status": TEXT,
        "status_code": INT,
        "status_revision?": INT,
        "start_time?": TEXT,
        "end_time?": TEXT,
        "total": INT,
        "retained": INT,
    },
)
_PARAM = obj("RetentionRuleParamMetadata", {"type": TEXT, "unit": TEXT, "required?": FLAG})
_TEMPLATE = obj(
    "RetentionRuleMetadata",
    {"rule_template": TEXT, "display_text": TEXT, "action": TEXT, "params?": array(_PARAM)},
)
_SELECTORS = obj("RetentionSelectorMetadata", {"display_text": TEXT, "kind": TEXT, "decorations": array(TEXT)})
METADATA = obj(
    "RetentionMetadata",
    {"templates": array(_TEMPLATE), "scope_selectors": array(_SELECTORS), "tag_selectors": array(_SELECTORS)},
)
PREVIEW = obj(
    "RetentionPreview",
    {
        "repository": TEXT,
        "total": INT,
        "retained": INT,
        "deleted?": array(obj("RetentionVerdict", {"digest": TEXT, "tags?": array(TEXT), "reason": TEXT})),
        "kept?": array(obj("RetentionVerdict", {"digest": TEXT, "tags?": array(TEXT), "reason": TEXT})),
    },
    about="What a run would do to one repository, up to a hundred artifacts of each kind.",
)
_CODES = {Status.PENDING: 0, Status.SCHEDULED: 1, Status.RUNNING: 2}
SHOWN = 100


def policy_json(policy: RetentionPolicy) -> dict[str, Any]:
    """RetentionPolicy."""
    return compact(
        {
            "id": policy.pk,
            "algorithm": "or",
            "rules": [_rule_json(rule) for rule in policy.rules],
            "trigger": {"kind": "Schedule", "settings": {"cron": policy.cron}, "references": {}},
            "scope": {"level": "project", "ref": policy.project_id},
            "keep_newest": policy.keep_newest,
            "max_delete_percent": policy.max_delete_percent,
        }
    )


def _rule_json(rule: dict[str, Any]) -> dict[str, Any]:
    return compact(rule)


def execution_json(execution: Execution) -> dict[str, Any]:
    """RetentionExecution."""
    return compact(
        {
            "id": execution.pk,
            "policy_id": execution.vendor_id,
            "status": execution.status,
            "trigger": "Schedule" if execution.trigger == Trigger.SCHEDULE else "MANUAL",
            "start_time": seconds(execution.start_time),
            "end_time": seconds(execution.end_time),
            "dry_run": bool(execution.extra_attrs.get("dry_run")),
        }
    )


def task_json(task: Task) -> dict[str, Any]:
    """RetentionExecutionTask."""
    fields = {
        "id": task.pk,
        "execution_id": task.execution_id,
        "repository": task.extra_attrs.get("repository", ""),
        "job_id": str(task.pk),
        "status": task.status,
        "status_code": _CODES.get(Status(task.status), 3),
        "status_revision": task.run_count,
        "start_time": seconds(task.start_time),
        "end_time": seconds(task.end_time),
        "total": task.extra_attrs.get("total", 0),
        "retained": task.extra_attrs.get("retained", 0),
    }
    return compact(fields, "status_code", "total", "retained")


class RetentionMetadata(ApiView):
    permissions = {"GET": LOGIN}
    answers = {"GET": METADATA}

    def get(self, request: Request) -> Response:
        templates = [
            {
                "rule_template": template.name,
                "display_text": template.text,
                "action": "retain",
                "params": [{"type": "int", "unit": template.unit, "required": True}] if template.unit else [],
            }
            for template in TEMPLATES.values()
            if template.shown
        ]
        return Response(
            {
                "templates": templates,
                "scope_selectors": _selectors_json("Repositories", "repository"),
                "tag_selectors": _selectors_json("Tags", "tag"),
            }
        )


def _selectors_json(text: str, of: str) -> list[dict[str, Any]]:
    return [{"display_text": text, "kind": kind, "decorations": list(DECORATIONS[of])} for kind in services.KINDS[of]]


class RetentionList(ApiView):
    """The body names the project; the right is asked for there."""

    permissions = {"POST": "tag-retention:create"}
    bodies = {"POST": POLICY}
    answers = {"POST": CREATED}
    errors = {"POST": (404, 409)}

    def authorize(self, permission: str) -> None:
        self.require_login()
        if self.body["scope"]["level"] != "project":
            raise HarborError("BAD_REQUEST", "the scope of a retention policy is a project")
        self.project = access.open_project(self.actor, self.body["scope"]["ref"], permission)[0]

    def post(self, request: Request) -> Response:
        return self.created("retentions", services.create(self.actor, self.project, self.body).pk)


class PolicyView(ApiView):
    """``self.policy`` is there when the handler runs; who may not look into its project is refused, also when there is
    no such policy."""

    paths = {"id": ID}
    policy: RetentionPolicy

    def authorize(self, permission: str) -> None:
        self.require_login()
        policy = RetentionPolicy.objects.filter(pk=self.kwargs["id"], project__deleted=False).first()
        if policy is None and not self.actor.is_sysadmin:
            raise access.refusal(self.actor, permission)
        self.policy = policy or selectors.policy_get(self.kwargs["id"])
        self.policy.project = access.open_project(self.actor, self.policy.project_id, permission)[0]

    @property
    def execution(self) -> Execution:
        rows = executions.executions([services.JOB], [self.policy.pk])
        return executions.execution_get(rows, self.kwargs["eid"])


class RetentionItem(PolicyView):
    permissions = {"GET": "tag-retention:read", "PUT": "tag-retention:update", "DELETE": "tag-retention:delete"}
    bodies = {"PUT": POLICY}
    answers = {"GET": RETENTION_POLICY, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, id: int) -> Response:
        return Response(policy_json(self.policy))

    def put(self, request: Request, id: int) -> Response:
        if self.body["id"] not in (0, id):
            raise HarborError("BAD_REQUEST", "the id of the body is not that of the path")
        services.update(self.actor, self.policy, self.body)
        return self.done()

    def delete(self, request: Request, id: int) -> Response:
        services.delete(self.actor, self.policy)
        return self.done()


class RetentionPreviewView(PolicyView):
    """Ours: what a run would do now, with the reason for each artifact."""

    permissions = {"GET": "tag-retention:read"}
    parameters = {"GET": LISTING}
    answers = {"GET": [PREVIEW]}

    def get(self, request: Request, id: int) -> Response:
        repositories = list(selectors.repositories_of(self.policy))
        start = (self.listing.page - 1) * self.listing.size
        stop = start + self.listing.size if self.listing.size else None
        immutable = rules_of(self.policy.project_id)
        rows = [preview_json(self.policy, row, immutable) for row in repositories[start:stop]]
        return self.rows(rows, len(repositories))


def preview_json(policy: RetentionPolicy, repository: Any, immutable: Rules) -> dict[str, Any]:
    """RetentionPreview."""
    verdicts = selectors.verdicts_of(policy, repository, timezone.now(), immutable) or []
    total, retained = selectors.counted(verdicts)
    return {
        "repository": repository.name,
        "total": total,
        "retained": retained,
        "deleted": [_verdict_json(verdict) for verdict in verdicts if not verdict.keep][:SHOWN],
        "kept": [_verdict_json(verdict) for verdict in verdicts if verdict.keep][:SHOWN],
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    candidate = verdict.candidate
    return {"digest": candidate.digest, "tags": list(candidate.tags), "reason": verdict.reason}


class RetentionExecutions(PolicyView):
    permissions = {"GET": "tag-retention:list", "POST": "tag-retention:update"}
    parameters = {"GET": LISTING}
    bodies = {"POST": {"dry_run": Flag(default=False)}}
    answers = {"GET": [RETENTION_EXECUTION], "POST": CREATED}

    def get(self, request: Request, id: int) -> Response:
        rows = executions.executions([services.JOB], [self.policy.pk])
        return self.page(executions.execution_list(rows, self.listing), execution_json)

    def post(self, request: Request, id: int) -> Response:
        execution = services.start(self.actor, self.policy, dry_run=self.body["dry_run"])
        return self.created("retentions", id, "executions", execution.pk)


class RetentionExecution(PolicyView):
    paths = {"id": ID, "eid": ID}
    permissions = {"PATCH": "tag-retention:update"}
    bodies = {"PATCH": {"action": Text(default="")}}
    answers = {"PATCH": DONE}

    def patch(self, request: Request, id: int, eid: int) -> Response:
        if self.body["action"] != "stop":
            raise HarborError("BAD_REQUEST", "the action is stop")
        services.stop(self.actor, self.policy, self.execution.pk)
        return self.done()


class RetentionTasks(PolicyView):
    paths = {"id": ID, "eid": ID}
    permissions = {"GET": "tag-retention:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [RETENTION_TASK]}

    def get(self, request: Request, id: int, eid: int) -> Response:
        # The task that found the repositories is none of theirs.
        tasks = Task.objects.filter(execution=self.execution, extra_attrs__has_key="repository")
        return self.page(paginate(tasks.order_by("pk"), self.listing), task_json)


class RetentionTaskLog(PolicyView):
    paths = {"id": ID, "eid": ID, "tid": ID}
    permissions = {"GET": "tag-retention:read"}
    answers = {"GET": Answer(TEXT, media_type="text/plain")}

    def get(self, request: Request, id: int, eid: int, tid: int) -> HttpResponse:
        task = executions.task_get(self.execution, tid)
        return HttpResponse(executions.whole_log(task), content_type="text/plain; charset=utf-8")
