"""Labels: made for the system or a project, and put on artifacts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.models import F

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Artifact, ArtifactLabel, Label, Project, Repository
from projects.services import visibility
from projects.services.hold import hold_project

NAME_MAX, DESCRIPTION_MAX = 128, 4096
_COLOUR = re.compile(r"#[0-9A-Fa-f]{3,8}|[A-Za-z]{0,16}")


def create(actor: Actor, project: Project | None, name: str, description: str, color: str) -> Label:
    """For one project, or for all when None is given. Raises BAD_REQUEST, CONFLICT."""
    _check(name, description, color)
    with transaction.atomic(), _unique(name):
        if project is not None:
            hold_project(project.pk)
        label = Label.objects.create(project=project, name=name, description=description, color=color)
        _audit(actor, "create", label)
    return label


def update(actor: Actor, label: Label, name: str, description: str, color: str) -> None:
    """Its scope stays. Raises BAD_REQUEST, CONFLICT, NOT_FOUND when it has just been deleted."""
    _check(name, description, color)
    with transaction.atomic(), _unique(name):
        locked = _locked(label.pk)
        locked.name, locked.description, locked.color = name, description, color
        locked.save()
        _audit(actor, "update", locked)


def delete(actor: Actor, label: Label) -> None:
    """Take it off every artifact. Raises NOT_FOUND."""
    with transaction.atomic():
        locked = _locked(label.pk)
        # Counts of listings by this label are cached under the revision of the repository.
        labelled = Artifact.objects.filter(labels__label=locked).values("repository_id")
        repositories = Repository.objects.select_for_update(no_key=True).filter(pk__in=labelled).order_by("pk")
        Repository.objects.filter(pk__in=[row.pk for row in repositories.only("pk")]).update(revision=F("revision") + 1)
        _audit(actor, "delete", locked)
        locked.delete()


def add(actor: Actor, artifact: Artifact, label_id: int) -> None:
    """Put a label on an artifact. Raises NOT_FOUND for one of another project, CONFLICT when it is there already."""
    repository = artifact.repository
    with transaction.atomic():
        label = Label.objects.select_for_update(no_key=True).filter(pk=label_id).first()
        if label is None or label.project_id not in (None, artifact.project_id):
            raise HarborError("NOT_FOUND", f"label {label_id} not found in the project or among the global ones")
        if not Artifact.objects.select_for_update(no_key=True).filter(pk=artifact.pk).exists():
            raise HarborError("NOT_FOUND", f"artifact {artifact.digest} not found")
        _, is_new = ArtifactLabel.objects.get_or_create(artifact_id=artifact.pk, label=label)
        if not is_new:
            raise HarborError("CONFLICT", f"label {label.name} is on the artifact already")
        visibility.changed(repository.pk)
        _audit_artifact(actor, "create", repository, artifact, label.name)
        audit.emit(
            actor,
            "ARTIFACT_LABELED",
            project_id=repository.project_id,
            repository=repository.name,
            digest=artifact.digest,
            label=label.name,
        )


def remove(actor: Actor, artifact: Artifact, label_id: int) -> None:
    """Take a label off an artifact. Raises NOT_FOUND."""
    repository = artifact.repository
    with transaction.atomic():
        row = ArtifactLabel.objects.filter(artifact_id=artifact.pk, label_id=label_id).select_related("label").first()
        if row is None or not ArtifactLabel.objects.filter(pk=row.pk).delete()[0]:
            raise HarborError("NOT_FOUND", f"label {label_id} is not on the artifact")
        visibility.changed(repository.pk)
        _audit_artifact(actor, "delete", repository, artifact, row.label.name)


@contextmanager
def _unique(name: str) -> Iterator[None]:
    """One label of a name per scope: who is second gets CONFLICT."""
    try:
        yield
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"there is a label called {name} already") from exc


def _locked(label_id: int) -> Label:
    label = Label.objects.select_for_update().filter(pk=label_id).first()
    if label is None:
        raise HarborError("NOT_FOUND", f"label {label_id} not found")
    return label


def _check(name: str, description: str, color: str) -> None:
    if not name.strip() or len(name) > NAME_MAX:
        raise HarborError("BAD_REQUEST", f"a label needs a name of at most {NAME_MAX} characters")
    if len(description) > DESCRIPTION_MAX:
        raise HarborError("BAD_REQUEST", f"the description of a label has at most {DESCRIPTION_MAX} characters")
    if not _COLOUR.fullmatch(color):
        raise HarborError("BAD_REQUEST", "a color is written like #0065AB, or is the name of one")


def _audit(actor: Actor, operation: str, label: Label) -> None:
    audit.record(actor, operation, "label", label.name, project_id=label.project_id)


def _audit_artifact(actor: Actor, operation: str, repository: Repository, artifact: Artifact, label: str) -> None:
    reference = f"{repository.name}@{artifact.digest}"
    description = f"{operation} label {label} of {reference}"
    audit.record(
        actor, operation, "artifact-label", reference, project_id=repository.project_id, description=description
    )
