"""Where the tags of a repository pointed, and which of them are gone."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import Artifact, Repository, TagEvent, TrashedArtifact

FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "operation": Field("operation"),
    "old_digest": Field("old_digest"),
    "new_digest": Field("new_digest"),
    "occurred_at": Field("occurred_at", time),
}


def tag_history(repository: Repository, name: str, listing: Listing) -> Page[TagEvent]:
    """Every move of one tag, the last first."""
    events = TagEvent.objects.filter(repository=repository, name=name)
    return paginate(apply_sort(apply_filter(events, listing.query, FIELDS), listing.sort, FIELDS, ["-pk"]), listing)


def deleted_tags(repository: Repository, listing: Listing) -> Page[TagEvent]:
    events = deletions_of(repository)
    return paginate(apply_sort(apply_filter(events, listing.query, FIELDS), listing.sort, FIELDS, ["-pk"]), listing)


def deletions_of(repository: Repository) -> QuerySet[TagEvent]:
    """The deletion of each tag that is gone and can be restored: its artifact is still there, or in the trash."""
    deletions = TagEvent.objects.filter(repository=repository, operation=TagEvent.Operation.DELETE)
    later = TagEvent.objects.filter(repository=repository, name=OuterRef("name"), pk__gt=OuterRef("pk"))
    alive = Artifact.objects.filter(repository=repository, digest=OuterRef("old_digest"))
    trashed = TrashedArtifact.objects.filter(
        project_id=repository.project_id, repository_name=repository.name, digest=OuterRef("old_digest")
    )
    return deletions.filter(~Exists(later), Exists(alive) | Exists(trashed))


def events_of(repository: Repository, *, name: str = "") -> QuerySet[TagEvent]:
    """Moves of all tags of a repository, or of one."""
    events = TagEvent.objects.filter(repository=repository)
    return events.filter(name=name) if name else events


def tag_event(repository: Repository, name: str, *, event_id: int = 0, digest: str = "") -> TagEvent | None:
    """The event of the tag with this id, else the last that mentions the digest, else the last that took the tag from
    an artifact."""
    events = TagEvent.objects.filter(repository=repository, name=name).order_by("-pk")
    if event_id:
        return events.filter(pk=event_id).first()
    if digest:
        return events.filter(Q(old_digest=digest) | Q(new_digest=digest)).first()
    return events.exclude(old_digest="").first()
