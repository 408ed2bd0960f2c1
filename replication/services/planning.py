"""What a policy takes of its source."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from harbor_core.lib.errors import HarborError
from projects.models import Artifact, Tag
from projects.selectors.immutability import is_referrer_tag
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor
from replication.client import RemoteError
from replication.models import ReplicationPolicy
from replication.services import local
from replication.services.charts import Charts
from replication.services.choosing import Choice, target_name
from replication.services.ends import Source, source_of
from replication.services.local import Local
from replication.services.transfer import explained

Found = tuple[str, list[str]]  # a repository and its tags, and the digests of what has none
PREVIEWED, LOOKED_AT = 50, 500  # repositories a preview shows, and asks for
PREVIEW_SECONDS = 10.0


def found(choice: Choice, source: Source, check: Callable[[], None]) -> Iterator[Found]:
    """Repositories with the tags that are taken, also those with none. ``check`` is called between them, and may raise.
    Raises RemoteError, UnhealthyError."""
    for name in _repositories(choice, source):
        check()
        if choice.takes_repository(name):
            yield name, _tags(choice, source, name)


def told(choice: Choice, only: Mapping[str, Any]) -> Found:
    """Of the tags an event told of, those that still are as it said. What is deleted has no labels to ask for: a policy
    with a label filter leaves it."""
    name, tags = only["repository"], only["tags"]
    if only.get("untagged"):
        return name, tags
    if not only["deleted"]:
        return name, sorted(tag for tag in _local_tags(choice, name, tags) if choice.takes_tag(tag))
    if choice.labels:
        return name, []
    again = set(_local_tags(Choice(()), name, tags))
    return name, [tag for tag in tags if choice.takes_tag(tag) and tag not in again]


def _repositories(choice: Choice, source: Source) -> Iterator[str]:
    if choice.exact_name:
        return iter([choice.exact_name])
    if isinstance(source, Local):
        return local.repositories()
    if isinstance(source, Charts):
        return source.repositories()
    return source.adapter.repositories() if isinstance(source.adapter, Harbor) else source.repositories()


def _tags(choice: Choice, source: Source, name: str) -> list[str]:
    if isinstance(source, Local):
        return _taken_tags(choice, _local_tags(choice, name)) + _local_untagged(choice, name)
    if isinstance(source, Charts):
        taken = choice.takes_labels(()) and choice.takes_kind("CHART")
        return _taken_tags(choice, source.tags(name)) if taken else []
    if not isinstance(source.adapter, Harbor):
        return _taken_tags(choice, source.tags(name)) if choice.takes_labels(()) and choice.takes_kind("") else []
    taken_artifacts = [
        artifact
        for artifact in source.adapter.artifacts(name)
        if choice.takes_labels(artifact.labels) and choice.takes_kind(artifact.kind)
    ]
    untagged = [artifact.digest for artifact in taken_artifacts if not artifact.tags and choice.takes_untagged]
    return _taken_tags(choice, (tag for artifact in taken_artifacts for tag in artifact.tags)) + sorted(untagged)


def _taken_tags(choice: Choice, tags: Iterable[str]) -> list[str]:
    return sorted(tag for tag in set(tags) if not is_referrer_tag(tag) and choice.takes_tag(tag))


def _local_untagged(choice: Choice, name: str) -> list[str]:
    """Digests of what is listed without a tag."""
    if not choice.takes_untagged:
        return []
    rows = Artifact.objects.filter(repository__name=name, repository__project__deleted=False, listed=True, tags=None)
    taken = _of_resource(choice, rows, "type").defer("manifest").prefetch_related("labels__label")
    return sorted(row.digest for row in taken if choice.takes_labels({each.label.name for each in row.labels.all()}))


def _of_resource(choice: Choice, rows: QuerySet[Any], kind: str) -> QuerySet[Any]:
    if not choice.resource:
        return rows
    image = Q(**{kind: "IMAGE"})
    return rows.filter(image if choice.resource == "image" else ~image)


def _local_tags(choice: Choice, name: str, among: Sequence[str] = ()) -> list[str]:
    rows = Tag.objects.filter(repository__name=name, repository__project__deleted=False)
    if among:
        rows = rows.filter(name__in=among)
    rows = _of_resource(choice, rows, "artifact__type")
    taken = rows.select_related("artifact").defer("artifact__manifest").prefetch_related("artifact__labels__label")
    return [tag.name for tag in taken if choice.takes_labels({each.label.name for each in tag.artifact.labels.all()})]


# ---------------------------------------------------------------------- preview
@dataclass(frozen=True, slots=True)
class Taken:
    """One repository a run would copy, and what it would be called at the other end; or why it could not be."""

    name: str
    tags: list[str]
    target: str = ""
    problem: str = ""


@dataclass(slots=True)
class Preview:
    """``partial``: there may be more. ``problem``: the source could not be asked to the end."""

    rows: list[Taken] = field(default_factory=list)
    partial: bool = False
    problem: str = ""


class _EnoughError(Exception):
    """The preview has looked long enough."""


def preview(policy: ReplicationPolicy) -> Preview:
    """What a run would copy now, as far as some seconds and :data:`PREVIEWED` repositories go. Nothing is written."""
    shown, deadline, looked = Preview(), time.monotonic() + PREVIEW_SECONDS, 0

    def check() -> None:
        nonlocal looked
        looked += 1
        if looked > LOOKED_AT or time.monotonic() > deadline:
            raise _EnoughError

    def sleep(seconds: float) -> None:
        if time.monotonic() + seconds > deadline:
            raise RemoteError("the registry is busy or does not answer")
        time.sleep(seconds)

    try:
        with source_of(policy, sleep, PREVIEW_SECONDS) as source:
            for name, tags in found(Choice(policy.filters), source, check):
                if tags:
                    shown.rows.append(_taken(policy, name, tags))
                shown.partial = len(shown.rows) == PREVIEWED
                if shown.partial:
                    break
    except _EnoughError:
        shown.partial = True
    except (RemoteError, UnhealthyError, HarborError) as exc:
        shown.problem = explained(exc)
    return shown


def _taken(policy: ReplicationPolicy, name: str, tags: list[str]) -> Taken:
    try:
        return Taken(name, tags, target_name(name, policy.dest_namespace, policy.replace_count))
    except HarborError as exc:
        return Taken(name, tags, problem=exc.message)
