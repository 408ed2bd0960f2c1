"""Tags: they live in the database only, and every move is remembered."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import names, sql
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Artifact, Repository, Tag, TagEvent
from projects.services import visibility

# Waits for a push that is making the same tag, then leaves that one's.
_CREATE = """
    INSERT INTO harbor_projects_tag (repository_id, artifact_id, name, push_time) VALUES (%s, %s, %s, %s)
    ON CONFLICT (repository_id, name) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Move:
    """What a tag pointed to before: an artifact id or None; ``changed`` is False when it already pointed there."""

    old_artifact_id: int | None
    changed: bool


def put(actor: Actor, repository_id: int, name: str, artifact: Artifact) -> Move:
    """Point the tag at the artifact, inside the caller's transaction. The row lock decides between two pushes."""
    now = timezone.now()
    if sql.execute(_CREATE, [repository_id, artifact.pk, name, sql.time(now)]):
        _remember(actor, repository_id, name, "", artifact.digest)
        return Move(None, True)
    tag = Tag.objects.select_for_update().get(repository_id=repository_id, name=name)
    if tag.artifact_id == artifact.pk:
        Tag.objects.filter(pk=tag.pk).update(push_time=now)
        return Move(artifact.pk, False)
    old = Artifact.objects.only("digest").get(pk=tag.artifact_id)
    Tag.objects.filter(pk=tag.pk).update(artifact=artifact, push_time=now)
    _remember(actor, repository_id, name, old.digest, artifact.digest)
    return Move(old.pk, True)


def _remember(actor: Actor, repository_id: int, name: str, old: str, new: str) -> None:
    operation = (
        TagEvent.Operation.MOVE if old and new else TagEvent.Operation.CREATE if new else TagEvent.Operation.DELETE
    )
    TagEvent.objects.create(
        repository_id=repository_id, name=name, operation=operation, old_digest=old, new_digest=new, operator=actor.name
    )


def create(actor: Actor, artifact: Artifact, name: str) -> None:
    """Give an artifact one more tag. Raises BAD_REQUEST for a name outside the grammar, CONFLICT when it is taken."""
    if not names.is_tag(name):
        raise HarborError(
            "BAD_REQUEST", f"{name[:200]!r} is not a tag: letters, digits, _ . -, at most 128, not . or - first"
        )
    repository: Repository = artifact.repository
    with transaction.atomic():
        if Tag.objects.filter(repository=repository, name=name).exists():
            raise HarborError("CONFLICT", f"tag {name} already exists in {repository.name}")
        put(actor, repository.pk, name, artifact)
        _after(actor, repository, artifact.pk, "create", f"{repository.name}:{name}")


def delete(actor: Actor, repository: Repository, name: str, *, artifact: Artifact | None = None) -> None:
    """Remove a tag; the artifact stays. Raises NOT_FOUND."""
    with transaction.atomic():
        tags = Tag.objects.select_for_update().filter(repository=repository, name=name)
        tag = tags.filter(artifact=artifact).first() if artifact else tags.first()
        if tag is None:
            raise HarborError("NOT_FOUND", f"tag {repository.name}:{name[:200]} not found")
        old = Artifact.objects.only("digest").get(pk=tag.artifact_id)
        tag.delete()
        _remember(actor, repository.pk, name, old.digest, "")
        _after(actor, repository, old.pk, "delete", f"{repository.name}:{name}")
        audit.emit(
            actor,
            "DELETE_TAG",
            project_id=repository.project_id,
            repository=repository.name,
            tag=name,
            digest=old.digest,
        )


def forget_all(actor: Actor, artifact: Artifact) -> list[str]:
    """Remove every tag of an artifact that goes away, inside the caller's transaction. Returns their names."""
    gone = sorted(Tag.objects.filter(artifact=artifact).values_list("name", flat=True))
    for name in gone:
        _remember(actor, artifact.repository_id, name, artifact.digest, "")
    Tag.objects.filter(artifact=artifact).delete()
    return gone


def _after(actor: Actor, repository: Repository, artifact_id: int, operation: str, resource: str) -> None:
    visibility.refresh([artifact_id])
    visibility.changed(repository.pk)
    audit.record(actor, operation, "tag", resource, project_id=repository.project_id)
