"""What a deletion would take along, and what keeps it from happening: for the page that asks first."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from projects.models import (
    Accessory,
    Artifact,
    ArtifactBlob,
    ArtifactReference,
    Project,
    ProjectBlob,
    Repository,
    Tag,
)
from projects.selectors.immutability import Rules, rules_of

NAMED = 5  # so many are called by name, the others are counted
COUNTED = 20_000  # artifacts whose blobs are looked at


@dataclass(frozen=True, slots=True)
class Names:
    """The first few of some names, and how many there are."""

    first: tuple[str, ...] = ()
    total: int = 0

    @property
    def more(self) -> int:
        return self.total - len(self.first)


@dataclass(frozen=True, slots=True)
class Loss:
    """``freed`` bytes no other artifact of the project needs (None: too many artifacts to say). ``immutable`` tags and
    ``parts`` (digests that an index names) cannot go."""

    repositories: int = 0
    artifacts: int = 0
    tags: Names = Names()
    accessories: int = 0
    freed: int | None = 0
    immutable: Names = Names()
    parts: Names = Names()


def of_repositories(project: Project, repositories: QuerySet[Repository]) -> Loss:
    """Constant queries; tags are read one by one only where the project has rules."""
    ids = repositories.order_by().values("pk")
    inside = Artifact.objects.filter(project=project, repository__in=ids)
    tags = Tag.objects.filter(repository__in=ids)
    return Loss(
        repositories=repositories.count(),
        artifacts=inside.filter(listed=True).count(),
        tags=_names(tags),
        accessories=Accessory.objects.filter(repository__in=ids).count(),
        freed=_freed(project, inside),
        immutable=_immutable(project, tags),
    )


def of_artifacts(project: Project, artifacts: QuerySet[Artifact]) -> Loss:
    """Children of an index that go along with it are part of ``freed``, like accessories."""
    ids = artifacts.order_by().values("pk")
    tags = Tag.objects.filter(artifact__in=ids)
    attached = Artifact.objects.filter(accessory__subject__in=ids)
    children = Artifact.objects.filter(parents__parent__in=ids, tags__isnull=True)
    everything = Artifact.objects.filter(
        Q(pk__in=ids) | Q(pk__in=attached.order_by().values("pk")) | Q(pk__in=children.order_by().values("pk"))
    )
    named = artifacts.filter(Exists(ArtifactReference.objects.filter(child=OuterRef("pk"))))
    return Loss(
        artifacts=artifacts.count(),
        tags=_names(tags),
        accessories=attached.count(),
        freed=None if _many(artifacts) else _freed(project, everything),
        immutable=_immutable(project, tags),
        parts=Names(tuple(named.order_by("pk").values_list("digest", flat=True)[:NAMED]), named.count()),
    )


def of_tags(project: Project, tags: QuerySet[Tag]) -> Loss:
    """Tags only: what they point to stays."""
    return Loss(tags=_names(tags), immutable=_immutable(project, tags))


def _names(tags: QuerySet[Tag]) -> Names:
    return Names(tuple(tags.order_by("name").values_list("name", flat=True)[:NAMED]), tags.count())


def _immutable(project: Project, tags: QuerySet[Tag]) -> Names:
    rules = rules_of(project.pk)
    if not rules.pairs:
        return Names()
    found = list(_protected(rules, tags))
    return Names(tuple(sorted(found)[:NAMED]), len(found))


def _protected(rules: Rules, tags: QuerySet[Tag]) -> Iterator[str]:
    grouped: dict[str, list[str]] = {}
    for repository, name in tags.order_by().values_list("repository__name", "name").iterator():
        grouped.setdefault(repository, []).append(name)
    for repository, names in grouped.items():
        for name in rules.protected(repository, names):
            yield f"{repository}:{name}"


def _many(artifacts: QuerySet[Artifact]) -> bool:
    return artifacts.order_by().values("pk")[: COUNTED + 1].count() > COUNTED


def _freed(project: Project, artifacts: QuerySet[Artifact]) -> int | None:
    """Bytes of the blobs that nothing else in the project names; None where it would take long to say."""
    if _many(artifacts):
        return None
    ids = artifacts.order_by().values("pk")
    named = ArtifactBlob.objects.filter(artifact__in=ids).order_by().values("blob_id")
    here = dict(named.annotate(names=Count("pk")).values_list("blob_id", "names"))
    kept = ProjectBlob.objects.filter(project=project, blob__artifacts__artifact__in=ids).distinct()
    rows = kept.order_by().values_list("blob_id", "refs", "blob__size")
    return sum(size or 0 for pk, refs, size in rows if refs <= here.get(pk, 0))
