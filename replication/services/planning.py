"""What a policy takes of its source."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from harbor_core.lib.errors import HarborError
from projects.models import Tag
from projects.selectors.immutability import is_referrer_tag
from replication.adapters import adapter
from replication.adapters.base import UnhealthyError
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.harbor import Harbor
from replication.client import Client, RemoteError
from replication.models import Registry, ReplicationPolicy
from replication.selectors.registries import endpoint_of
from replication.services import local
from replication.services.choosing import Choice, target_name
from replication.services.local import Local
from replication.services.transfer import explained

Found = tuple[str, list[str]]  # a repository and its tags
PREVIEWED, LOOKED_AT = 50, 500  # repositories a preview shows, and asks for
PREVIEW_SECONDS = 10.0


def remote(registry: Registry) -> DockerRegistry:
    """Its adapter. Raises HarborError for a kind that cannot be copied from or to."""
    found = adapter(registry.type, endpoint_of(registry))
    if not isinstance(found, DockerRegistry):
        raise HarborError("BAD_REQUEST", f"registries of type {registry.type} take no part in replication")
    return found


def found(choice: Choice, source: Client | Local | None, check: Callable[[], None]) -> Iterator[Found]:
    """Repositories with the tags that are taken, also those with none. A source of None is this registry, where only
    the database is asked. ``check`` is called between them, and may raise. Raises RemoteError, UnhealthyError."""
    for name in _repositories(choice, source):
        check()
        if choice.takes_repository(name):
            yield name, _tags(choice, source, name)


def told(choice: Choice, only: Mapping[str, Any]) -> Found:
    """Of the tags an event told of, those that still are as it said. What is deleted has no labels to ask for: a policy
    with a label filter leaves it."""
    name, tags = only["repository"], only["tags"]
    if not only["deleted"]:
        return name, sorted(tag for tag in _local_tags(choice, name, tags) if choice.takes_tag(tag))
    if choice.labels:
        return name, []
    again = set(_local_tags(Choice(()), name, tags))
    return name, [tag for tag in tags if choice.takes_tag(tag) and tag not in again]


def _repositories(choice: Choice, source: Client | Local | None) -> Iterator[str]:
    if choice.exact_name:
        return iter([choice.exact_name])
    if not isinstance(source, Client):
        return local.repositories()
    return source.adapter.repositories() if isinstance(source.adapter, Harbor) else source.repositories()


def _tags(choice: Choice, source: Client | Local | None, name: str) -> list[str]:
    if not isinstance(source, Client):
        rows = _local_tags(choice, name)
    elif isinstance(source.adapter, Harbor):
        rows = [
            tag
            for artifact in source.adapter.artifacts(name)
            if choice.takes_labels(artifact.labels) and choice.takes_kind(artifact.kind)
            for tag in artifact.tags
        ]
    else:
        rows = list(source.tags(name)) if choice.takes_labels(()) and choice.takes_kind("") else []
    return sorted(tag for tag in set(rows) if not is_referrer_tag(tag) and choice.takes_tag(tag))


def _local_tags(choice: Choice, name: str, among: Sequence[str] = ()) -> list[str]:
    rows = Tag.objects.filter(repository__name=name, repository__project__deleted=False)
    if among:
        rows = rows.filter(name__in=among)
    if choice.resource:
        image = Q(artifact__type="IMAGE")
        rows = rows.filter(image if choice.resource == "image" else ~image)
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

    source = None
    try:
        source = Client(remote(policy.source), sleep, stall=PREVIEW_SECONDS) if policy.source else None
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
    finally:
        if source is not None:
            source.close()
    return shown


def _taken(policy: ReplicationPolicy, name: str, tags: list[str]) -> Taken:
    try:
        return Taken(name, tags, target_name(name, policy.dest_namespace, policy.replace_count))
    except HarborError as exc:
        return Taken(name, tags, problem=exc.message)
