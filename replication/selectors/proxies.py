"""Proxy caches as pages show them."""

from collections.abc import Iterable

from django.db.models import Q

from projects.models import Project
from replication.models import Registry, UpstreamTag


def upstream_of(project: Project) -> Registry | None:
    """What a proxy project is a cache of."""
    return Registry.objects.filter(pk=project.registry_id or 0).first()


def doubtful_tags(project_id: int, repository: str, tags: Iterable[str]) -> dict[str, UpstreamTag]:
    """Of these tags those whose upstream could not be asked lately, or does not have them any more."""
    rows = UpstreamTag.objects.filter(project_id=project_id, repository_name=repository, name__in=list(tags))
    doubtful = Q(stale_since__isnull=False) | Q(gone_since__isnull=False)
    return {row.name: row for row in rows.filter(doubtful)}
