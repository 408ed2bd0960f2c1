"""What a deletion would take along, and what keeps it from happening: for the page that asks first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

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
from projects.selectors.immutability import rules_of

NAMED = 5  # so many are called by name, the others are counted
COUNTED = 1000  # and no more than so many: asking about a million costs no more


@dataclass(frozen=True, slots=True)
class Names:
    """The first few of some names, and how many there are, COUNTED + 1 where there are more than COUNTED."""

    first: tuple[str, ...] = ()
    total: int = 0

    @property
    def more(self) -> int:
        return self.total - len(self.first)


@dataclass(frozen=True, slots=True)
class Loss:
    """Numbers end at COUNTED + 1, which stands for all above. ``freed`` bytes no other artifact of the project needs,
    None where so many are not looked at. ``immutable`` tags and ``parts`` (digests that an index names) cannot go;
    ``may_keep``: a rule may keep more of the tags than were looked at."""

    repositories: int = 0
    artifacts: int = 0
    tags: Names = Names()
    accessories: int = 0
    freed: int | None = 0
    immutable: Names = Names()
    parts: Names = Names()
    may_keep: bool = False


def of_repositories(project: Project, repositories: QuerySet[Repository]) -> Loss:
    ids = repositories.order_by().values("pk")
    inside = Artifact.objects.filter(project=project, repository__in=ids)
    return Loss(
        repositories=_number(repositories),
        artifacts=_number(inside.filter(listed=True)),
        accessories=_number(Accessory.objects.filter(repository__in=ids)),
        freed=_freed(project, inside),
        **_tags(project, Tag.objects.filter(repository__in=ids)),
    )


def of_artifacts(project: Project, artifacts: QuerySet[Artifact]) -> Loss:
    """Children of an index that go along with it are part of ``freed``, like accessories. Of more than COUNTED
    artifacts nothing is said but that."""
    chosen = list(artifacts.order_by().values_list("pk", "digest")[: COUNTED + 1])
    if len(chosen) > COUNTED:
        return Loss(artifacts=len(chosen), freed=None, may_keep=bool(rules_of(project.pk).pairs))
    ids = [pk for pk, _ in chosen]
    attached = Artifact.objects.filter(accessory__subject__in=ids)
    children = Artifact.objects.filter(parents__parent__in=ids, tags__isnull=True)
    named = set(ArtifactReference.objects.filter(child__in=ids).values_list("child_id", flat=True))
    return Loss(
        artifacts=len(ids),
        accessories=_number(attached),
        freed=_freed(project, Artifact.objects.filter(pk__in=ids), attached, children),
        parts=_names([digest for pk, digest in sorted(chosen) if pk in named]),
        **_tags(project, Tag.objects.filter(artifact__in=ids)),
    )


def of_tags(project: Project, tags: QuerySet[Tag]) -> Loss:
    """Tags only: what they point to stays."""
    return Loss(**_tags(project, tags))


def _number(rows: QuerySet[Any]) -> int:
    return rows.order_by().values("pk")[: COUNTED + 1].count()


def _names(found: Iterable[str]) -> Names:
    names = list(found)
    return Names(tuple(names[:NAMED]), len(names))


def _tags(project: Project, tags: QuerySet[Tag]) -> dict[str, Any]:
    """``tags``, ``immutable`` and ``may_keep`` of a Loss. Which ones are immutable is looked up where the project has
    rules, among as many as are counted."""
    found = list(tags.order_by().values_list("repository__name", "name")[: COUNTED + 1])
    loss: dict[str, Any] = {"tags": _names(sorted(name for _, name in found))}
    rules = rules_of(project.pk)
    if not rules.pairs:
        return loss
    grouped: dict[str, list[str]] = {}
    for repository, name in found:
        grouped.setdefault(repository, []).append(name)
    kept = [f"{place}:{name}" for place, names in grouped.items() for name in rules.protected(place, names)]
    return loss | {"immutable": _names(sorted(kept)), "may_keep": len(found) > COUNTED}


def _freed(project: Project, *parts: QuerySet[Artifact]) -> int | None:
    """Bytes of the blobs that nothing else in the project names; None where it would take long to say."""
    ids: set[int] = set()
    for part in parts:
        ids.update(part.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    if len(ids) > COUNTED:
        return None
    named = ArtifactBlob.objects.filter(artifact__in=ids).order_by().values("blob_id")
    here = dict(named.annotate(names=Count("pk")).values_list("blob_id", "names"))
    kept = ProjectBlob.objects.filter(project=project, blob__in=list(here)).order_by()
    rows = kept.values_list("blob_id", "refs", "blob__size")
    return sum(size or 0 for pk, refs, size in rows if refs <= here[pk])
