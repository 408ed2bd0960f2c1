"""What lies in the trash of a project."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import AllOf, AnyOf, Condition, Exact, Fuzzy
from projects.models import ArtifactBlob, TrashedArtifact, TrashedBlob

FIELDS = {
    "id": Field("id", whole),
    "repository_name": Field("repository_name"),
    "digest": Field("digest"),
    "type": Field("type"),
    "operator": Field("operator"),
    "size": Field("size", whole),
    "push_time": Field("push_time", time),
    "deleted_at": Field("deleted_at", time),
    "expires_at": Field("expires_at", time),
}
ORDER = ["-deleted_at", "-pk"]


def trash_list(project_id: int, listing: Listing) -> Page[TrashedArtifact]:
    """What was deleted, the last first. What went along with it has no line of its own: ``companion_count`` says how
    much that is."""
    rows = deleted_artifacts(project_id)
    if "tags" in listing.query:
        rows = _tagged(rows, listing.query["tags"])
    rows = apply_filter(rows, listing.query, FIELDS)
    return paginate(apply_sort(rows, listing.sort, FIELDS, ORDER), listing)


def deleted_artifacts(project_id: int, *, name: str = "", repository: str = "") -> QuerySet[TrashedArtifact]:
    """As :func:`trash_list`, to be sorted and cut. ``name`` is part of a repository's name, of a digest or of a tag;
    ``repository`` is a full name."""
    along = TrashedArtifact.objects.filter(root=OuterRef("pk")).order_by().values("root")
    counted = Coalesce(Subquery(along.annotate(number=Count("pk")).values("number")), 0)
    rows = TrashedArtifact.objects.filter(project_id=project_id, root=None).defer("manifest")
    if repository:
        rows = rows.filter(repository_name=repository)
    if part := name.replace("\0", ""):
        rows = rows.alias(tag_text=Cast("tags", TextField())).filter(
            Q(repository_name__icontains=part) | Q(digest__startswith=part) | Q(tag_text__icontains=part)
        )
    return rows.annotate(companion_count=counted)


@dataclass(frozen=True, slots=True)
class Held:
    """What the trash of a project holds: artifacts as they were deleted, bytes that only the trash keeps in storage,
    and when the next of it goes for good."""

    project_id: int
    project_name: str
    artifacts: int
    size: int
    next_expiry: datetime | None


def held(project_id: int | None = None) -> list[Held]:
    """Per project with anything in the trash, most first; two queries."""
    rows = TrashedArtifact.objects.filter(project__deleted=False)
    only = TrashedBlob.objects.filter(~Exists(ArtifactBlob.objects.filter(blob=OuterRef("blob"))))
    if project_id is not None:
        rows, only = rows.filter(project_id=project_id), only.filter(trashed__project_id=project_id)
    sizes: dict[int, int] = defaultdict(int)
    blobs = only.order_by().values_list("trashed__project_id", "blob_id", "blob__size").distinct()
    for project, _, size in blobs:
        sizes[project] += size or 0
    counted = rows.order_by().values_list("project_id", "project__name")
    found = [
        Held(pk, name, number, sizes[pk], expiry)
        for pk, name, number, expiry in counted.annotate(
            number=Count("pk", filter=Q(root=None)), expiry=Min("expires_at")
        )
    ]
    return sorted(found, key=lambda item: (-item.size, item.project_name))


def _tagged(rows: QuerySet[TrashedArtifact], condition: Condition) -> QuerySet[TrashedArtifact]:
    """``*`` any tag, ``nil`` none, else names. The list is looked through as text: SQLite has nothing better."""
    rows = rows.alias(tag_text=Cast("tags", TextField()))
    match condition:
        case Exact("*"):
            return rows.exclude(tags=[])
        case Exact("nil"):
            return rows.filter(tags=[])
        case Exact(name):
            return rows.filter(_names(name))
        case Fuzzy(part):
            return rows.filter(tag_text__icontains=part)
        case AnyOf(names):
            return rows.filter(reduce(or_, map(_names, names), Q(pk__in=[])))
        case AllOf(names):
            return rows.filter(reduce(and_, map(_names, names), Q()))
    raise HarborError("BAD_REQUEST", "invalid query: tags is a name, ~part, {a b} or (a b)")


def _names(tag: str) -> Q:
    return Q(tag_text__regex=re.escape(f'"{tag}"'))
