"""What storage cannot tell if the database is lost: which tag points to which manifest, what projects there are, and
which children an index lacks on purpose.

The journal is one object in storage, JSON lines in gzip, written anew from time to time. A bare registry:2 reads links
of tags instead, which are written on demand for whoever wants to go on with one.
"""

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from harbor_core.lib import names, storage
from projects.models import ArtifactReference, Project, Repository, Tag, TagEvent

FORMAT = 2  # what is lacking came with 2
PATH = "harbor/tags.jsonl.gz"


class JournalError(Exception):
    """A journal cannot be read; the message is meant for the operator."""


@dataclass(frozen=True, slots=True)
class JournalTag:
    repository: str
    name: str
    digest: str
    pushed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """``projects``: name -> is it public. ``written`` is None where there is no journal. ``lacking``: repository and
    digest of an index -> digests of the children that were left out of it."""

    written: datetime | None
    projects: dict[str, bool]
    tags: list[JournalTag]
    lacking: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def lines() -> Iterator[dict[str, Any]]:
    """The journal as of now, an object per line: a head, then projects, tags, and indexes without all of their
    children."""
    yield {"format": FORMAT, "written": timezone.now().isoformat()}
    projects = Project.objects.filter(deleted=False).order_by("name")
    for name, public in projects.values_list("name", "public"):
        yield {"project": name, "public": public}
    tags = Tag.objects.order_by("repository__name", "name").values_list(
        "repository__name", "name", "artifact__digest", "push_time"
    )
    for repository, name, digest, pushed in tags.iterator(chunk_size=2000):
        yield {"repository": repository, "tag": name, "digest": digest, "pushed": pushed.isoformat()}
    absent = _left_out().order_by("parent_id", "position")
    rows = absent.values_list("parent__repository__name", "parent__digest", "child_digest")
    for (repository, digest), children in groupby(rows.iterator(chunk_size=2000), key=itemgetter(0, 1)):
        yield {"repository": repository, "index": digest, "lacks": [child for _, _, child in children]}


def _left_out() -> QuerySet[ArtifactReference]:
    return ArtifactReference.objects.filter(left_out=True)


def encoded(objects: Iterable[dict[str, Any]]) -> bytes:
    memory = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, memory, mtime=0) as file:
        for item in objects:
            file.write(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return memory.getvalue()


def keep() -> int:
    """Write the journal into storage. Returns its bytes. Raises OSError."""
    data = encoded(lines())
    storage.backend().put(PATH, data)
    return len(data)


def keep_if_changed() -> int:
    """As :func:`keep`, unless no tag moved, no project changed and no index came without children since it was written
    last. Returns its bytes, 0 when it was left alone. Raises OSError."""
    written = storage.backend().modified(PATH)
    newest = [
        TagEvent.objects.order_by("-pk").values_list("occurred_at", flat=True).first(),
        Project.objects.aggregate(at=Max("update_time"))["at"],
        _left_out().aggregate(at=Max("parent__push_time"))["at"],
    ]
    # Clocks of storage and database differ, and what commits late looks older than it is.
    margin = timedelta(minutes=10)
    if written is not None and all(at is None or at + margin < written for at in newest):
        return 0
    return keep()


def kept() -> Journal:
    """The journal of storage, an empty one where there is none. Raises JournalError, OSError."""
    if storage.backend().size(PATH) is None:
        return Journal(None, {}, [])
    return decoded(storage.backend().read(PATH))


def decoded(data: bytes) -> Journal:
    """Raises JournalError."""
    written: datetime | None = None
    projects: dict[str, bool] = {}
    tags: list[JournalTag] = []
    lacking: dict[tuple[str, str], list[str]] = {}
    try:
        with gzip.open(io.BytesIO(data), "rt", encoding="utf-8") as file:
            head = json.loads(file.readline() or "{}")
            if head.get("format") not in range(1, FORMAT + 1):
                raise JournalError(f"the journal has format {head.get('format')!r}, this release reads {FORMAT}")
            written = datetime.fromisoformat(head["written"])
            for line in file:
                item = json.loads(line)
                if "project" in item:
                    projects[item["project"]] = bool(item["public"])
                elif "index" in item:
                    lacking[item["repository"], item["index"]] = [str(child) for child in item["lacks"]]
                else:
                    pushed = datetime.fromisoformat(item["pushed"])
                    tags.append(JournalTag(item["repository"], item["tag"], item["digest"], pushed))
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise JournalError(f"the journal of tags cannot be read: {exc}") from exc
    return Journal(written, projects, tags, lacking)


# ---------------------------------------------------------------------- links, as registry:2 keeps tags
def _folder(repository: str) -> str:
    return f"{storage.tree(repository)}/_manifests/tags"


def link_paths(repository: str, tag: str, digest: str) -> tuple[str, str]:
    """What names the tag's manifest now, and the entry of its history."""
    return (
        f"{_folder(repository)}/{tag}/current/link",
        f"{_folder(repository)}/{tag}/index/{digest.replace(':', '/')}/link",
    )


def write_links() -> tuple[int, int]:
    """Links of every tag, so that a bare registry:2 serves them; those of tags that are gone are removed. Returns how
    many tags were linked and how many removed. Raises OSError."""
    linked = removed = 0
    store = storage.backend()
    for repository in Repository.objects.order_by("name").only("pk", "name").iterator(chunk_size=500):
        tags = dict(Tag.objects.filter(repository=repository).values_list("name", "artifact__digest"))
        for path, _ in list(store.walk(_folder(repository.name))):
            tag = path.removeprefix(f"{_folder(repository.name)}/").partition("/")[0]
            if tag not in tags or path not in link_paths(repository.name, tag, tags[tag]):
                storage.delete(path)
                removed += path.endswith("/current/link") and tag not in tags
        for tag, digest in tags.items():
            for path in reversed(link_paths(repository.name, tag, digest)):  # history first, as the registry does
                store.put(path, digest.encode())
            linked += 1
    return linked, removed


def linked() -> Iterator[JournalTag]:
    """Tags that a registry:2 left in storage, or :func:`write_links`. Raises OSError."""
    store = storage.backend()
    root = f"{storage.ROOT}/repositories/"
    for path, size in store.walk(f"{storage.ROOT}/repositories"):
        repository, found, rest = path.removeprefix(root).partition("/_manifests/tags/")
        tag, _, end = rest.partition("/")
        if not found or end != "current/link" or size > 200 or not names.is_tag(tag):
            continue
        digest = store.read(path).decode("ascii", "replace").strip()
        if names.is_digest(digest):
            yield JournalTag(repository, tag, digest)
