"""What rows of the matrix may name besides the cast: one of each kind, made before anybody asks."""

from django.utils import timezone

from auth.models import PersonalToken, RobotTrust, UserGroup
from jobservice import dispatch
from jobservice.models import Execution, Task
from jobservice.states import Status
from projects.models import (
    Artifact,
    ArtifactLabel,
    ImmutableRule,
    Label,
    RetentionPolicy,
    TrashedArtifact,
    WebhookPolicy,
)
from projects.selectors.webhooks import target_key
from projects.services import artifacts
from replication.models import Registry, ReplicationPolicy
from tests.cast import World, push_image

HOOK = {"type": "http", "address": "https://hook.example/in", "payload_format": "Default"}
FREE_LABEL = 424242  # a row's body cannot be filled in


def make(world: World) -> dict[str, int | str]:
    """Ids by the name that stands in a row's path."""
    registry = Registry.objects.create(name="hub", type="docker-registry", url="http://127.0.0.1:9")
    spare = Registry.objects.create(name="spare", type="docker-registry", url="http://127.0.0.1:9")
    copying = ReplicationPolicy.objects.create(name="copying", creator="admin", target=spare, enabled=True)
    shown = {"operation": "copy", "resource_type": "image", "src_resource": "a/b:[1]", "dst_resource": "a/b:[1]"}
    copied = dispatch.submit("REPLICATION", vendor_id=copying.pk, tasks=[dispatch.TaskSpec({}, shown)])
    Task.objects.filter(execution=copied).update(has_log=True)
    resting = ReplicationPolicy.objects.create(name="resting", creator="admin", target=spare, enabled=True)
    group = UserGroup.objects.create(group_name="crew", group_type=UserGroup.Type.OIDC)
    hook = WebhookPolicy.objects.create(
        project=world.project, name="hook", creator="admin", targets=[HOOK], event_types=["PUSH_ARTIFACT"]
    )
    system_hook = WebhookPolicy.objects.create(
        name="all", creator="admin", targets=[HOOK], event_types=["PUSH_ARTIFACT"]
    )
    delivery, system_delivery = _delivery(hook), _delivery(system_hook)
    purge = dispatch.submit("PURGE_AUDIT_LOG", extra_attrs={"dry_run": True})
    Task.objects.filter(execution=purge).update(status=Status.RUNNING, run_count=1, has_log=True)
    job = Task.objects.get(execution=purge)
    gc = dispatch.submit("GARBAGE_COLLECTION")
    Task.objects.filter(execution=gc).update(status=Status.RUNNING, run_count=1, has_log=True)
    audit = Execution.objects.create(
        vendor_type="STORAGE_AUDIT", status=Status.SUCCESS, end_time=timezone.now(), extra_attrs={"findings": 0}
    )
    Task.objects.create(execution=audit, job_type="STORAGE_AUDIT", status=Status.SUCCESS, run_count=1, has_log=True)
    auditing = dispatch.submit("STORAGE_AUDIT")
    policy = RetentionPolicy.objects.create(project=world.project, rules=[])
    steps = [dispatch.TaskSpec(extra_attrs={"repository": "team/app"})]
    run = dispatch.submit("RETENTION", vendor_id=policy.pk, tasks=steps)
    Task.objects.filter(execution=run).update(status=Status.RUNNING, run_count=1, has_log=True)
    label = Label.objects.create(name="worn", project=world.project)
    ArtifactLabel.objects.create(artifact=world.artifact, label=label)
    Label.objects.create(pk=FREE_LABEL, name="free")
    none = [{"kind": "doublestar", "decoration": "matches", "pattern": "no-such-tag"}]
    rule = ImmutableRule.objects.create(project=world.project, tag_selectors=none, scope_selectors={"repository": none})
    token = PersonalToken.objects.create(
        user=world.users["outsider"], name="laptop", secret_digest="0" * 64, hint="0000", scopes=["pull"]
    )
    trust = RobotTrust.objects.create(
        robot=world.robot, name="old", issuer="https://issuer.example.com", audience="x", claims={"sub": "app"}
    )
    return {
        "token": token.pk,
        "trust": trust.pk,
        "label": label.pk,
        "rule": rule.pk,
        "registry": registry.pk,
        "copying": copying.pk,
        "resting": resting.pk,
        "copied": copied.pk,
        "copied_task": Task.objects.get(execution=copied).pk,
        "group": group.pk,
        "hook": hook.pk,
        "delivery": delivery.pk,
        "post": Task.objects.get(execution=delivery).pk,
        "system_hook": system_hook.pk,
        "system_delivery": system_delivery.pk,
        "system_post": Task.objects.get(execution=system_delivery).pk,
        "purge": purge.pk,
        "gc": gc.pk,
        "audit": audit.pk,
        "auditing": auditing.pk,
        "retention": policy.pk,
        "run": run.pk,
        "step": Task.objects.get(execution=run).pk,
        "image": world.artifact.digest,
        "job": job.pk,
    }


def _delivery(hook: WebhookPolicy) -> Execution:
    made = dispatch.submit(
        "WEBHOOK",
        vendor_id=hook.pk,
        parameters={"policy_id": hook.pk, "target": target_key(HOOK), "event_id": 1},
        extra_attrs={"event_type": "PUSH_ARTIFACT", "payload": "{}"},
    )
    Task.objects.filter(execution=made).update(status=Status.RUNNING, run_count=1, has_log=True)
    return made


def moved_and_deleted(world: World) -> dict[str, int | str]:
    """A tag that was pushed twice, and an image in the trash."""
    for tag in ("moved", "moved", "gone"):
        push_image(world.actor("developer"), "team/app", tag)
    artifacts.delete(world.actor("maintainer"), Artifact.objects.get(tags__name="gone"))
    return {"moved": "moved", "trash": TrashedArtifact.objects.get().pk}


def named(world: World) -> dict[str, int | str]:
    """Whatever a row's path may name: things that are made now, and the cast, ids by name. ``team`` is the project,
    ``mid`` the guest's membership."""
    cast = {name: found.pk for name, found in (world.users | world.robots).items()}
    mid = world.project.members.get(user=world.users["guest"]).pk
    place = {"team": world.project.pk, "mid": mid, "quota": world.project.quota.pk}
    return cast | place | make(world) | moved_and_deleted(world)
