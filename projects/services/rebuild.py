"""The database of content anew, from what is in storage and the journal of tags (projects.services.tag_journal).

For a database that was lost without a backup, and for the volume of a plain registry:2. Everything is recorded the way
the storage audit adopts it, as if it were pushed again: repeating it, or going on after it was interrupted, is fine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from auth.actor import system_actor
from harbor_core.lib import names
from jobservice.models import StorageFinding
from projects.models import Artifact, Project, Repository, Tag
from projects.services import projects, storage_audit, storage_mend, tag_journal, tags, visibility
from projects.services.storage_audit import Found, Kind
from projects.services.storage_mend import State
from projects.services.tag_journal import Journal, JournalTag

SYSTEM = system_actor("rebuild")
TOLD = 100  # refusals that are told one by one
NOT_IN_STORAGE = (
    "accounts, groups and robots", "members of projects", "quotas, labels, retention, immutability and webhooks",
    "remote registries and replication policies", "system settings and schedules",
    "pull counts and times, audit log and history of tags", "deleted artifacts that could have been restored",
)  # fmt: skip
Note = Callable[[str], None]


@dataclass(slots=True)
class Rebuilt:
    """What was recorded, and what could not be. ``lost_tags``: their manifests are not there."""

    projects: int = 0
    blobs: int = 0
    links: int = 0
    manifests: int = 0
    tags: int = 0
    lost_tags: int = 0
    refused: list[str] = field(default_factory=list)


def rebuild(note: Note) -> Rebuilt:
    """Raises OSError, JournalError."""
    result = Rebuilt()
    journal = tag_journal.kept()
    if journal.written is None:
        note("there is no journal of tags in storage: only tags that a registry:2 linked can be restored")
    else:
        note(f"journal of tags of {journal.written:%Y-%m-%d %H:%M} UTC: {len(journal.tags)} tags")
    for name, public in journal.projects.items():
        result.projects += _project(name, public)
    _contents(result, journal)
    _tags(result, journal)
    return result


def _project(name: str, public: bool) -> bool:
    """Make the project if it is not there: private, unless the journal says that it was public."""
    if not names.is_project(name) or Project.objects.filter(name=name, deleted=False).exists():
        return False
    projects.create(SYSTEM, name, values={"public": str(public).lower()})
    return True


def _contents(result: Rebuilt, journal: Journal) -> None:
    """Blobs and links first; then manifests, those that wait for others (children of an index) again and again, for as
    long as that brings any. What then still waits may do without the children that the journal says were left out."""
    everything = timezone.now() + timedelta(days=1)  # nobody else is at work here
    for batch in storage_audit.compare_trees(everything):
        for found in batch:
            if found.kind == Kind.LINK:
                result.projects += _project_of(found.repository_name, journal)
                result.links += _adopted(found, result)
    waiting = list(_unknown_manifests(everything))
    for found in waiting:
        result.projects += _project_of(found.repository_name, journal)
    stuck = False
    while waiting:
        refused: dict[Found, str] = {}
        for found in waiting:
            lacking = journal.lacking.get((found.repository_name, found.digest), ()) if stuck else ()
            outcome = storage_mend.adopt(_finding(found), lacking)
            if outcome.state == State.ADOPTED:
                result.manifests += 1
            else:
                refused[found] = outcome.message
        if len(refused) == len(waiting) and not stuck and journal.lacking:
            stuck = True
        elif len(refused) == len(waiting):
            result.refused += [f"{found.repository_name}@{found.digest}: {why}" for found, why in refused.items()]
            break
        waiting = list(refused)
    for batch in storage_audit.compare_blobs(everything):
        for found in batch:
            if found.kind == Kind.BLOB:
                result.blobs += _adopted(found, result)


def _unknown_manifests(before: datetime) -> Iterator[Found]:
    for batch in storage_audit.compare_trees(before):
        yield from (found for found in batch if found.kind == Kind.MANIFEST)


def _project_of(repository: str, journal: Journal) -> bool:
    name = repository.partition("/")[0]
    return names.is_repository(repository) and _project(name, journal.projects.get(name, False))


def _finding(found: Found) -> StorageFinding:
    """As the audit's report would hold it; it is not stored."""
    return StorageFinding(**{name: getattr(found, name) for name in Found.__slots__})


def _adopted(found: Found, result: Rebuilt) -> bool:
    outcome = storage_mend.adopt(_finding(found))
    if outcome.state != State.ADOPTED:
        result.refused.append(f"{found.path}: {outcome.message}")
    return outcome.state == State.ADOPTED


def _tags(result: Rebuilt, journal: Journal) -> None:
    """Those of the journal, then what only links tell. A tag that is there already stays."""
    for wanted in (*journal.tags, *tag_journal.linked()):
        repository = Repository.objects.filter(name=wanted.repository).first()
        if repository is not None and Tag.objects.filter(repository=repository, name=wanted.name).exists():
            continue
        artifact = Artifact.objects.filter(repository=repository, digest=wanted.digest).first() if repository else None
        if artifact is None or not names.is_tag(wanted.name):
            result.lost_tags += 1
            if result.lost_tags <= TOLD:
                result.refused.append(f"{wanted.repository}:{wanted.name}: {wanted.digest} is not in storage")
            continue
        _tag(wanted, artifact)
        result.tags += 1


@transaction.atomic
def _tag(wanted: JournalTag, artifact: Artifact) -> None:
    tags.claim(SYSTEM, artifact.repository_id, wanted.name, artifact)
    if wanted.pushed is not None:
        Tag.objects.filter(repository_id=artifact.repository_id, name=wanted.name).update(push_time=wanted.pushed)
        Artifact.objects.filter(pk=artifact.pk, push_time__gt=wanted.pushed).update(push_time=wanted.pushed)
    visibility.refresh([artifact.pk])
    visibility.changed(artifact.repository_id)
