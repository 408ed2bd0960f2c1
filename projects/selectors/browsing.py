"""Lists for people: projects, repositories, tags and artifacts, with the figures shown beside them.

A list is a queryset; the figures of one page are read for all its rows at once, so that a page costs a constant number
of queries. Counts that have to walk rows are kept in the cache under the repository's revision.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber, Substr

from auth.actor import Actor
from projects import access
from projects.models import (
    Accessory,
    Artifact,
    ArtifactLabel,
    ArtifactReference,
    Member,
    Project,
    Repository,
    Tag,
)
from projects.selectors.quotas import with_usage

COUNT_CACHE_SECONDS = 24 * 3600
SHOWN_TAGS = 4


def _text(value: str) -> str:
    """PostgreSQL refuses NUL in a string; a name never holds one."""
    return value.replace("\0", "")


def project_list(actor: Actor, *, name: str = "", public: bool | None = None, mine: bool = False) -> QuerySet[Project]:
    """``mine``: only those where the actor has a role, by name or through a group."""
    projects = access.visible_projects(actor)
    if mine:
        member = Q(user_id=actor.user_id or 0) | Q(group__groupmembership__user_id=actor.user_id or 0)
        projects = projects.filter(pk__in=Member.objects.filter(member).values("project_id"))
    if name:
        projects = projects.filter(name__icontains=_text(name))
    return projects if public is None else projects.filter(public=public)


def storage_used(project_ids: Iterable[int]) -> dict[int, int]:
    """Bytes used by each of some projects; one query whatever their number."""
    ids = list(project_ids)
    found = with_usage().filter(project_id__in=ids)
    used = dict(found.values_list("project_id", "total"))  # type: ignore[misc]  # total is annotated
    return {pk: used.get(pk, 0) for pk in ids}


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


@dataclass(frozen=True, slots=True)
class Facets:
    """What artifacts are narrowed down to: a label's id, a type, ``tagged`` or not, a platform as ``os/architecture``
    (of an index: one of its entries)."""

    label: int | None = None
    type: str = ""
    tagged: bool | None = None
    platform: str = ""

    def __bool__(self) -> bool:
        return self != Facets()

    def condition(self, prefix: str = "") -> Q:
        """For artifacts, or with ``prefix`` for rows that lead to one."""
        found = Q()
        artifact = OuterRef(f"{prefix}pk" if prefix else "pk")
        if self.label is not None:
            found &= Q(Exists(ArtifactLabel.objects.filter(artifact=artifact, label_id=self.label)))
        if self.type:
            found &= Q(**{f"{prefix}type": self.type})
        if self.tagged is not None:
            tagged = Q(Exists(Tag.objects.filter(artifact=artifact)))
            found &= tagged if self.tagged else ~tagged
        if self.platform:
            system, _, architecture = self.platform.partition("/")
            own = {f"{prefix}extra_attrs__os": system, f"{prefix}extra_attrs__architecture": architecture}
            entries = ArtifactReference.objects.filter(parent=artifact, platform__os=system)
            found &= Q(**own) | Q(Exists(entries.filter(platform__architecture=architecture)))
        return found


def tag_list(repository: Repository, *, name: str = "", facets: Facets = Facets()) -> QuerySet[Tag]:
    """Each with its artifact, without the manifest's bytes."""
    tags = Tag.objects.filter(facets.condition("artifact__"), repository=repository)
    tags = tags.select_related("artifact").defer("artifact__manifest")
    return tags.filter(name__icontains=_text(name)) if name else tags


def tag_count(repository: Repository) -> int:
    """Tags of the repository; no query when nothing changed since the last count."""
    return count_of(repository, Tag.objects.filter(repository=repository))


def count_of(repository: Repository, rows: QuerySet[Any]) -> int:
    """How many of these tags or artifacts of the repository there are; no query when nothing changed since the last
    count. Conditions on what changes without a new revision, such as the time of a pull, have no place here."""
    try:
        statement = repr(rows.order_by().query.sql_with_params())
    except EmptyResultSet:
        return 0
    key = f"rows:{repository.pk}:{repository.revision}:{hashlib.sha256(statement.encode()).hexdigest()}"
    count = cache.get(key)
    if count is None:
        count = rows.count()
        cache.set(key, count, COUNT_CACHE_SECONDS)
    return int(count)


def artifact_list(repository: Repository, *, tag: str = "", facets: Facets = Facets()) -> QuerySet[Artifact]:
    """What listings show: tagged artifacts, and untagged ones that belong to nothing else."""
    artifacts = Artifact.objects.filter(facets.condition(), repository=repository, listed=True).defer("manifest")
    if tag:
        named = Tag.objects.filter(repository=repository, name__icontains=_text(tag))
        artifacts = artifacts.filter(pk__in=named.values("artifact_id"))
    return artifacts


def every_artifact(repository: Repository) -> QuerySet[Artifact]:
    """Children of an index and accessories included."""
    return Artifact.objects.filter(repository=repository).defer("manifest")


def artifact_find(repository: Repository, digest: str) -> Artifact | None:
    """Any artifact of the repository, children of an index and accessories included."""
    return Artifact.objects.filter(repository=repository, digest=digest).first()


def stored_digests(repository: Repository, digests: Iterable[str]) -> set[str]:
    """Those of some digests that are in the repository."""
    found = Artifact.objects.filter(repository=repository, digest__in=[digest for digest in digests if digest])
    return set(found.values_list("digest", flat=True))


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


def newest_tags(artifact: Artifact, limit: int) -> list[Tag]:
    return list(Tag.objects.filter(artifact=artifact).order_by("-push_time", "-pk")[:limit])


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


def accessories_of(artifact: Artifact, limit: int) -> tuple[list[Accessory], int]:
    """The newest signatures, SBOMs and whatever else names the artifact as its subject, and how many there are."""
    accessories = Accessory.objects.filter(subject=artifact)
    newest = accessories.select_related("artifact").defer("artifact__manifest").order_by("-pk")
    shown = list(newest[: limit + 1])
    return shown[:limit], len(shown) if len(shown) <= limit else accessories.count()
