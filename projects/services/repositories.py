"""Repositories: made by the first manifest, removed with all their content."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import sql, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import Lost, settled
from harbor_core.services import audit
from projects.models import Repository, RepositoryBlob
from projects.services import artifacts as artifact_service
from projects.services.hold import hold_project


def ensure(project_id: int, name: str) -> tuple[Repository, bool]:
    """The repository of this full name (id, project and name only), created if need be. Returns it and whether it is
    new."""
    row = sql.fetch_one("SELECT id, project_id FROM harbor_projects_repository WHERE name = %s", [name])
    if row is not None:
        return Repository(id=row[0], project_id=row[1], name=name), False
    try:
        with transaction.atomic():
            return Repository.objects.create(project_id=project_id, name=name), True
    except IntegrityError:  # another push was first
        return Repository.objects.get(name=name), False


def current_id(name: str) -> int | None:
    """To be read before anything is stored for the repository, and given to :func:`check_same` afterwards."""
    row = sql.fetch_one("SELECT id FROM harbor_projects_repository WHERE name = %s", [name])
    return row[0] if row else None


def check_same(before: int | None, repository: Repository, is_new: bool) -> None:
    """Raise Lost when the repository was deleted or made meanwhile: what was stored for it may be gone again."""
    if before != (None if is_new else repository.pk):
        raise Lost(f"{repository.name} is not the repository it was")


def describe(actor: Actor, repository: Repository, description: str) -> None:
    with transaction.atomic():
        repository.description = description
        repository.update_time = timezone.now()
        repository.save(update_fields=["description", "update_time"])
        audit.record(actor, "update", "repository", repository.name, project_id=repository.project_id)


def delete(actor: Actor, repository: Repository) -> None:
    """Remove the repository; its artifacts go into the trash. Raises PRECONDITION when a tag is immutable.

    The name is free only when its tree in storage is gone: the tree goes before the transaction is over. A crash in
    between leaves a repository whose layers must be pushed again, never one that shows somebody else's bytes.
    """
    settled(lambda: _delete(actor, repository))


@transaction.atomic
def _delete(actor: Actor, repository: Repository) -> None:
    hold_project(repository.project_id)
    links = RepositoryBlob.objects.filter(repository_name=repository.name)
    # In the order of a push: links, then the repository.
    list(links.select_for_update().order_by("blob_id").values_list("pk", flat=True))
    locked = Repository.objects.select_for_update().filter(pk=repository.pk).first()
    if locked is None:
        raise HarborError("NOT_FOUND", f"repository {repository.name} not found")
    artifact_service.delete_all(actor, locked)
    locked.delete()
    audit.record(actor, "delete", "repository", repository.name, project_id=repository.project_id)
    audit.emit(actor, "DELETE_REPOSITORY", project_id=repository.project_id, repository=repository.name)
    links.delete()  # before the tree: a link that is written meanwhile keeps its row
    storage.delete_tree(repository.name)
