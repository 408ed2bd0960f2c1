"""Labels as the REST API shows them: global ones, and those of a project (contract 1.8)."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import Fuzzy
from projects.models import ArtifactLabel, Label

FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "description": Field("description"),
    "color": Field("color"),
    "project_id": Field("project_id", whole),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def label_list(project_id: int | None, listing: Listing, *, name: str = "") -> Page[Label]:
    """Of a project, or for None the global ones; ``name`` is a part of it."""
    scope = Q(project_id=project_id) if project_id is not None else Q(project__isnull=True)
    labels = apply_filter(Label.objects.filter(scope), listing.query, FIELDS)
    if name:
        labels = labels.filter(FIELDS["name"].condition(Fuzzy(name)))
    return paginate(apply_sort(labels, listing.sort, FIELDS, ["name"]), listing)  # one of a name per scope


def labels_for(project_id: int, limit: int = 200) -> list[Label]:
    """Labels that artifacts of the project can have: its own and the global ones, by name."""
    usable = Label.objects.filter(Q(project_id=project_id) | Q(project__isnull=True))
    return list(usable.order_by("name", "pk")[:limit])


def label_find(label_id: int) -> Label | None:
    return Label.objects.filter(pk=label_id).first()


def labels_of(artifact_ids: Iterable[int]) -> dict[int, list[Label]]:
    """Artifact id -> its labels in the order they were put on. One query."""
    found: dict[int, list[Label]] = defaultdict(list)
    rows = ArtifactLabel.objects.filter(artifact_id__in=list(artifact_ids)).select_related("label")
    for row in rows.order_by("artifact_id", "pk"):
        found[row.artifact_id].append(row.label)
    return found


def labels_in(project_id: int | None, *, name: str = "") -> QuerySet[Label]:
    """Of a project, or for None the global ones."""
    labels = Label.objects.filter(project_id=project_id) if project_id else Label.objects.filter(project__isnull=True)
    return labels.filter(name__icontains=name) if name else labels


def uses_of(label_ids: Iterable[int]) -> dict[int, int]:
    """Label id -> on how many artifacts it is. One query."""
    rows = ArtifactLabel.objects.filter(label_id__in=list(label_ids)).values_list("label_id")
    return dict(rows.annotate(Count("pk")).order_by())
