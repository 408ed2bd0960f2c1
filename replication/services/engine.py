"""REPLICATION: a first task looks for what a policy takes, and makes one task for each repository."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from auth.actor import Actor, Credential, Kind
from harbor_core.lib.errors import HarborError
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JobFailed, Retry
from jobservice.models import Execution
from jobservice.worker.context import Context
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor
from replication.client import Client, RemoteError
from replication.models import ReplicationPolicy
from replication.services import planning
from replication.services.choosing import Choice, target_name
from replication.services.local import Local
from replication.services.planning import remote
from replication.services.telling import tell
from replication.services.transfer import Transfer, explained

JOB_TYPE = "REPLICATION"
SKIPPED = "Execution skipped: active replication still in progress."
BATCH = 200  # tags a task copies


def actor_of(policy: ReplicationPolicy) -> Actor:
    """Who changes made by a policy are put down to. No account can have the name."""
    return Actor(Kind.USER, 0, f"replication${policy.name}", True, Credential.NONE)


def run(context: Context) -> None:
    policy = (
        ReplicationPolicy.objects.select_related("source", "target").filter(pk=context.parameters["policy_id"]).first()
    )
    if policy is None:
        raise JobFailed("the replication policy is gone")
    try:
        with ends(context, policy) as (source, target):
            if "repository" in context.parameters:
                _move(context, policy, source, target)
            else:
                _plan(context, policy, source)
        tell(context, policy, actor_of(policy))
    except (RemoteError, HarborError, UnhealthyError) as exc:
        status = getattr(exc, "status", 0)
        again = isinstance(exc, RemoteError) and (status in (0, 429) or status >= 500)
        if not again or context.is_last_attempt:
            tell(context, policy, actor_of(policy), explained(exc))
        raise (Retry if again else JobFailed)(explained(exc)) from exc


@contextmanager
def ends(context: Context, policy: ReplicationPolicy) -> Iterator[tuple[Client | Local, Client | Local]]:
    """The source and the target of a policy."""
    with ExitStack() as stack:
        made: list[Client | Local] = []
        for registry in (policy.source, policy.target):
            end = Client(remote(registry), context.sleep) if registry else Local(actor_of(policy))
            stack.callback(end.close)
            made.append(end)
        yield made[0], made[1]


# ---------------------------------------------------------------------- the plan
def _plan(context: Context, policy: ReplicationPolicy, source: Client | Local) -> None:
    if policy.single_active and _is_another_running(context):
        raise JobFailed(SKIPPED)
    choice, only = Choice(policy.filters), context.parameters.get("only")  # what an event told of
    found = planning.found(choice, source, context.check_stop) if only is None else [planning.told(choice, only)]
    specs = [spec for name, tags in found for spec in _specs(context, policy, name, tags)]
    context.spawn(specs)
    context.log.info("%d tasks", len(specs))
    if not specs:
        context.report_execution(message="no resources need to be replicated")


def _is_another_running(context: Context) -> bool:
    execution = Execution.objects.get(pk=context.task.execution_id)
    others = Execution.objects.filter(vendor_type=JOB_TYPE, vendor_id=execution.vendor_id, end_time=None)
    return others.filter(pk__lt=execution.pk).exists()


def _specs(context: Context, policy: ReplicationPolicy, name: str, tags: list[str]) -> Iterator[TaskSpec]:
    if not tags:
        return
    target = target_name(name, policy.dest_namespace, policy.replace_count)
    deleting = bool(context.parameters.get("only", {}).get("deleted"))
    for start in range(0, len(tags), BATCH):
        batch = tags[start : start + BATCH]
        shown = f"[{','.join(batch)}]"
        yield TaskSpec(
            {"policy_id": policy.pk, "repository": name, "target": target, "tags": batch, "deleting": deleting},
            {
                "operation": "deletion" if deleting else "copy",
                "resource_type": Choice(policy.filters).resource or "artifact",
                "src_resource": f"{name}:{shown}",
                "dst_resource": f"{target}:{shown}",
            },
        )


# ---------------------------------------------------------------------- one repository
def _move(context: Context, policy: ReplicationPolicy, source: Client | Local, target: Client | Local) -> None:
    parameters: dict[str, Any] = context.parameters
    if parameters["deleting"]:
        _delete(context, target)
        return
    project = parameters["target"].partition("/")[0]
    if isinstance(target, Local):
        target.prepare(project)
    elif isinstance(target.adapter, Harbor):
        target.adapter.prepare(project)
    else:
        target.prepare(parameters["target"])
    tags = parameters["tags"]
    moving = Transfer(
        context,
        source,
        target,
        parameters["repository"],
        parameters["target"],
        override=policy.override,
        speed=policy.speed,
        chunked=policy.copy_by_chunk,
        total=len(tags),
    )
    for number, tag in enumerate(tags, 1):
        moving.copy(tag)
        moving.done = number
        context.progress(number, len(tags), moving.moved)


def _delete(context: Context, target: Client | Local) -> None:
    """Take the tags away. Only Harbor can do that and leave other tags of the same manifest alone; elsewhere a
    manifest goes by its digest, once no other tag of those known here needs it."""
    if isinstance(target, Local):
        raise JobFailed("deletions are replicated from this registry to others only")
    name = context.parameters["target"]
    for tag in context.parameters["tags"]:
        context.check_stop()
        digest = target.digest(name, tag)
        if not digest:
            context.log.info("%s:%s is not there", name, tag)
            continue
        if not isinstance(target.adapter, Harbor):
            shared = [other for other in target.tags(name) if other != tag and target.digest(name, other) == digest]
            if shared:
                context.log.warning("%s:%s stays, %s is the same manifest", name, tag, shared[0])
                continue
        target.delete_manifest(name, tag if isinstance(target.adapter, Harbor) else digest)
        context.log.info("%s:%s is deleted", name, tag)
