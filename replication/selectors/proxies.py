"""Proxy caches as pages show them."""

from collections.abc import Iterable

from django.db.models import OuterRef, Q, Subquery

from projects.models import Project, Tag
from replication.models import Registry, UpstreamTag

_DOUBTFUL = Q(stale_since__isnull=False) | Q(gone_since__isnull=False)


def upstream_of(project: Project) -> Registry | None:
    """What a proxy project is a cache of."""
    return Registry.objects.filter(pk=project.registry_id or 0).first()


def doubtful_tags(project_id: int, repository: str, tags: Iterable[str]) -> dict[str, UpstreamTag]:
    """Of these tags those whose upstream could not be asked lately, or does not have them any more."""
    rows = UpstreamTag.objects.filter(project_id=project_id, repository_name=repository, name__in=list(tags))
    return {row.name: row for row in rows.filter(_DOUBTFUL)}


def doubtful_artifacts(project_id: int, repository: str, artifacts: Iterable[int]) -> dict[int, UpstreamTag]:
    """Of these artifacts (ids) those with such a tag, each with one of them: with one that is gone, if there is one."""
    rows = UpstreamTag.objects.filter(_DOUBTFUL, project_id=project_id, repository_name=repository)
    named = Tag.objects.filter(repository__name=repository, name=OuterRef("name"), artifact_id__in=list(artifacts))
    marked = rows.annotate(artifact_id=Subquery(named.values("artifact_id")[:1])).filter(artifact_id__isnull=False)
    return {row.artifact_id: row for row in sorted(marked, key=lambda row: row.gone_since is not None)}
