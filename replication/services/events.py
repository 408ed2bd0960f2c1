"""Event-based policies: a consumer of the relay (projects.services.relay)."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from harbor_core.models import Event
from jobservice import dispatch
from jobservice.states import Trigger
from projects.models import Project, TagEvent
from projects.selectors.immutability import is_referrer_tag
from replication.models import ReplicationPolicy
from replication.services.choosing import Choice
from replication.services.engine import JOB_TYPE

logger = logging.getLogger(__name__)
PUSHED, DELETED = "PUSH_ARTIFACT", ("DELETE_ARTIFACT", "DELETE_TAG")
OWN = "replication$"  # operators that are policies (ends.actor_of)
SWINGS, SWINGING = 4, timedelta(minutes=10)


def submit(event: Event) -> None:
    """An execution for every policy that wants what the event tells of."""
    if event.project_id is None or (event.type != PUSHED and event.type not in DELETED):
        return
    deleted = event.type in DELETED
    rows = ReplicationPolicy.objects.filter(trigger="event_based", enabled=True, source=None)
    if deleted:
        rows = rows.filter(replicate_deletion=True)
    policies = list(rows.order_by("pk"))
    if not policies or not Project.objects.filter(pk=event.project_id, registry_id=None).exists():
        return
    payload = event.payload
    origin = _origin(event.operator)
    for policy in policies:
        if origin is not None and policy.target_id == origin:
            continue  # it came from there
        only = _wanted(Choice(policy.filters), payload, deleted)
        if only is None:
            continue
        dispatch.submit(
            JOB_TYPE,
            vendor_id=policy.pk,
            trigger=Trigger.EVENT,
            operator=event.operator,
            parameters={"policy_id": policy.pk, "only": only},
        )


def _wanted(choice: Choice, payload: Mapping[str, Any], deleted: bool) -> dict[str, Any] | None:
    """What the policy's first task is told, None when it is no matter of the policy."""
    repository, digest = payload["repository"], payload.get("digest", "")
    if not choice.takes_repository(repository):
        return None
    named = payload["tags"] if "tags" in payload else [payload["tag"]]
    tags = [tag for tag in named if tag and not is_referrer_tag(tag) and choice.takes_tag(tag)]
    if not deleted:
        tags = [tag for tag in tags if not is_swinging(repository, tag, digest)]
    told = {"repository": repository, "tags": tags, "deleted": deleted}
    whole = {"digest": digest} if deleted and "tags" in payload and digest else {}
    if tags:
        return told | whole
    if whole and not any(named) and choice.takes_untagged and not choice.labels:
        return told | whole | {"tags": [digest], "untagged": True}
    return None


def is_swinging(repository: str, tag: str, digest: str) -> bool:
    """Does the tag go back and forth between two artifacts, as it does when a rule here and one at the other end answer
    each other's pushes? Then the one with the lower digest is not passed on any more, so that both ends come to rest
    with the other one, whichever of them notices."""
    recent = TagEvent.objects.filter(repository__name=repository, name=tag, occurred_at__gte=timezone.now() - SWINGING)
    moves = list(recent.order_by("-pk").values_list("new_digest", flat=True)[:SWINGS])
    swings = len(moves) == SWINGS and moves[0] == moves[2] != moves[1] == moves[3]
    if swings and digest == min(moves):
        logger.warning("%s:%s swings between two artifacts, %s is not replicated", repository, tag, digest)
        return True
    return False


def _origin(operator: str) -> int | None:
    """The registry that what a policy brought in came from."""
    if not operator.startswith(OWN):
        return None
    rows = ReplicationPolicy.objects.filter(name=operator.removeprefix(OWN))
    return rows.values_list("source_id", flat=True).first()
