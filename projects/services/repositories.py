"""Repositories: made by the first manifest, removed with all their content."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import sql, storage
from harbor_core.services import audit
from projects.models import Artifact, ArtifactReference, Repository, RepositoryBlob
from projects.services import artifacts as artifact_service


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


def describe(actor: Actor, repository: Repository, description: str) -> None:
    with transaction.atomic():
        repository.description = description
        repository.update_time = timezone.now()
        repository.save(update_fields=["description", "update_time"])
        audit.record(actor, "update", "repository", repository.name, project_id=repository.project_id)


def delete(actor: Actor, repository: Repository) -> None:
    """Remove the repository and its content. Raises PRECONDITION when a tag is immutable.

    The name is free only when its tree in storage is gone: the tree goes first, then rows. A crash in between leaves
    a repository whose layers must be pushed again, never one that shows somebody else's bytes.
    """
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        # Parents before children, so that no reference stands in the way.
        ArtifactReference.objects.filter(parent__repository=locked).update(child=None)
        for artifact in Artifact.objects.filter(repository=locked).defer("manifest").order_by("-pk"):
            artifact_service.remove_rows(actor, artifact)
        RepositoryBlob.objects.filter(repository_name=locked.name).delete()
        locked.delete()
        audit.record(actor, "delete", "repository", repository.name, project_id=repository.project_id)
        audit.emit(actor, "DELETE_REPOSITORY", project_id=repository.project_id, repository=repository.name)
        storage.delete_tree(repository.name)
