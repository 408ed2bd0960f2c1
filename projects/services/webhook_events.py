"""What webhooks are told: an event as the bodies of contract 2.11, one execution per target of each policy."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.db.models import Q

from harbor_core.lib.timefmt import rfc3339
from harbor_core.models import Event
from harbor_core.services.config import config_get
from jobservice import dispatch
from jobservice.models import Execution
from jobservice.states import Trigger
from projects.models import Project, Repository, RetentionPolicy, WebhookPolicy
from projects.selectors.webhooks import JOB_TYPES, target_key

PING = "PING"  # a try that somebody asked for; no policy can choose it
CLOUD_TYPES = {
    PING: "harbor.webhook.ping",
    "PUSH_ARTIFACT": "harbor.artifact.pushed",
    "PULL_ARTIFACT": "harbor.artifact.pulled",
    "DELETE_ARTIFACT": "harbor.artifact.deleted",
    "QUOTA_EXCEED": "harbor.quota.exceeded",
    "QUOTA_WARNING": "harbor.quota.warned",
    "TAG_RETENTION": "harbor.tag_retention.finished",
    "REPLICATION": "harbor.replication.status.changed",
}
SLACK_TEXT_MAX = 2900  # Slack takes 3000 characters in a block
Data = dict[str, Any]


def submit(event: Event) -> None:
    """A consumer of the relay: an execution for every target that wants to know of the event."""
    if event.type not in _BUILDERS or event.project_id is None or not config_get("notification_enable"):
        return
    project = Project.objects.filter(pk=event.project_id, deleted=False).first()
    if project is None:
        return
    policies = WebhookPolicy.objects.filter(Q(project=project) | Q(project=None), enabled=True).order_by("pk")
    wanting = [policy for policy in policies if event.type in policy.event_types]
    if not wanting:
        return
    data = event_data(event, project)
    for policy in wanting:
        post(event, policy, data, Trigger.EVENT)


def post(event: Event, policy: WebhookPolicy, data: Data, trigger: str) -> list[Execution]:
    """An execution for each target of the policy."""
    return [
        dispatch.submit(
            JOB_TYPES[target["type"]],
            vendor_id=policy.pk,
            trigger=trigger,
            operator=event.operator,
            parameters={"policy_id": policy.pk, "target": target_key(target), "event_id": event.pk},
            extra_attrs={"event_type": event.type, "payload": json.dumps(body(event, policy, target, data))},
        )
        for target in policy.targets
    ]


def message_id(event_id: int) -> str:
    """The same to every target and with every attempt, also when it is delivered again by hand."""
    return str(uuid5(NAMESPACE_URL, f"{settings.EXTERNAL_URL}/events/{event_id}"))


def body(event: Event, policy: WebhookPolicy, target: Mapping[str, Any], data: Data) -> Data:
    """The JSON object that is posted to the target."""
    if target["type"] == "slack":
        return _slack(event, data)
    if target["payload_format"] == "CloudEvents":
        return _cloud_event(event, policy, data)
    return {
        "type": event.type,
        "occur_at": int(event.occurred_at.timestamp()),
        "operator": event.operator,
        "event_data": data,
    }


def _cloud_event(event: Event, policy: WebhookPolicy, data: Data) -> Data:
    """CloudEvents 1.0."""
    owner = f"/projects/{policy.project_id}" if policy.project_id else "/system"
    return {
        "specversion": "1.0",
        "id": message_id(event.pk),
        "source": f"{owner}/webhook/policies/{policy.pk}",
        "type": CLOUD_TYPES[event.type],
        "datacontenttype": "application/json",
        "time": rfc3339(event.occurred_at),
        "data": data,
    } | ({"operator": event.operator} if event.operator else {})  # an attribute of no length is not allowed


def _slack(event: Event, data: Data) -> Data:
    when = event.occurred_at.astimezone(UTC)
    date = f"<!date^{int(when.timestamp())}^{{date}} at {{time}}|{when:%Y-%m-%d %H:%M:%S} UTC>"
    details = json.dumps(data, indent=2, ensure_ascii=False)[:SLACK_TEXT_MAX]
    texts = (
        "*Harbor webhook events*",
        f"*event_type:* {event.type}",
        f"*occur_at:* {date}",
        f"*operator:* {_slack_text(event.operator)}",
        # Names cannot end the fence: three backticks stand in none, but descriptions of rules may have them.
        f"*event_data:*\n```{_slack_text(details).replace('```', '` ` `')[:SLACK_TEXT_MAX]}```",
    )
    return {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]}


def _slack_text(text: str) -> str:
    """Slack's three control characters, escaped: a name must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# ---------------------------------------------------------------------- event_data
def event_data(event: Event, project: Project) -> Data:
    """The ``event_data`` of the contract for the event's type."""
    return _BUILDERS[event.type](event.payload, project)


def _host() -> str:
    return urlsplit(settings.EXTERNAL_URL).netloc


def _repository(name: str, project: Project) -> Data:
    created = Repository.objects.filter(name=name).values_list("creation_time", flat=True).first()
    return {
        **({"date_created": int(created.timestamp())} if created else {}),
        "name": name.removeprefix(f"{project.name}/"),
        "namespace": project.name,
        "repo_full_name": name,
        "repo_type": "public" if project.public else "private",
    }


def _resource(repository: str, digest: str, tag: str) -> Data:
    """An untagged artifact has its digest for a tag."""
    reference = f":{tag}" if tag else f"@{digest}"
    return {"digest": digest, "tag": tag or digest, "resource_url": f"{_host()}/{repository}{reference}"}


def _artifact(payload: Data, project: Project) -> Data:
    repository, digest = payload["repository"], payload["digest"]
    tags = payload["tags"] if "tags" in payload else [payload["tag"]]
    return {
        "resources": [_resource(repository, digest, tag) for tag in tags or [""]],
        "repository": _repository(repository, project),
    }


def _quota(payload: Data, project: Project) -> Data:
    repository = payload["repository"]
    return {
        "resources": [{"resource_url": f"{_host()}/{repository}"}],
        "repository": _repository(repository, project),
        "custom_attributes": {"Details": payload["details"]},
    }


def _retention(payload: Data, project: Project) -> Data:
    policy = RetentionPolicy.objects.filter(pk=payload["policy_id"]).first()
    return {
        "retention": {
            "total": payload["total"],
            "retained": payload["retained"],
            "harbor_hostname": _host(),
            "project_name": project.name,
            "retention_policy_id": payload["policy_id"],
            "retention_rule": policy.rules if policy else [],
            "result": "SUCCESS",
            "deleted_artifact": payload["deleted"],
        }
    }


def _replication(payload: Data, project: Project) -> Data:
    return {"replication": {"harbor_hostname": _host(), **payload["replication"]}}


_BUILDERS: dict[str, Callable[[Data, Project], Data]] = {
    "PUSH_ARTIFACT": _artifact,
    "PULL_ARTIFACT": _artifact,
    "DELETE_ARTIFACT": _artifact,
    "QUOTA_EXCEED": _quota,
    "QUOTA_WARNING": _quota,
    "TAG_RETENTION": _retention,
    "REPLICATION": _replication,
}
