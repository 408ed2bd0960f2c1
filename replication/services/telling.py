"""REPLICATION, for webhooks: how the copying or deleting of one repository ended (contract 2.11)."""

from typing import Any

from auth.actor import Actor
from harbor_core.services import audit
from jobservice.models import Execution
from jobservice.states import Trigger
from jobservice.worker.context import Context
from projects.models import Project
from replication.models import Registry, ReplicationPolicy

_TRIGGERS = {Trigger.MANUAL: "manual", Trigger.SCHEDULE: "scheduled", Trigger.EVENT: "event_based"}


def tell(context: Context, policy: ReplicationPolicy, actor: Actor, failure: str = "") -> None:
    """Without a ``failure`` all went well. Webhooks belong to projects: the one at this end is told, if it is there."""
    parameters = context.parameters
    if "repository" not in parameters:
        return  # the plan: its tasks tell
    here = parameters["target" if policy.source else "repository"]
    project_id = Project.objects.filter(name=here.partition("/")[0], deleted=False).values_list("pk", flat=True).first()
    if project_id is None:
        return
    execution = Execution.objects.get(pk=context.task.execution_id)
    end = {
        "job_status": "Failed" if failure else "Success",
        "description": policy.description,
        "artifact_type": context.task.extra_attrs.get("resource_type", "artifact"),
        "override_mode": policy.override,
        "trigger_type": _TRIGGERS.get(Trigger(execution.trigger), "manual"),
        "policy_creator": policy.creator,
        "execution_timestamp": int(execution.start_time.timestamp()),
        "execution_id": execution.pk,
        "task_id": context.task.pk,
        **_other_end(policy, parameters),
        "failed_artifact" if failure else "successful_artifact": [
            _artifact(here.partition("/")[2], tag, failure) for tag in parameters["tags"]
        ],
    }
    with context.hold():
        audit.emit(actor, "REPLICATION", project_id=project_id, replication=end)


def _other_end(policy: ReplicationPolicy, parameters: dict[str, Any]) -> dict[str, Any]:
    if policy.source:
        return {"authentication_type": policy.source.credential_type} | {
            "src_resource": _resource(policy.source, parameters["repository"])
        }
    assert policy.target is not None  # a policy has one other end
    return {"authentication_type": policy.target.credential_type} | {
        "dest_resource": _resource(policy.target, parameters["target"])
    }


def _resource(registry: Registry, repository: str) -> dict[str, Any]:
    return {
        "registry_name": registry.name,
        "registry_type": registry.type,
        "endpoint": registry.url,
        "provider": registry.type,
        "namespace": repository.rpartition("/")[0],
    }


def _artifact(name: str, tag: str, failure: str) -> dict[str, Any]:
    found = {"type": "artifact", "status": "Failed" if failure else "Success", "name_tag": f"{name}:{tag}"}
    return found | ({"fail_reason": failure} if failure else {})
