"""Every page of the portal, and where it is in the world of tests.cast grown by tests.api.crowd."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, reverse

from auth.models import Robot, RobotTrust, UserGroup
from auth.models.token import PersonalToken
from jobservice.models import Execution
from jobservice.states import SYSTEM
from portal.urls import urlpatterns
from projects.models import ImmutableRule, Label, Quota, RetentionPolicy, Tag, TrashedArtifact, WebhookPolicy
from projects.selectors.retention import identity
from replication.models import Registry
from tests.api.crowd import system_webhook
from tests.cast import World

# What is no page to look at: it leads elsewhere, takes forms only, or sends a file.
ELSEWHERE = {
    "background", "home", "logs-csv", "moved", "preferences", "project", "project-logs-csv", "sign-out",
    "immutable-rule-preview", "sign-in", "sign-up", "tag-restore",
    "replication-preview",  # asks the other registry
    "group-new",  # with an identity provider only
}  # fmt: skip
# The same page with something else in its query.
ALSO = {
    "artifact": ("show=build-history",),
    "artifacts-delete": ("pick_all=1",),
    "logs": ("q=app&operation=create",),
    "member-candidates": ("name=crowd",),
    "members": ("q=crowd&sort=-role",),
    "projects": ("q=crowd&access=public&sort=-created",),
    "repositories": ("q=crowd&sort=-pulls",),
    "repository": (
        "view=artifacts",
        "q=9",
        "sort=name",
        "sort=size",
        "sort=-pulled",
        "platform=linux/amd64",
        "view=artifacts&sort=-size",
        "view=artifacts&sort=pulled",
        "view=artifacts&tagged=no",
        "view=artifacts&platform=linux/arm64",
    ),
    "search": ("q=crowd",),
    "tags-delete": ("pick_all=1",),
    "users": ("q=crowd",),
}
# First words of names that decide whose values belong in the address.
OWNERS = ("system", "retention", "replication", "storage", "user")
# Pages that ask about rows which are picked: the name of the id.
PICKS = {
    "artifacts-delete": "artifact",
    "member-roles": "member",
    "members-remove": "member",
    "repositories-delete": "repository_id",
    "tags-delete": "tag",
    "trash-discard": "trashed",
    "trash-restore": "trashed",
    "users-delete": "user",
}


def places(world: World) -> dict[str, str]:
    """Name of a page, with its query where it is shown in several ways -> path."""
    known, found = _known(world), {}
    for pattern in _pages():
        name = str(pattern.name)
        owner = next((part for part in OWNERS if name.startswith(f"{part}-")), "")
        values = {key: known.get(f"{owner}-{key}", known.get(key)) for key in pattern.pattern.converters}
        found[name] = path = reverse(f"portal:{name}", kwargs=values)
        if name in PICKS:
            found[name] = f"{path}?pick={known[PICKS[name]]}"
        if name == "storage-audit-settle":
            found[name] = f"{path}?kind=unknown_blob"
        found |= {f"{name}?{query}": f"{path}?{query}" for query in ALSO.get(name, ())}
    return found


def _pages() -> Iterator[URLPattern]:
    """Those that have a name of their own."""
    for pattern in urlpatterns:
        if pattern.name and pattern.name not in ELSEWHERE:
            yield pattern


def _known(world: World) -> dict[str, Any]:
    """Values for what is in the addresses; ``<first word of the page's name>-<value>`` where that decides."""
    policy = RetentionPolicy.objects.get(project=world.project)
    run = Execution.objects.filter(vendor_type="RETENTION").order_by("pk")[0]
    collection = Execution.objects.filter(vendor_type="GARBAGE_COLLECTION", vendor_id=SYSTEM).order_by("pk")[0]
    audit = Execution.objects.filter(vendor_type="STORAGE_AUDIT").order_by("pk")[0]
    copies = Execution.objects.filter(vendor_type="REPLICATION").order_by("pk")[0]
    webhook = WebhookPolicy.objects.filter(project=world.project).order_by("pk")[0]
    system_robot = Robot.objects.filter(level="system").order_by("pk")[0]
    trusted = {"name": "known", "issuer": "https://issuer.invalid", "audience": "us", "claims": {"sub": "x"}}
    return {
        "project": world.project.pk,
        "repository": "app",
        "repository_id": world.artifact.repository_id,
        "artifact": world.artifact.pk,
        "digest": world.artifact.digest,
        "tag": Tag.objects.filter(artifact=world.artifact).order_by("pk")[0].pk,
        "trashed": TrashedArtifact.objects.order_by("pk")[0].pk,
        "member": world.project.members.order_by("pk")[0].pk,
        "label": Label.objects.filter(project=world.project).order_by("pk")[0].pk,
        "robot": world.robot.pk,
        "trust": RobotTrust.objects.order_by("pk")[0].pk,
        "rule": ImmutableRule.objects.order_by("pk")[0].pk,
        "webhook": webhook.pk,
        "delivery": _first_delivery(webhook),
        "run": run.pk,
        "task": run.tasks.order_by("pk")[0].pk,
        "execution": collection.pk,
        "job": "gc",
        "queue": "GARBAGE_COLLECTION",
        "action": "pause",
        "user": world.users["developer"].pk,
        "group": UserGroup.objects.order_by("pk")[0].pk,
        "quota": Quota.objects.get(project=world.project).pk,
        "policy": copies.vendor_id,
        "replication-execution": copies.pk,
        "storage-execution": audit.pk,
        "storage-action": "adopt",
        "registry": Registry.objects.order_by("pk")[0].pk,
        "token": PersonalToken.objects.filter(user=world.users["sysadmin"]).order_by("pk")[0].pk,
        "user-token": PersonalToken.objects.filter(user=world.users["developer"]).order_by("pk")[0].pk,
        "retention-rule": identity(policy.rules[0]),
        "system-label": Label.objects.filter(project=None).order_by("pk")[0].pk,
        "system-robot": system_robot.pk,
        "system-trust": RobotTrust.objects.get_or_create(robot=system_robot, name="known", defaults=trusted)[0].pk,
        "system-webhook": system_webhook().pk,
        "system-delivery": _first_delivery(system_webhook()),
    }


def _first_delivery(policy: WebhookPolicy) -> int:
    """The one with tasks."""
    return Execution.objects.filter(vendor_type="WEBHOOK", vendor_id=policy.pk).order_by("pk")[0].pk
