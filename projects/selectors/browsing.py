"""Lists for people: projects, repositories, tags and artifacts, with the figures shown beside them.

A list is a queryset; the figures of one page are read for all its rows at once, so that a page costs a constant number
of queries. Counts that have to walk rows are kept in the cache under the repository's revision.
"""

from collections.abc import Iterable
from typing import Any

from django.core.cache import cache
from django.db.models import Count, F, QuerySet, Sum, Window
from django.db.models.functions import RowNumber, Substr

from auth.actor import Actor
from projects import access
from projects.models import (
    Accessory,
    Artifact,
    ArtifactReference,
    Project,
    Quota,
    QuotaDelta,
    Repository,
    Tag,
)

COUNT_CACHE_SECONDS = 24 * 3600
SHOWN_TAGS = 4


def _text(value: str) -> str:
    """PostgreSQL refuses NUL in a string; a name never holds one."""
    return value.replace("\0", "")


def project_list(actor: Actor, *, name: str = "", public: bool | None = None) -> QuerySet[Project]:
    projects = access.visible_projects(actor)
    if name:
        projects = projects.filter(name__icontains=_text(name))
    return projects if public is None else projects.filter(public=public)


def storage_used(project_ids: Iterable[int]) -> dict[int, int]:
    """Bytes used by each of some projects; two queries whatever their number."""
    ids = list(project_ids)
    used = dict(Quota.objects.filter(project_id__in=ids).values_list("project_id", "used"))
    deltas = dict(
        QuotaDelta.objects.filter(project_id__in=ids).values_list("project_id").annotate(Sum("size")).order_by()
    )
    return {pk: used.get(pk, 0) + deltas.get(pk, 0) for pk in ids}


def repository_list(project: Project, *, name: str = "") -> QuerySet[Repository]:
    """``name`` is looked for behind the project's name, which every full name begins with."""
    repositories = Repository.objects.filter(project=project)
    if not name:
        return repositories
    own_name = Substr("name", len(project.name) + 2)
    return repositories.alias(own_name=own_name).filter(own_name__icontains=_text(name))


def repository_find(project: Project, name: str) -> Repository | None:
    """By the name inside the project (``app`` or ``team/app``)."""
    return Repository.objects.filter(project=project, name=f"{project.name}/{_text(name)}").first()


def artifact_counts(repositories: Iterable[Repository]) -> dict[int, int]:
    """Listed artifacts by repository id: one query for those that changed since they were counted, else none."""
    keys = {f"artifacts:{item.pk}:{item.revision}": item.pk for item in repositories}
    if not keys:
        return {}
    known = cache.get_many(list(keys))
    counts = {keys[key]: value for key, value in known.items()}
    missing = {key: pk for key, pk in keys.items() if key not in known}
    if missing:
        rows = Artifact.objects.filter(repository_id__in=missing.values(), listed=True)
        found = dict(rows.values_list("repository_id").annotate(Count("pk")).order_by())
        fresh = {key: found.get(pk, 0) for key, pk in missing.items()}
        cache.set_many(fresh, COUNT_CACHE_SECONDS)
        counts |= {missing[key]: value for key, value in fresh.items()}
    return counts


def tag_list(repository: Repository, *, name: str = "") -> QuerySet[Tag]:
    """Each with its artifact, without the manifest's bytes."""
    tags = Tag.objects.filter(repository=repository).select_related("artifact").defer("artifact__manifest")
    return tags.filter(name__icontains=_text(name)) if name else tags


def tag_count(repository: Repository) -> int:
    """Tags of the repository; no query when nothing changed since the last count."""
    key = f"tags:{repository.pk}:{repository.revision}"
    count = cache.get(key)
    if count is None:
        count = Tag.objects.filter(repository=repository).count()
        cache.set(key, count, COUNT_CACHE_SECONDS)
    return count


def artifact_list(repository: Repository, *, tag: str = "") -> QuerySet[Artifact]:
    """What listings show: tagged artifacts, and untagged ones that belong to nothing else."""
    artifacts = Artifact.objects.filter(repository=repository, listed=True).defer("manifest")
    if tag:
        named = Tag.objects.filter(repository=repository, name__icontains=_text(tag))
        artifacts = artifacts.filter(pk__in=named.values("artifact_id"))
    return artifacts


def artifact_find(repository: Repository, digest: str) -> Artifact | None:
    """Any artifact of the repository, children of an index and accessories included."""
    return Artifact.objects.filter(repository=repository, digest=digest).first()


def tags_of(artifact_ids: Iterable[int]) -> dict[int, tuple[list[str], int]]:
    """Artifact id -> (the newest SHOWN_TAGS tag names, how many there are). One query."""
    ranked = Tag.objects.filter(artifact_id__in=list(artifact_ids)).annotate(
        rank=Window(RowNumber(), partition_by="artifact_id", order_by=[F("push_time").desc(), F("pk").desc()]),
        total=Window(Count("*"), partition_by="artifact_id"),
    )
    found: dict[int, tuple[list[str], int]] = {}
    for artifact_id, name, total in (
        ranked.filter(rank__lte=SHOWN_TAGS).order_by("artifact_id", "rank").values_list("artifact_id", "name", "total")
    ):
        found.setdefault(artifact_id, ([], total))[0].append(name)
    return found


def platforms_of(artifact_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Index id -> the platforms it names, in its order. One query."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = ArtifactReference.objects.filter(parent_id__in=list(artifact_ids)).order_by("parent_id", "position")
    for parent_id, platform in rows.values_list("parent_id", "platform"):
        found.setdefault(parent_id, []).append(platform)
    return found


def children_of(artifact: Artifact) -> list[ArtifactReference]:
    """Entries of an index in its order, each with its child (None where it is not stored here)."""
    references = ArtifactReference.objects.filter(parent=artifact).select_related("child").defer("child__manifest")
    return list(references.order_by("position"))


def parents_of(artifact: Artifact) -> list[Artifact]:
    """Indexes that name the artifact."""
    return list(Artifact.objects.filter(references__child=artifact).defer("manifest").distinct().order_by("-pk"))


def accessories_of(artifact: Artifact) -> list[Accessory]:
    """Signatures, SBOMs and whatever else names the artifact as its subject."""
    accessories = Accessory.objects.filter(subject=artifact).select_related("artifact").defer("artifact__manifest")
    return list(accessories.order_by("-pk"))
