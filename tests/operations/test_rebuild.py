"""A database that is lost comes back from storage, as far as storage knows."""

import os
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from harbor_core.lib import media_types as mt
from harbor_core.lib import storage
from harbor_core.lib.storage_backends import FilesystemBackend
from jobservice import tasks
from projects.models import (
    Artifact,
    ArtifactReference,
    Blob,
    Project,
    ProjectBlob,
    Repository,
    RepositoryBlob,
    Tag,
    TagEvent,
)
from projects.services import tag_journal, tags
from projects.services.verify import verify
from tests.cast import World, push_image, push_manifest
from tests.projects.test_sparse import Index

pytestmark = pytest.mark.django_db


def run(*argv: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*argv, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def lose() -> None:
    ArtifactReference.objects.all().delete()
    Repository.objects.all().delete()
    ProjectBlob.objects.all().delete()
    RepositoryBlob.objects.all().delete()
    Blob.objects.all().delete()
    Project.objects.filter(name="team").update(name="lost", deleted=True)


def push_index(world: World, tag: str) -> str:
    """An index whose digest sorts before one of its children, or behind: it has to wait for them."""
    actor = world.actor("sysadmin")
    children = [push_image(actor, "team/multi") for _ in range(3)]
    rows = Artifact.objects.filter(digest__in=children)
    manifests = [{"mediaType": mt.OCI_MANIFEST, "digest": row.digest, "size": len(bytes(row.manifest))} for row in rows]
    index = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": manifests}
    nested = push_manifest(actor, "team/multi", "", index)
    inner = Artifact.objects.get(digest=nested)
    outer = index | {"manifests": [{"mediaType": mt.OCI_INDEX, "digest": nested, "size": len(bytes(inner.manifest))}]}
    return push_manifest(actor, "team/multi", tag, outer)


def test_from_the_journal(world: World) -> None:
    index = push_index(world, "all")
    Project.objects.filter(pk=world.project.pk).update(public=True)
    before = set(Artifact.objects.values_list("repository__name", "digest"))
    times = dict(Tag.objects.values_list("name", "push_time"))
    assert "tags.jsonl.gz" in run("export_tags")[0]
    lose()
    said, told = run("rebuild_from_storage")
    assert set(Artifact.objects.values_list("repository__name", "digest")) == before and not told
    assert dict(Tag.objects.values_list("name", "artifact__digest"))["all"] == index
    assert dict(Tag.objects.values_list("name", "push_time")) == times
    assert Project.objects.get(name="team").public
    assert list(verify(deep=True)) == []
    assert "members of projects" in said
    # Again: nothing is new, nothing is doubled.
    assert "0 projects, 0 manifests, 0 tags, 0 links" in run("rebuild_from_storage")[0]


def test_from_the_links_of_a_plain_registry(world: World, store: FilesystemBackend) -> None:
    push_index(world, "all")
    linked, removed = tag_journal.write_links()
    assert (linked, removed) == (2, 0)
    digest = Tag.objects.get(name="all").artifact.digest
    link = store.root / storage.tree("team/multi") / "_manifests/tags/all/current/link"
    assert link.read_text() == digest
    tag = Tag.objects.get(name="1.0")
    tags.delete(world.actor("sysadmin"), tag.repository, "1.0")
    assert tag_journal.write_links() == (1, 1)
    assert [(tag.repository, tag.name) for tag in tag_journal.linked()] == [("team/multi", "all")]
    lose()
    said, _ = run("rebuild_from_storage")
    assert "there is no journal" in said
    assert Tag.objects.get().artifact.digest == digest and not Project.objects.get(name="team").public


def test_an_index_without_some_platforms(world: World) -> None:
    index = Index(world)
    for manifest in (index.amd64, index.attestation):
        index.push(manifest)
    index.push_self("linux/amd64")
    run("export_tags")
    outer = {"mediaType": mt.OCI_INDEX, "digest": index.digest, "size": len(index.content)}
    nested = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [outer]}
    push_manifest(index.actor, "team/multi", "", nested)  # waits for what may come without its children
    before = set(Artifact.objects.values_list("repository__name", "digest"))
    lose()
    run("rebuild_from_storage")
    assert set(Artifact.objects.values_list("repository__name", "digest")) == before
    assert index.left_out == [False, True, False] and list(verify()) == []


def test_an_index_without_children_that_nobody_left_out_is_told(world: World) -> None:
    index = Index(world)
    for manifest in (index.amd64, index.attestation):
        index.push(manifest)
    run("export_tags")  # before the index came
    index.push_self("linux/amd64")
    lose()
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="could not be restored"):
        call_command("rebuild_from_storage", stdout=out, stderr=err)
    assert f"team/multi@{index.digest}: MANIFEST_BLOB_UNKNOWN" in err.getvalue()


def test_the_clock_writes_down_what_was_left_out(world: World, store: FilesystemBackend) -> None:
    assert tasks.keep_tag_journal() > 0
    past = time.time() - 3600
    os.utime(store.root / tag_journal.PATH, (past, past))
    Project.objects.update(update_time=timezone.now() - timedelta(hours=3))
    TagEvent.objects.update(occurred_at=timezone.now() - timedelta(hours=3))
    assert tasks.keep_tag_journal() == 0
    index = Index(world)
    for manifest in (index.amd64, index.attestation):
        index.push(manifest)
    index.push_self("linux/amd64", reference=index.digest)
    assert tasks.keep_tag_journal() > 0
    assert len(tag_journal.kept().lacking["team/multi", index.digest]) == 1


def test_what_is_lost_is_told(world: World, store: FilesystemBackend) -> None:
    run("export_tags")
    layer = world.artifact.blobs.exclude(blob__digest=world.artifact.digest).first()
    assert layer is not None
    (store.root / storage.blob_path(layer.blob.digest)).write_bytes(b"other")
    lose()
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="could not be restored"):
        call_command("rebuild_from_storage", stdout=out, stderr=err)
    assert layer.blob.digest.removeprefix("sha256:") in err.getvalue()
    assert f"team/app:1.0: {world.artifact.digest} is not in storage" in err.getvalue()
    assert not Artifact.objects.exists()


def test_the_clock_writes_the_journal_when_there_is_news(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tasks.keep_tag_journal() > 0
    assert [tag.name for tag in tag_journal.kept().tags] == ["1.0"]
    push_image(world.actor("sysadmin"), "team/app", "2.0")
    assert tasks.keep_tag_journal() > 0
    assert [tag.name for tag in tag_journal.kept().tags] == ["1.0", "2.0"]


def test_a_journal_that_cannot_be_read_stops_the_rebuild(world: World, store: FilesystemBackend) -> None:
    store.put(tag_journal.PATH, b"not gzip")
    lose()
    with pytest.raises(CommandError, match="journal of tags cannot be read"):
        run("rebuild_from_storage")
    assert not Artifact.objects.exists()
