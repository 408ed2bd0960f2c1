"""Projects: create, change, delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction

from auth.actor import Actor
from auth.models import ADMIN_ID, Robot, RobotPermission
from auth.rbac import Role
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from jobservice.services import schedules
from projects import access
from projects.models import (
    CVEAllowlist,
    ImmutableRule,
    Label,
    Member,
    MirrorName,
    Project,
    Quota,
    QuotaDelta,
    Repository,
    RepositoryBlob,
    RetentionPolicy,
    TrashedArtifact,
    Upload,
    WebhookPolicy,
)
from projects.models.quota import UNLIMITED
from projects.services import allowlist, blobs, metadata, retention
from replication.models import Flight, PendingManifest, Registry, UpstreamTag

_PART_OF_PROJECT = (
    Flight,
    PendingManifest,
    UpstreamTag,
    MirrorName,
    Member,
    Label,
    ImmutableRule,
    WebhookPolicy,
    RetentionPolicy,
    CVEAllowlist,
    TrashedArtifact,
    Quota,
    QuotaDelta,
)


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Vulnerabilities that do not count in a project; ``expires_at`` in epoch seconds. ``project_id`` 0: not said."""

    items: Sequence[str]
    expires_at: int | None = None
    project_id: int = 0


def create(
    actor: Actor,
    name: str,
    *,
    values: Mapping[str, str | None],
    storage_limit: int | None = None,
    registry_id: int | None = None,
    cves: Allowlist | None = None,
) -> Project:
    """A project whose creator administrates it; one made by a robot belongs to the first administrator.

    ``values`` are metadata; ``storage_limit`` (bytes, -1 unlimited, 0 the default) counts for administrators only;
    ``registry_id`` makes it a proxy of that registry. Raises BAD_REQUEST, FORBIDDEN for what only administrators may,
    CONFLICT when the name is taken.
    """
    _check_creator(actor, registry_id)
    if not names.is_project(name):
        raise HarborError("BAD_REQUEST", "a project name holds lower case letters, digits, and . _ - between them")
    project = Project(name=name, owner_id=actor.user_id or ADMIN_ID, registry_id=registry_id)
    metadata.write(project, metadata.fitting(project, metadata.checked(values)))
    limit = _storage_limit(actor, storage_limit)
    try:
        with transaction.atomic():
            if registry_id is not None:
                _hold_registry(registry_id)
            project.save(force_insert=True)
            metadata.bind(actor, project)
            _clear_predecessor(project)
            Member.objects.create(project=project, user_id=project.owner_id, role=Role.PROJECT_ADMIN)
            Quota.objects.create(project=project, hard=limit)
            if cves is not None:
                allowlist.set(actor, project, cves.items, cves.expires_at)
            if registry_id is not None:
                retention.default_of_proxy(actor, project)
            audit.record(actor, "create", "project", name, project_id=project.pk)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"project {name} already exists") from exc
    access.forget()
    return project


def _check_creator(actor: Actor, registry_id: int | None) -> None:
    if actor.scope is not None and actor.scope.projects:
        raise HarborError("FORBIDDEN", "this personal token is limited to projects and creates none")
    if access.can(actor, "project:create"):
        return
    if actor.is_robot:
        raise access.refusal(actor, "project:create")
    if config_get("project_creation_restriction") == "adminonly":
        raise HarborError("FORBIDDEN", "only system administrators may create projects")
    if registry_id is not None:
        raise HarborError("FORBIDDEN", "only system administrators may create proxy projects")


def may_create(actor: Actor) -> bool:
    """May this actor make projects at all? Of a proxy and of a quota of one's own :func:`create` decides."""
    if not actor.is_authenticated:
        return False
    try:
        _check_creator(actor, None)
    except HarborError:
        return False
    return True


def _hold_registry(registry_id: int) -> None:
    """The registry cannot be deleted until commit. Raises BAD_REQUEST for one that cannot be proxied."""
    registry = Registry.objects.select_for_update().filter(pk=registry_id).first() if registry_id > 0 else None
    if registry is None:
        raise HarborError("BAD_REQUEST", f"registry {registry_id} does not exist")
    if registry.type not in settings.PROXY_REGISTRY_TYPES:
        raise HarborError("BAD_REQUEST", f"a registry of type {registry.type} cannot be proxied")


def _clear_predecessor(project: Project) -> None:
    """An upload into a deleted project of this name may have ended after its storage was cleared (:func:`delete`)."""
    if Project.objects.filter(name__startswith=f"{project.name}#", deleted=True).exists():
        storage.backend().remove_tree(f"{storage.ROOT}/repositories/{project.name}")


def _storage_limit(actor: Actor, wanted: int | None) -> int:
    honoured = bool(config_get("quota_per_project_enable")) and access.can(actor, "project:create")
    if not wanted or not honoured:
        return int(config_get("storage_per_project"))
    if wanted != UNLIMITED and wanted <= 0:
        raise HarborError("BAD_REQUEST", "a storage limit must be -1 (unlimited) or greater than 0")
    return wanted


def update(actor: Actor, project_id: int, values: Mapping[str, str | None], *, cves: Allowlist | None = None) -> None:
    """Change metadata and the allowlist; what is None stays as it is. Raises BAD_REQUEST, NOT_FOUND."""
    given = {key: value for key, value in values.items() if value is not None}
    with transaction.atomic():
        project = _locked(project_id)
        for key in metadata.SERVER_ONLY:
            if key in given and given[key] == project.metadata.get(key):
                del given[key]  # sent back as it was read
        metadata.write(project, metadata.fitting(project, metadata.checked(given)))
        project.save(update_fields=["public", "metadata", "update_time"])
        metadata.bind(actor, project)
        if cves is not None:
            if cves.project_id not in (0, project.pk):
                raise HarborError("BAD_REQUEST", f"the allowlist is that of project {cves.project_id}")
            allowlist.set(actor, project, cves.items, cves.expires_at)
        audit.record(actor, "update", "project", project.name, project_id=project.pk)
    access.forget()


def deletable(project_id: int) -> tuple[bool, str]:
    """May the project be deleted now, and if not, why."""
    if Repository.objects.filter(project_id=project_id).exists():
        return False, "the project contains repositories, can not be deleted"
    return True, ""


def delete(actor: Actor, project_id: int) -> None:
    """The row stays under ``name#id``; the name is free once nothing of the project is left in storage.

    Raises PRECONDITION while there are repositories, NOT_FOUND.
    """
    with transaction.atomic():
        project = _locked(project_id)
        possible, reason = deletable(project_id)
        if not possible:
            raise HarborError("PRECONDITION", reason)
        _clear_storage(project)
        name = project.name
        project.name = f"{name}#{project.pk}"
        project.deleted = True
        project.save(update_fields=["name", "deleted", "update_time"])
        _delete_settings(project)
        audit.record(actor, "delete", "project", name, project_id=project.pk)
    access.forget()


def _delete_settings(project: Project) -> None:
    """Who may do what in it, what happens there, what could have been restored into it; its robots end with it."""
    policy = RetentionPolicy.objects.filter(project=project).first()
    if policy is not None:
        schedules.remove(retention.JOB, policy.pk)
    for model in (RobotPermission, Robot, *_PART_OF_PROJECT):
        model.objects.filter(project=project).delete()


def _clear_storage(project: Project) -> None:
    """Open uploads, and layers that were pushed but never named by a manifest: whoever gets the name next must not be
    able to read them through their links."""
    for upload in Upload.objects.filter(project=project):
        blobs.cancel(upload)
    links = RepositoryBlob.objects.filter(repository_name__startswith=f"{project.name}/")
    for repository in set(links.values_list("repository_name", flat=True)):
        storage.delete_tree(repository)
    links.delete()


def _locked(project_id: int) -> Project:
    project = Project.objects.select_for_update().filter(pk=project_id, deleted=False).first()
    if project is None:
        raise HarborError("NOT_FOUND", "the project does not exist any more")
    return project
