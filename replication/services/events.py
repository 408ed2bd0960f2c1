"""Event-based policies: a consumer of the relay (projects.services.relay)."""

from harbor_core.models import Event
from jobservice import dispatch
from jobservice.states import Trigger
from projects.models import Project
from projects.selectors.immutability import is_referrer_tag
from replication.models import ReplicationPolicy
from replication.services.choosing import Choice
from replication.services.engine import JOB_TYPE

PUSHED, DELETED = "PUSH_ARTIFACT", ("DELETE_ARTIFACT", "DELETE_TAG")
OWN = "replication$"  # operators that are policies (engine.actor_of)


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
    named = payload["tags"] if "tags" in payload else [payload["tag"]]
    tags = [tag for tag in named if tag and not is_referrer_tag(tag)]
    origin = _origin(event.operator)
    for policy in policies:
        choice = Choice(policy.filters)
        wanted = [tag for tag in tags if choice.takes_tag(tag)]
        if not wanted or not choice.takes_repository(payload["repository"]):
            continue
        if origin is not None and policy.target_id == origin:
            continue  # it came from there
        dispatch.submit(
            JOB_TYPE,
            vendor_id=policy.pk,
            trigger=Trigger.EVENT,
            operator=event.operator,
            parameters={
                "policy_id": policy.pk,
                "only": {"repository": payload["repository"], "tags": wanted, "deleted": deleted},
            },
        )


def _origin(operator: str) -> int | None:
    """The registry that what a policy brought in came from."""
    if not operator.startswith(OWN):
        return None
    rows = ReplicationPolicy.objects.filter(name=operator.removeprefix(OWN))
    return rows.values_list("source_id", flat=True).first()
