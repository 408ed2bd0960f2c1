"""Rows by the dozen for every list of the API, and where each list is asked."""

import secrets
from datetime import UTC, timedelta

from django.utils import timezone

from auth.models import Robot, RobotTrust, User, UserGroup
from auth.models.token import PersonalToken
from harbor_core.models import AuditLog
from jobservice.models import Execution, Schedule, StorageFinding, Task
from jobservice.states import SYSTEM
from projects.models import (
    Accessory,
    Artifact,
    ArtifactLabel,
    ImmutableRule,
    Label,
    Member,
    Project,
    Quota,
    Repository,
    RetentionPolicy,
    StorageDay,
    Tag,
    TagEvent,
    TrashedArtifact,
    WebhookPolicy,
)
from replication.models import Registry, ReplicationPolicy
from tests.cast import World

P = "/projects/{project_name_or_id}"
N = "/projects/{project_name}"
R = f"{N}/repositories/{{repository_name}}"
A = f"{R}/artifacts/{{reference}}"
APP = "projects/team/repositories/app"
TARGET = {"type": "http", "address": "https://hook.invalid", "skip_cert_verify": False, "payload_format": "Default"}
RULES = 15  # no project has many
KEEP_ALL = {
    "action": "retain",
    "disabled": False,
    "template": "always",
    "params": {},
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
SHOW = "with_tag=true&with_label=true&with_accessory=true&with_immutable_status=true"

# The published path of every list -> where it is asked, with all there is to show.
LISTS = {
    "/audit-logs": "audit-logs",
    "/auditlog-exts": "auditlog-exts",
    "/labels": "labels?scope=p&project_id={project}",
    "/projects": "projects",
    f"{P}/members": "projects/team/members",
    f"{P}/artifacts": f"projects/team/artifacts?{SHOW}",
    f"{P}/immutabletagrules": "projects/team/immutabletagrules",
    f"{P}/scanner/candidates": "projects/team/scanner/candidates",
    f"{P}/trash": "projects/team/trash",
    f"{P}/webhook/policies": "projects/team/webhook/policies",
    f"{P}/webhook/policies/{{webhook_policy_id}}/executions": "projects/team/webhook/policies/{webhook}/executions",
    f"{P}/webhook/policies/{{webhook_policy_id}}/executions/{{execution_id}}/tasks": (
        "projects/team/webhook/policies/{webhook}/executions/{delivery}/tasks"
    ),
    "/system/webhook/policies": "system/webhook/policies",
    "/system/webhook/policies/{webhook_policy_id}/executions": "system/webhook/policies/{system_webhook}/executions",
    "/system/webhook/policies/{webhook_policy_id}/executions/{execution_id}/tasks": (
        "system/webhook/policies/{system_webhook}/executions/{system_delivery}/tasks"
    ),
    f"{P}/webhook/jobs": "projects/team/webhook/jobs?policy_id={webhook}",
    f"{N}/auditlog-exts": "projects/team/auditlog-exts",
    f"{N}/logs": "projects/team/logs",
    f"{N}/repositories": "projects/team/repositories",
    f"{R}/artifacts": f"{APP}/artifacts?{SHOW}",
    f"{A}/accessories": f"{APP}/artifacts/1.0/accessories",
    f"{A}/tags": f"{APP}/artifacts/1.0/tags?with_immutable_status=true",
    f"{R}/deleted-tags": f"{APP}/deleted-tags",
    f"{R}/tags/{{tag_name}}/history": f"{APP}/tags/1.0/history",
    "/quotas": "quotas",
    "/registries": "registries",
    "/replication/drift": "replication/drift",
    "/replication/executions": "replication/executions",
    "/replication/executions/{id}/tasks": "replication/executions/{copied}/tasks",
    "/replication/policies": "replication/policies",
    "/repositories": "repositories",
    "/robots/{robot_id}/trusts": "robots/{robot}/trusts",
    "/robots": "robots?q=Level=project,ProjectID={project}",
    "/schedules": "schedules",
    "/retentions/{id}/executions": "retentions/{retention}/executions",
    "/retentions/{id}/executions/{eid}/tasks": "retentions/{retention}/executions/{run}/tasks",
    "/retentions/{id}/preview": "retentions/{retention}/preview",
    "/system/gc": "system/gc",
    "/system/purgeaudit": "system/purgeaudit",
    "/system/storageaudit": "system/storageaudit",
    "/system/storageaudit/{audit_id}/findings": "system/storageaudit/{audit}/findings",
    "/users": "users",
    "/users/current/tokens": "users/current/tokens",
    "/users/search": "users/search?username=crowd",
    "/users/{user_id}/tokens": "users/{developer}/tokens",
    "/usergroups": "usergroups",
    "/usergroups/search": "usergroups/search?groupname=crowd",
}


def where(world: World, template: str) -> str:
    """The path of a list, filled from the world."""
    webhook = WebhookPolicy.objects.exclude(project=None).order_by("pk").values_list("pk", flat=True).first()
    retention = RetentionPolicy.objects.values_list("pk", flat=True).first()
    return LISTS[template].format(
        project=world.project.pk,
        robot=world.robot.pk,
        developer=world.users["developer"].pk,
        webhook=webhook or 0,
        delivery=_first_run("WEBHOOK", webhook),
        system_webhook=system_webhook().pk,
        system_delivery=_first_run("WEBHOOK", system_webhook().pk),
        copied=_first_run("REPLICATION"),
        retention=retention or 0,
        run=_first_run("RETENTION", retention),
        audit=_first_run("STORAGE_AUDIT"),
    )


def _first_run(vendor: str, owner: int | None = None) -> int:
    """The oldest execution of a kind, of one owner where one is given (its number means nothing without the kind)."""
    runs = Execution.objects.filter(vendor_type=vendor, **({} if owner is None else {"vendor_id": owner}))
    return runs.order_by("pk").values_list("pk", flat=True).first() or 0


def _digest() -> str:
    return "sha256:" + secrets.token_hex(32)


def grow(world: World, number: int) -> None:
    """``number`` more rows for every list."""
    names = [f"crowd-{secrets.token_hex(6)}" for _ in range(number)]
    _accounts(world, names)
    _content(world, names)
    _past(world, names)
    _jobs(world, number)
    project, admin = world.project, world.users["sysadmin"]
    projects = Project.objects.bulk_create(Project(name=name, owner=admin, public=True) for name in names)
    Quota.objects.bulk_create(Quota(project=item) for item in projects)
    today = timezone.now().astimezone(UTC).date()
    StorageDay.objects.bulk_create(
        StorageDay(project=item, day=today - timedelta(days=back), used=back) for item in projects for back in range(30)
    )
    Repository.objects.bulk_create(Repository(project=project, name=f"team/{name}") for name in names)
    ImmutableRule.objects.bulk_create(
        ImmutableRule(
            project=project,
            tag_selectors=[{"kind": "doublestar", "decoration": "matches", "pattern": name}],
            scope_selectors={"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        )
        for name in names[:RULES]
    )
    WebhookPolicy.objects.bulk_create(
        WebhookPolicy(project=project, name=name, creator="admin", event_types=["PUSH_ARTIFACT"], targets=[TARGET])
        for name in names
    )
    WebhookPolicy.objects.bulk_create(
        WebhookPolicy(name=name, creator="admin", event_types=["PUSH_ARTIFACT"], targets=[TARGET]) for name in names
    )
    _deliveries(WebhookPolicy.objects.exclude(project=None).order_by("pk")[0].pk, number)
    _deliveries(system_webhook().pk, number)
    Registry.objects.bulk_create(
        Registry(name=name, type="docker-registry", url="https://registry.invalid") for name in names
    )
    AuditLog.objects.bulk_create(
        AuditLog(project_id=project.pk, username="admin", resource_type="artifact", resource=name, operation="create")
        for name in names
    )


def _accounts(world: World, names: list[str]) -> None:
    users = User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
    Member.objects.bulk_create(Member(project=world.project, user=user, role=2) for user in users)
    UserGroup.objects.bulk_create(UserGroup(group_name=name, group_type=UserGroup.Type.HTTP) for name in names)
    for level, project in (("project", world.project), ("system", None)):
        Robot.objects.bulk_create(
            Robot(name=name, level=level, project=project, secret_digest=secrets.token_hex(32)) for name in names
        )
    for persona in ("sysadmin", "developer"):
        PersonalToken.objects.bulk_create(
            PersonalToken(
                user=world.users[persona], name=name, secret_digest=secrets.token_hex(32), hint="abcd", scopes=["pull"]
            )
            for name in names
        )
    RobotTrust.objects.bulk_create(
        RobotTrust(robot=world.robot, name=name, issuer="https://issuer.invalid", audience="us", claims={"sub": "x"})
        for name in names
    )


def _content(world: World, names: list[str]) -> None:
    """Artifacts with a tag, a label and an accessory each; tags and accessories of the one image of the world, too."""
    image, repository = world.artifact, world.artifact.repository
    common = {
        "project": world.project,
        "repository": repository,
        "type": "IMAGE",
        "media_type": image.media_type,
        "manifest_media_type": image.manifest_media_type,
        "artifact_type": image.artifact_type,
        "size": 1000,
        "manifest": b"{}",
    }
    artifacts = Artifact.objects.bulk_create(Artifact(digest=_digest(), **common) for _ in names)
    Tag.objects.bulk_create(
        Tag(repository=repository, artifact=artifact, name=name)
        for artifact, name in zip(artifacts, names, strict=True)
    )
    Tag.objects.bulk_create(Tag(repository=repository, artifact=image, name=f"also-{name}") for name in names)
    labels = Label.objects.bulk_create(Label(name=name, project=world.project) for name in names)
    Label.objects.bulk_create(Label(name=name) for name in names)
    ArtifactLabel.objects.bulk_create(
        ArtifactLabel(artifact=artifact, label=label) for artifact, label in zip(artifacts, labels, strict=True)
    )
    for subject in (*artifacts, *([image] * len(names))):
        signature = Artifact.objects.create(digest=_digest(), listed=False, **common)
        Accessory.objects.create(
            artifact=signature,
            subject=subject,
            subject_digest=subject.digest,
            repository=repository,
            type="signature.cosign",
        )


def _past(world: World, names: list[str]) -> None:
    """Artifacts in the trash, tags that moved and tags that were deleted."""
    image, repository, now = world.artifact, world.artifact.repository, timezone.now()
    TrashedArtifact.objects.bulk_create(
        TrashedArtifact(
            project=world.project,
            repository_name=repository.name,
            digest=_digest(),
            type="IMAGE",
            manifest_media_type=image.manifest_media_type,
            manifest=b"{}",
            size=1000,
            tags=[name],
            push_time=now,
            operator="admin",
            expires_at=now + timedelta(days=7),
        )
        for name in names
    )
    TagEvent.objects.bulk_create(
        TagEvent(
            repository=repository,
            name=tag,
            operation=operation,
            old_digest=image.digest,
            new_digest="" if operation == "delete" else image.digest,
            operator="admin",
        )
        for name in names
        for tag, operation in (("1.0", "move"), (f"gone-{name}", "delete"))
    )


def system_webhook() -> WebhookPolicy:
    """The first one that sees every project."""
    found = WebhookPolicy.objects.filter(project=None).order_by("pk").first()
    return found or WebhookPolicy.objects.create(
        name="crowd", creator="admin", event_types=["PUSH_ARTIFACT"], targets=[TARGET]
    )


def _deliveries(owner: int, number: int) -> None:
    """Of one webhook; its first delivery has all the tasks."""
    told = {"event_type": "PUSH_ARTIFACT", "payload": "{}"}
    Execution.objects.bulk_create(
        Execution(vendor_type="WEBHOOK", vendor_id=owner, extra_attrs=told) for _ in range(number)
    )
    first = Execution.objects.filter(vendor_type="WEBHOOK", vendor_id=owner).order_by("pk")[0]
    Task.objects.bulk_create(Task(execution=first, job_type="WEBHOOK") for _ in range(number))


def _jobs(world: World, number: int) -> None:
    """Schedules; runs of the system's jobs and of the project's retention, whose first run has all the tasks."""
    known = Schedule.objects.count()
    Schedule.objects.bulk_create(
        Schedule(vendor_type="REPLICATION", vendor_id=known + extra + 1, cron="0 0 0 * * *") for extra in range(number)
    )
    _copies(number)
    policy = RetentionPolicy.objects.get_or_create(project=world.project, defaults={"rules": [KEEP_ALL]})[0]
    system = ("PURGE_AUDIT_LOG", "GARBAGE_COLLECTION", "STORAGE_AUDIT")
    for vendor, owner in (*((name, SYSTEM) for name in system), ("RETENTION", policy.pk)):
        runs = Execution.objects.bulk_create(Execution(vendor_type=vendor, vendor_id=owner) for _ in range(number))
        Task.objects.bulk_create(Task(execution=run, job_type=vendor) for run in runs)
    first = Execution.objects.filter(vendor_type="RETENTION").order_by("pk")[0]
    Task.objects.bulk_create(Task(execution=first, job_type="RETENTION") for _ in range(number))
    audit = Execution.objects.filter(vendor_type="STORAGE_AUDIT").order_by("pk")[0]
    StorageFinding.objects.bulk_create(
        StorageFinding(execution=audit, kind="unknown_blob", digest=_digest(), size=1) for _ in range(number)
    )


def _copies(number: int) -> None:
    """Replication policies, each with a run; the first run has all the tasks."""
    registry = Registry.objects.first()
    for name in [f"copy-{secrets.token_hex(6)}" for _ in range(number)]:
        policy = ReplicationPolicy.objects.create(name=name, creator="admin", target=registry)
        run = Execution.objects.create(vendor_type="REPLICATION", vendor_id=policy.pk)
        Task.objects.create(execution=run, job_type="REPLICATION")
    first = Execution.objects.filter(vendor_type="REPLICATION").order_by("pk")[0]
    shown = {"operation": "copy", "resource_type": "image", "src_resource": "a/b:[1]", "dst_resource": "a/b:[1]"}
    Task.objects.bulk_create(Task(execution=first, job_type="REPLICATION", extra_attrs=shown) for _ in range(number))
