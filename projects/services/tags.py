"""Tags: they live in the database only, and every move is remembered."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import names, sql
from harbor_core.lib.batches import ROWS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import settled
from harbor_core.services import audit
from projects.models import Artifact, Repository, Tag, TagEvent
from projects.services import immutability, visibility
from projects.services.hold import hold_project

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
    """Point the tag at the artifact, inside the caller's transaction. The row lock decides between two pushes.

    Raises PRECONDITION when it is immutable and points to another artifact.
    """
    now = timezone.now()
    if sql.execute(_CREATE, [repository_id, artifact.pk, name, sql.time(now)]):
        _remember(actor, repository_id, name, "", artifact.digest)
        return Move(None, True)
    tag = Tag.objects.select_for_update().get(repository_id=repository_id, name=name)
    if tag.artifact_id == artifact.pk:
        Tag.objects.filter(pk=tag.pk).update(push_time=now)
        return Move(artifact.pk, False)
    immutability.refuse(Repository.objects.only("name", "project_id").get(pk=repository_id), [name])
    old = Artifact.objects.only("digest").get(pk=tag.artifact_id)
    Tag.objects.filter(pk=tag.pk).update(artifact=artifact, push_time=now)
    _remember(actor, repository_id, name, old.digest, artifact.digest)
    return Move(old.pk, True)


def _remember(actor: Actor, repository_id: int, name: str, old: str, new: str) -> None:
    _event(actor, repository_id, name, old, new).save(force_insert=True)


def _event(actor: Actor, repository_id: int, name: str, old: str, new: str) -> TagEvent:
    operation = (
        TagEvent.Operation.MOVE if old and new else TagEvent.Operation.CREATE if new else TagEvent.Operation.DELETE
    )
    return TagEvent(
        repository_id=repository_id, name=name, operation=operation, old_digest=old, new_digest=new, operator=actor.name
    )


def create(actor: Actor, artifact: Artifact, name: str) -> None:
    """Give an artifact one more tag. Raises BAD_REQUEST for a name outside the grammar, CONFLICT when it is taken."""
    if not names.is_tag(name):
        raise HarborError(
            "BAD_REQUEST", f"{name[:200]!r} is not a tag: letters, digits, _ . -, at most 128, not . or - first"
        )
    settled(lambda: _create(actor, artifact, name))


@transaction.atomic
def _create(actor: Actor, artifact: Artifact, name: str) -> None:
    repository: Repository = artifact.repository
    _hold(repository)
    if Tag.objects.filter(repository=repository, name=name).exists():
        raise HarborError("CONFLICT", f"tag {name} already exists in {repository.name}")
    put(actor, repository.pk, name, artifact)
    _after(actor, repository, artifact.pk, "create", f"{repository.name}:{name}")


def delete(actor: Actor, repository: Repository, name: str, *, artifact: Artifact | None = None) -> None:
    """Remove a tag; the artifact stays. Raises NOT_FOUND, PRECONDITION when it is immutable."""
    settled(lambda: _delete(actor, repository, name, artifact))


@transaction.atomic
def _delete(actor: Actor, repository: Repository, name: str, artifact: Artifact | None) -> None:
    _hold(repository)
    tags = Tag.objects.select_for_update().filter(repository=repository, name=name)
    tag = tags.filter(artifact=artifact).first() if artifact else tags.first()
    if tag is None:
        raise HarborError("NOT_FOUND", f"tag {repository.name}:{name[:200]} not found")
    immutability.refuse(repository, [name])
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


def _hold(repository: Repository) -> None:
    """In the order of pushes and of the writer of pull statistics: the repository comes before its tags and artifacts,
    or each would hold what the other waits for. Raises NOT_FOUND."""
    hold_project(repository.project_id)
    if not Repository.objects.select_for_update(no_key=True).filter(pk=repository.pk).exists():
        raise HarborError("NOT_FOUND", f"repository {repository.name} not found")


def claim(actor: Actor, repository_id: int, name: str, artifact: Artifact) -> bool:
    """Give the artifact the tag if nobody has it, inside the caller's transaction. Returns whether it has it now."""
    if sql.execute(_CREATE, [repository_id, artifact.pk, name, sql.time(timezone.now())]):
        _remember(actor, repository_id, name, "", artifact.digest)
        return True
    return Tag.objects.filter(repository_id=repository_id, name=name, artifact=artifact).exists()


def forget_all(actor: Actor, repository: Repository, artifacts: Iterable[Artifact]) -> dict[int, list[str]]:
    """Remove every tag of artifacts that go away, inside the caller's transaction. Returns their names by artifact id.

    Raises PRECONDITION when one is immutable: nothing that deletes artifacts gets past this.
    """
    digests = {artifact.pk: artifact.digest for artifact in artifacts}
    tags = Tag.objects.filter(artifact_id__in=digests)
    gone = list(tags.order_by("artifact_id", "name").values_list("artifact_id", "name"))
    immutability.refuse(repository, [name for _, name in gone])
    events = (_event(actor, repository.pk, name, digests[artifact_id], "") for artifact_id, name in gone)
    TagEvent.objects.bulk_create(events, batch_size=ROWS)
    tags.delete()
    names_of: dict[int, list[str]] = {}
    for artifact_id, name in gone:
        names_of.setdefault(artifact_id, []).append(name)
    return names_of


def _after(actor: Actor, repository: Repository, artifact_id: int, operation: str, resource: str) -> None:
    visibility.refresh([artifact_id])
    visibility.changed(repository.pk)
    audit.record(actor, operation, "tag", resource, project_id=repository.project_id)
