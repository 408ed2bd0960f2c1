"""Projects: create, change, delete."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from auth.actor import Actor
from auth.models import ADMIN_ID
from auth.rbac import Role
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects import access
from projects.models import Member, Project, Quota, QuotaDelta, Repository, RepositoryBlob, Upload
from projects.models.quota import UNLIMITED
from projects.services import blobs, metadata


def create(
    actor: Actor,
    name: str,
    *,
    values: Mapping[str, str | None],
    storage_limit: int | None = None,
    registry_id: int | None = None,
) -> Project:
    """A project whose creator administrates it; one made by a robot belongs to the first administrator.

    ``values`` are metadata; ``storage_limit`` (bytes, -1 unlimited) counts for system administrators only. Raises
    BAD_REQUEST, FORBIDDEN where only administrators create projects, CONFLICT when the name is taken.
    """
    _check_creator(actor)
    if not names.is_project(name):
        raise HarborError("BAD_REQUEST", "a project name holds lower case letters, digits, and . _ - between them")
    if registry_id:
        raise HarborError("BAD_REQUEST", f"registry {registry_id} does not exist")
    project = Project(name=name, owner_id=actor.user_id or ADMIN_ID)
    metadata.write(project, metadata.checked(values))
    limit = _storage_limit(actor, storage_limit)
    try:
        with transaction.atomic():
            project.save(force_insert=True)
            Member.objects.create(project=project, user_id=project.owner_id, role=Role.PROJECT_ADMIN)
            Quota.objects.create(project=project, hard=limit)
            audit.record(actor, "create", "project", name, project_id=project.pk)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"project {name} already exists") from exc
    access.forget()
    return project


def _check_creator(actor: Actor) -> None:
    if access.can(actor, "project:create"):
        return
    if actor.is_robot:
        raise access.refusal(actor, "project:create")
    if config_get("project_creation_restriction") == "adminonly":
        raise HarborError("FORBIDDEN", "only system administrators may create projects")


def _storage_limit(actor: Actor, wanted: int | None) -> int:
    if wanted is None or not actor.is_sysadmin or not config_get("quota_per_project_enable"):
        return int(config_get("storage_per_project"))
    if wanted != UNLIMITED and wanted <= 0:
        raise HarborError("BAD_REQUEST", "a storage limit must be -1 (unlimited) or greater than 0")
    return wanted


def update(actor: Actor, project_id: int, values: Mapping[str, str | None]) -> None:
    """Change metadata; what is None stays as it is. Raises BAD_REQUEST, NOT_FOUND."""
    given = {key: value for key, value in values.items() if value is not None}
    with transaction.atomic():
        project = _locked(project_id)
        for key in metadata.SERVER_ONLY:
            if key in given and given[key] == project.metadata.get(key):
                del given[key]  # sent back as it was read
        metadata.write(project, metadata.checked(given))
        project.save(update_fields=["public", "metadata", "update_time"])
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
        project.members.all().delete()
        Quota.objects.filter(project=project).delete()
        QuotaDelta.objects.filter(project=project).delete()
        audit.record(actor, "delete", "project", name, project_id=project.pk)
    access.forget()


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
