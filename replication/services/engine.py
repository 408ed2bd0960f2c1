"""REPLICATION: a first task looks for what a policy takes, and makes one task for each repository."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from harbor_core.lib.errors import HarborError
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JobFailed, Retry
from jobservice.models import Execution
from jobservice.worker.context import Context
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor
from replication.client import RemoteError
from replication.models import ReplicationPolicy
from replication.services import drift, mounts, planning
from replication.services.brakes import Brake, of_registry
from replication.services.choosing import Choice, target_name
from replication.services.ends import Source, Target, actor_of, source_of, target_of
from replication.services.local import Local
from replication.services.removal import remove
from replication.services.telling import tell
from replication.services.transfer import Transfer, explained, wait_for

JOB_TYPE = "REPLICATION"
SKIPPED = "Execution skipped: active replication still in progress."
BATCH = 200  # tags a task copies


def run(context: Context) -> None:
    policy = (
        ReplicationPolicy.objects.select_related("source", "target").filter(pk=context.parameters["policy_id"]).first()
    )
    if policy is None:
        raise JobFailed("the replication policy is gone")
    wait_for(policy.window)
    try:
        with source_of(policy, context.sleep) as source, target_of(policy, context.sleep) as target:
            if "repository" in context.parameters:
                _move(context, policy, source, target)
            else:
                _plan(context, policy, source, target)
        tell(context, policy, actor_of(policy))
    except (RemoteError, HarborError, UnhealthyError) as exc:
        status = getattr(exc, "status", 0)
        again = isinstance(exc, RemoteError) and (status in (0, 429) or status >= 500)
        if not again or context.is_last_attempt:
            tell(context, policy, actor_of(policy), explained(exc))
        if not again:
            raise JobFailed(explained(exc)) from exc
        raise Retry(explained(exc), seconds=getattr(exc, "retry_after", 0) or None) from exc


# ---------------------------------------------------------------------- the plan
def _plan(context: Context, policy: ReplicationPolicy, source: Source, target: Target) -> None:
    if policy.single_active and _is_another_running(context):
        raise JobFailed(SKIPPED)
    if "repair" in context.parameters:
        specs = list(_repairs(context, policy, source, target))
    else:
        specs = list(_copies(context, policy, source))
    context.spawn(specs)
    context.log.info("%d tasks", len(specs))
    if not specs:
        context.report_execution(message="no resources need to be replicated")


def _is_another_running(context: Context) -> bool:
    execution = Execution.objects.get(pk=context.task.execution_id)
    others = Execution.objects.filter(vendor_type=JOB_TYPE, vendor_id=execution.vendor_id, end_time=None)
    return others.filter(pk__lt=execution.pk).exists()


def _copies(context: Context, policy: ReplicationPolicy, source: Source) -> Iterator[TaskSpec]:
    choice, only = Choice(policy.filters), context.parameters.get("only")  # what an event told of
    if only is None:
        for name, tags in planning.found(choice, source, context.check_stop):
            yield from _specs(policy, name, tags)
    else:
        name, tags = planning.told(choice, only)
        yield from _specs(policy, name, tags, deleting=only["deleted"], digest=only.get("digest", ""))


def _repairs(context: Context, policy: ReplicationPolicy, source: Source, target: Target) -> Iterator[TaskSpec]:
    wanted: dict[str, list[str]] = {}
    extra: dict[str, list[str]] = {}
    for row in drift.differences(policy, source, target, context.check_stop):
        rows = extra if row.state == drift.EXTRA else wanted
        rows.setdefault(row.repository, []).append(row.tag)
    for name, tags in wanted.items():
        yield from _specs(policy, name, tags, override=True)
    if context.parameters["repair"]["delete"]:
        for name, tags in extra.items():
            yield from _specs(policy, name, tags, deleting=True, extra=True)


def _specs(
    policy: ReplicationPolicy,
    name: str,
    tags: Sequence[str],
    *,
    deleting: bool = False,
    digest: str = "",
    override: bool | None = None,
    extra: bool = False,
) -> Iterator[TaskSpec]:
    """``digest``: the artifact that was deleted with its tags. ``override`` None: as the policy says. ``extra``: only
    what the source does not have goes."""
    if not tags:
        return
    target = target_name(name, policy.dest_namespace, policy.replace_count)
    more: dict[str, Any] = {"digest": digest} if digest else {}
    more |= {} if override is None else {"override": override}
    more |= {"extra": True} if extra else {}
    for start in range(0, len(tags), BATCH):
        batch = list(tags[start : start + BATCH])
        shown = f"[{','.join(batch)}]"
        yield TaskSpec(
            {"policy_id": policy.pk, "repository": name, "target": target, "tags": batch, "deleting": deleting} | more,
            {
                "operation": "deletion" if deleting else "copy",
                "resource_type": Choice(policy.filters).resource or "artifact",
                "src_resource": f"{name}:{shown}",
                "dst_resource": f"{target}:{shown}",
            },
        )


# ---------------------------------------------------------------------- one repository
def _move(context: Context, policy: ReplicationPolicy, source: Source, target: Target) -> None:
    parameters: dict[str, Any] = context.parameters
    if parameters["deleting"]:
        if isinstance(target, Local):
            raise JobFailed("deletions are replicated from this registry to others only")
        tags = parameters["tags"]
        if parameters.get("extra"):  # what was pushed since it was looked for is extra no more
            tags = [tag for tag in tags if not source.digest(parameters["repository"], tag)]
        remove(context, target, parameters["target"], tags, parameters.get("digest", ""))
        return
    _prepare(policy, target, parameters["target"])
    tags = parameters["tags"]
    moving = Transfer(
        context,
        source,
        target,
        parameters["repository"],
        parameters["target"],
        override=parameters.get("override", policy.override),
        brakes=_brakes(policy),
        chunked=policy.copy_by_chunk,
        platforms=policy.platform_list,
        window=policy.window,
        neighbour=partial(mounts.neighbour, policy, own=parameters["target"]),
        total=len(tags),
    )
    for number, tag in enumerate(tags, 1):
        moving.copy(tag)
        moving.done = number
        context.progress(number, len(tags), moving.moved)


def _prepare(policy: ReplicationPolicy, target: Target, repository: str) -> None:
    project = repository.partition("/")[0]
    if isinstance(target, Local):
        target.prepare(project)
    elif isinstance(target.adapter, Harbor):
        target.adapter.prepare(project, sparse=bool(policy.platforms))
    else:
        target.prepare(repository)


def _brakes(policy: ReplicationPolicy) -> list[Brake]:
    """The task's own, and that of the registry."""
    shared = [of_registry(registry) for registry in (policy.source, policy.target) if registry]
    return [Brake(policy.speed)] * (policy.speed > 0) + [brake for brake in shared if brake]
