"""What the two ends of a policy have of it by now: tags that are missing at the target, extra there, or different.

Looking is a job, which keeps what it found. That is mended by a run of the policy
(replication.services.policies.repair), which looks again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from jobservice import dispatch
from jobservice.jobs import JobFailed
from jobservice.models import Execution, Task
from jobservice.services import control
from jobservice.worker.context import Context
from projects.models import Tag
from projects.selectors.immutability import is_referrer_tag
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor
from replication.client import RemoteError
from replication.models import PolicyDrift, ReplicationPolicy
from replication.selectors.policies import DRIFT, comparisons_of, not_found, policy_get
from replication.services import planning
from replication.services.charts import Charts
from replication.services.choosing import Choice, target_name
from replication.services.ends import Source, Target, source_of, target_of
from replication.services.local import Local
from replication.services.transfer import explained

MISSING, EXTRA, DIFFERENT = "missing", "extra", "different"
KEPT = 500  # differences that are told one by one
POLICIES_MAX = 1000
GONE = "the replication policy is gone"


@dataclass(frozen=True, slots=True)
class Drift:
    """One tag. ``source`` and ``target`` are the digests, empty where it is not there."""

    repository: str
    destination: str
    tag: str
    state: str
    source: str = ""
    target: str = ""


def differences(
    policy: ReplicationPolicy,
    source: Source,
    target: Target,
    check: Callable[[], None],
    seen: Callable[[int], None] = lambda count: None,
) -> Iterator[Drift]:
    """Of all that the policy takes. ``check`` is called before each question and may raise; ``seen`` is told how many
    tags a repository has at the source. Raises RemoteError, UnhealthyError, HarborError."""
    choice = Choice(policy.filters)
    for name, references in planning.found(choice, source, check):
        destination = target_name(name, policy.dest_namespace, policy.replace_count)
        tags = [tag for tag in references if ":" not in tag]  # what has none is told by its digest: see there
        seen(len(tags))
        here, there = _digests(source, name, tags, check), _digests(target, destination, None, check)
        for tag in tags:
            if tag not in there:
                yield Drift(name, destination, tag, MISSING, here.get(tag, ""))
            elif tag in here and here[tag] != there[tag]:
                yield Drift(name, destination, tag, DIFFERENT, here[tag], there[tag])
        for tag in sorted(there.keys() - set(tags)):
            # Only what the policy could have brought there; whatever else is kept there is not its business.
            if choice.takes_tag(tag) and not choice.labels and not choice.resource and not is_referrer_tag(tag):
                yield Drift(name, destination, tag, EXTRA, "", there[tag])


def _digests(end: Source, name: str, tags: list[str] | None, check: Callable[[], None]) -> dict[str, str]:
    """By tag, of those given or of all there are."""
    if isinstance(end, Local):
        rows = Tag.objects.filter(repository__name=name, repository__project__deleted=False)
        return dict(rows.values_list("name", "artifact__digest"))
    if isinstance(end, Charts):
        return {}  # each would have to be fetched: that a version is there must do
    if isinstance(end.adapter, Harbor):
        return _told(end.adapter, name)
    found = {}
    for tag in end.tags(name) if tags is None else tags:
        check()
        if digest := end.digest(name, tag):
            found[tag] = digest
    return found


def _told(adapter: Harbor, name: str) -> dict[str, str]:
    """One list instead of a question for each tag."""
    try:
        return {tag: artifact.digest for artifact in adapter.artifacts(name) for tag in artifact.tags}
    except UnhealthyError as exc:
        if exc.status == 404:  # neither the project nor the repository has to be there
            return {}
        raise


# ---------------------------------------------------------------------- as a job
def start(actor: Actor, policy_ids: Sequence[int]) -> dict[int, Execution]:
    """A comparison of each of these policies, by policy id. One that is under way is not begun again. Raises NOT_FOUND,
    and then none is begun, BAD_REQUEST for too many at once."""
    if len(policy_ids) > POLICIES_MAX:
        raise HarborError("BAD_REQUEST", f"at most {POLICIES_MAX} policies can be compared at once")
    started: dict[int, Execution] = {}
    with transaction.atomic():
        # Locked in one order: of two that ask at once the second finds what the first has begun.
        rows = ReplicationPolicy.objects.select_for_update().filter(pk__in=policy_ids).order_by("pk")
        policies = {policy.pk: policy for policy in rows}
        for policy_id in sorted(set(policy_ids)):
            if policy_id not in policies:
                raise not_found(policy_id)
            running = comparisons_of([policy_id]).filter(end_time=None).first()
            started[policy_id] = running or _submit(actor, policies[policy_id])
    return started


def _submit(actor: Actor, policy: ReplicationPolicy) -> Execution:
    audit.record(actor, "compare", "replication", policy.name)
    return dispatch.submit(DRIFT, vendor_id=policy.pk, parameters={"policy_id": policy.pk}, operator=actor.name)


def stop(actor: Actor, policy_id: int) -> None:
    """End the comparison of the policy; what was found before it stays. Where none is under way that is no error.
    Raises NOT_FOUND."""
    policy = policy_get(policy_id)
    running = comparisons_of([policy.pk]).filter(end_time=None).values("pk")
    control.stop(
        Task.objects.filter(execution_id__in=running), lambda: audit.record(actor, "stop", "replication", policy.name)
    )


def run(context: Context) -> None:
    """REPLICATION_DRIFT: look at both ends, and keep what was found."""
    policy = (
        ReplicationPolicy.objects.select_related("source", "target").filter(pk=context.parameters["policy_id"]).first()
    )
    if policy is None:
        raise JobFailed(GONE)
    result = PolicyDrift(policy=policy, compared=0, missing=0, different=0, extra=0)

    def seen(count: int) -> None:
        result.compared += count
        context.progress(result.compared)

    try:
        with source_of(policy, context.sleep) as source, target_of(policy, context.sleep) as target:
            for row in differences(policy, source, target, context.check_stop, seen):
                setattr(result, row.state, getattr(result, row.state) + 1)
                if len(result.rows) < KEPT:
                    result.rows.append(asdict(row))
    except (RemoteError, UnhealthyError, HarborError) as exc:
        raise JobFailed(explained(exc)) from exc
    context.log.info(
        "%d tags compared: %d missing, %d different, %d extra",
        result.compared, result.missing, result.different, result.extra,
    )  # fmt: skip
    with context.hold():
        _keep(policy, result)


def _keep(policy: ReplicationPolicy, result: PolicyDrift) -> None:
    """In the caller's transaction. Raises JobFailed for a policy that is not any more what was compared."""
    now = ReplicationPolicy.objects.select_for_update().filter(pk=policy.pk).first()
    if now is None:
        raise JobFailed(GONE)
    if now.update_time != policy.update_time:
        raise JobFailed("the replication policy was changed while its ends were compared")
    PolicyDrift.objects.filter(policy=policy).delete()
    result.save()
