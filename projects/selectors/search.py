"""The search over everything one may see: projects, repositories, tags, digests. A few hits of each kind."""

import re
from dataclasses import dataclass

from auth.actor import Actor
from projects import access
from projects.models import Artifact, Project, Repository, Tag

LIMIT, SHORTEST = 10, 2
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


@dataclass(frozen=True, slots=True)
class Hits:
    """At most LIMIT of each, by name; ``tags`` with repository and artifact, ``artifacts`` with repository."""

    projects: list[Project]
    repositories: list[Repository]
    tags: list[Tag]
    artifacts: list[Artifact]

    def __bool__(self) -> bool:
        return bool(self.projects or self.repositories or self.tags or self.artifacts)


NOTHING = Hits([], [], [], [])


def search(actor: Actor, text: str) -> Hits:
    """Names of projects and repositories hold ``text``, names of tags begin with it; ``repository:tag`` finds the tag
    there; a digest is found by 6 of its digits. Four queries, three for what cannot be a digest."""
    text = text.replace("\0", "").strip()
    if len(text) < SHORTEST:
        return NOTHING
    projects = access.visible_projects(actor).filter(name__icontains=text).order_by("name")[:LIMIT]
    repositories = Repository.objects.filter(
        project__in=access.visible_projects(actor, "repository:list").values("pk"), name__icontains=text
    )
    return Hits(
        list(projects),
        list(repositories.select_related("project").order_by("name")[:LIMIT]),
        _tags(actor, text),
        _artifacts(actor, text.lower()),
    )


def _tags(actor: Actor, text: str) -> list[Tag]:
    repository, colon, name = text.rpartition(":")
    visible = access.visible_projects(actor, "tag:list").values("pk")
    tags = Tag.objects.filter(repository__project__in=visible, name__startswith=name if colon else text)
    if colon:
        tags = tags.filter(repository__name__icontains=repository)
    found = tags.select_related("repository__project", "artifact").defer("artifact__manifest")
    return list(found.order_by("name", "pk")[:LIMIT])


def _artifacts(actor: Actor, text: str) -> list[Artifact]:
    match = _DIGEST.fullmatch(text)
    if match is None:
        return []
    visible = access.visible_projects(actor, "artifact:list").values("pk")
    artifacts = Artifact.objects.filter(project__in=visible, digest__startswith=f"sha256:{match[1]}")
    return list(artifacts.select_related("repository__project").defer("manifest").order_by("digest", "pk")[:LIMIT])
