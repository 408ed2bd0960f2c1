"""Undo what happened to a tag."""

from dataclasses import dataclass

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import Lost, settled
from harbor_core.services import audit
from projects import access
from projects.access import ProjectAccess
from projects.models import Artifact, Repository, TrashedArtifact
from projects.selectors.tag_history import tag_event
from projects.services import restore as trash_service
from projects.services import tags, visibility
from projects.services.hold import hold_project


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where the tag points now; ``from_trash``: the artifact had to be restored first."""

    digest: str
    from_trash: bool


def restore(
    actor: Actor, project: ProjectAccess, repository: Repository, name: str, *, digest: str = "", event_id: int = 0
) -> Pointed:
    """Point the tag at an artifact it pointed to before: the one with this digest, or the one it was taken from by the
    event (the last one, when neither is given). An artifact that is in the trash is restored, which takes the right to
    delete artifacts.

    Raises NOT_FOUND, BAD_REQUEST when there was nothing before, PRECONDITION for an immutable tag and an artifact that
    is gone for good, FORBIDDEN, DENIED (quota).
    """
    target = digest or _before(repository, name, event_id)
    if digest and tag_event(repository, name, digest=digest) is None:
        raise HarborError("NOT_FOUND", f"tag {name[:200]} never pointed to {digest[:200]}")
    from_trash = False

    def attempt() -> None:
        nonlocal from_trash
        if not Artifact.objects.filter(repository=repository, digest=target).exists():
            _from_trash(actor, project, repository, target)
            from_trash = True
        _point(actor, repository, name, target)

    settled(attempt)
    return Pointed(target, from_trash)


def _before(repository: Repository, name: str, event_id: int) -> str:
    event = tag_event(repository, name, event_id=event_id)
    if event is None:
        if event_id:
            raise HarborError("NOT_FOUND", f"there is no event {event_id} of tag {name[:200]}")
        raise HarborError("NOT_FOUND", f"there is no earlier artifact for tag {name[:200]}")
    if not event.old_digest:
        raise HarborError("BAD_REQUEST", f"event {event_id} made the tag: it pointed to nothing before")
    return event.old_digest


def _from_trash(actor: Actor, project: ProjectAccess, repository: Repository, digest: str) -> None:
    rows = TrashedArtifact.objects.filter(project_id=project.project_id, repository_name=repository.name, digest=digest)
    found = rows.order_by("-pk").values_list("pk", flat=True).first()
    if found is None:
        raise HarborError("PRECONDITION", f"artifact {digest} is gone for good")
    if "artifact:delete" not in project.permissions:
        raise access.refusal(actor, "artifact:delete")
    trash_service.restore(actor, project, found)


@transaction.atomic
def _point(actor: Actor, repository: Repository, name: str, digest: str) -> None:
    hold_project(repository.project_id)
    rows = Artifact.objects.select_for_update(no_key=True).defer("manifest")
    artifact = rows.filter(repository=repository, digest=digest).first()
    if artifact is None:
        raise Lost("the artifact was deleted meanwhile")
    move = tags.put(actor, repository.pk, name, artifact)
    if not move.changed:
        return
    visibility.refresh({artifact.pk, move.old_artifact_id or artifact.pk})
    visibility.changed(repository.pk)
    audit.record(actor, "restore", "tag", f"{repository.name}:{name}", project_id=repository.project_id)
    audit.emit(
        actor,
        "PUSH_ARTIFACT",
        project_id=repository.project_id,
        repository=repository.name,
        digest=digest,
        tag=name,
        artifact_type=artifact.type,
    )
