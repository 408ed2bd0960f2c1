"""Backups are whole whatever happens meanwhile, and everything comes back from them."""

import gzip
import json
import shutil
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from auth.models import User
from harbor_core.lib import storage
from harbor_core.lib.dump import DumpError
from harbor_core.lib.storage_backends import FilesystemBackend
from jobservice.models import Schedule
from projects.models import Artifact, ArtifactBlob, Blob, Project, RepositoryBlob, Tag, Upload
from projects.services import artifacts, backup, blobs, restoring
from projects.services.verify import verify
from tests.cast import World, configure, push_image

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("token_keys")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def quiet(text: str) -> None:
    """What the commands would print."""


def run(*argv: object) -> str:
    out = StringIO()
    call_command(*(str(word) for word in argv), stdout=out)
    return out.getvalue()


def lose_everything(store: FilesystemBackend) -> None:
    shutil.rmtree(store.root)
    store.root.mkdir()
    Artifact.objects.all().delete()
    Project.objects.filter(name="team").update(name="elsewhere")
    User.objects.filter(username="guest").delete()


def violations() -> list[str]:
    return [f"{found.subject}: {found.message}" for found in verify(deep=True) if found.violation]


def test_everything_comes_back(world: World, store: FilesystemBackend, root: Path) -> None:
    digest = push_image(world.actor("sysadmin"), "team/app", "2.0")
    said = run("backup", root)
    assert "content: 6 blobs" in said
    lose_everything(store)
    assert "good: " in run("restore", root, "--verify")
    with pytest.raises(CommandError, match="in use"):
        run("restore", root)
    run("restore", root, "--replace")
    assert Tag.objects.get(name="2.0").artifact.digest == digest
    assert Project.objects.filter(name="team").exists() and User.objects.filter(username="guest").exists()
    assert violations() == []
    # The next ids are free: sequences came along.
    push_image(world.actor("sysadmin"), "team/app", "3.0")


def test_the_trash_comes_back_too(world: World, store: FilesystemBackend, root: Path) -> None:
    artifacts.delete(world.actor("sysadmin"), world.artifact)
    backup.create(root, quiet)
    lose_everything(store)
    restoring.restore(backup.choose(root), quiet, replace=True)
    trashed = world.project.trash.get()
    assert trashed.digest == world.artifact.digest and violations() == []


def test_uploads_under_way_are_not_promised(world: World, store: FilesystemBackend, root: Path) -> None:
    actor = world.actor("sysadmin")
    blobs.lease("team/app", "sha256:" + "ab" * 32)
    Upload.objects.create(project=world.project, repository_name="team/app", subject=actor.key,
                          granted_until="2030-01-01T00:00:00Z")  # fmt: skip
    restoring.restore(_made(root), quiet, replace=True)
    assert not Upload.objects.exists() and not Blob.objects.filter(digest="sha256:" + "ab" * 32).exists()
    assert RepositoryBlob.objects.count() == ArtifactBlob.objects.count()


def _made(root: Path) -> backup.Backup:
    return backup.create(root, quiet)


def test_pushes_go_on(world: World, store: FilesystemBackend, root: Path) -> None:
    """Whatever the moment was, what the backup's database names is in it."""
    over = threading.Event()
    pushed: list[str] = []

    def push() -> None:
        try:
            while not over.is_set():
                pushed.append(push_image(world.actor("sysadmin"), f"team/app{len(pushed) % 3}", f"v{len(pushed)}"))
        finally:
            connections.close_all()

    pusher = threading.Thread(target=push)
    pusher.start()
    try:
        made = [_made(root) for _ in range(3)]
    finally:
        over.set()
        pusher.join()
    assert pushed
    for one in made:
        restoring.verify(one)
    lose_everything(store)
    restoring.restore(made[1], quiet, replace=True)
    assert violations() == []


def test_content_is_kept_once_and_old_backups_go(world: World, root: Path) -> None:
    first = _made(root)
    gone = Artifact.objects.get()
    configure(trash_retention_days=0)
    push_image(world.actor("sysadmin"), "team/app", "2.0")
    artifacts.delete(world.actor("sysadmin"), gone)
    files = {path: path.stat().st_mtime_ns for path in (root / "blobs").rglob("*") if path.is_file()}
    second = backup.create(root, quiet, keep=2)
    assert all(path.stat().st_mtime_ns == time for path, time in files.items())
    third = backup.create(root, quiet, keep=2)
    assert [one.name for one in backup.backups(root)] == [second.name, third.name] != [first.name]
    kept = {path.name for path in (root / "blobs").rglob("*") if path.is_file()}
    assert kept == {digest.partition(":")[2] for digest, _ in third.needs()}
    restoring.verify(second)


def test_what_is_damaged_is_found(world: World, root: Path) -> None:
    made = _made(root)
    (blob,) = list((root / "blobs").rglob(world.artifact.digest.removeprefix("sha256:")))
    whole = blob.read_bytes()
    blob.write_bytes(b"x" * len(whole))
    with pytest.raises(DumpError, match="damaged"):
        restoring.verify(made)
    blob.unlink()
    with pytest.raises(DumpError, match="missing"):
        restoring.verify(made)
    blob.write_bytes(whole)
    part = next(iter(made.dump.parts.values()))
    path = made.folder / backup.DATABASE / part.file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DumpError, match="SHA-256"):
        restoring.verify(made)
    with pytest.raises(DumpError, match="SHA-256"):
        restoring.restore(made, quiet, replace=True)
    assert Artifact.objects.count() == 1


def test_a_storage_that_lost_something_gives_no_backup(world: World, store: FilesystemBackend, root: Path) -> None:
    digest = ArtifactBlob.objects.filter(artifact=world.artifact).exclude(blob__digest=world.artifact.digest).first()
    assert digest is not None
    path = store.root / storage.blob_path(digest.blob.digest)
    content = path.read_bytes()
    path.write_bytes(b"y" * len(content))
    with pytest.raises(CommandError, match="other content"):
        run("backup", root)
    path.unlink()
    with pytest.raises(CommandError, match="missing in storage"):
        run("backup", root)
    assert backup.backups(root) == [] and not list(root.glob(".2*"))


def test_another_key_or_another_release_is_refused(world: World, root: Path, settings: Any) -> None:
    made = _made(root)
    key = settings.SECRET_KEY
    settings.SECRET_KEY = "another-key-" * 4
    with pytest.raises(DumpError, match="HARBOR_SECRET_KEY"):
        restoring.verify(made)
    settings.SECRET_KEY_FALLBACKS = [key]
    restoring.verify(made)
    description = made.folder / backup.DESCRIPTION
    document = json.loads(description.read_text())
    document["dump"]["migrations"].append("harbor_projects.9999_from_the_future")
    description.write_text(json.dumps(document))
    with pytest.raises(DumpError, match="9999_from_the_future"):
        restoring.verify(backup.choose(root))


def test_secrets_are_for_the_owner_alone(world: World, root: Path) -> None:
    made = _made(root)
    files = [path for path in (made.folder / backup.SECRETS).rglob("*") if path.is_file()]
    assert {"secret_key", "registry_http_secret", "registry.key", "registry.crt"} <= {path.name for path in files}
    assert any(path.suffix == ".pem" for path in files)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files) and root.stat().st_mode & 0o077 == 0
    without = backup.create(root, quiet, secrets=False, content=False)
    assert not (without.folder / backup.SECRETS).exists() and without.blobs is None
    restoring.verify(without)


def test_one_at_a_time(world: World, root: Path) -> None:
    said: list[str] = []

    def meanwhile(text: str) -> None:
        if not said:
            said.append(text)
            with pytest.raises(DumpError, match="another backup"):
                backup.create(root, quiet)

    backup.create(root, meanwhile)
    assert said


@pytest.mark.postgres
def test_a_row_that_does_not_load_changes_nothing(world: World, root: Path) -> None:
    made = _made(root)
    part = made.dump.parts[Schedule._meta.db_table]
    path = made.folder / backup.DATABASE / part.file
    path.write_bytes(gzip.compress(b"nonsense\n"))
    description = made.folder / backup.DESCRIPTION
    document = json.loads(description.read_text())
    from harbor_core.lib.dump import sha256_of

    document["dump"]["parts"][Schedule._meta.db_table]["sha256"] = sha256_of(path)
    description.write_text(json.dumps(document))
    with pytest.raises(DumpError, match="cannot be loaded"):
        restoring.verify(backup.choose(root))
    with pytest.raises(DumpError, match="cannot be loaded"):
        restoring.restore(backup.choose(root), quiet, replace=True)
    connection.close()
    assert Artifact.objects.count() == 1 and violations() == []
