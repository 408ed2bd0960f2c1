"""Rows and credentials the bench needs, made inside a Django process on the stack's database. Each function prints."""

import json
import os
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import jwt
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth.actor import Actor, Credential, Kind
from auth.keys import token_keys
from auth.models import ADMIN_ID, Robot, User
from auth.token_service import issue, parse_scopes
from harbor_core.lib import storage
from projects.models import Artifact, Blob, Project, Quota, Repository, RepositoryBlob
from tests.api import crowd
from tests.bench.load import PASSWORD, small_blob, write_blobs
from tests.bench.rows import basic
from tests.cast import Api, World, actor_of, make_project, push_image
from tests.portal import places
from tests.support.oci import digest_of

_ARTIFACTS = """
    INSERT INTO harbor_projects_artifact (project_id, repository_id, digest, type, media_type, manifest_media_type,
        artifact_type, size, manifest, subject_digest, annotations, extra_attrs, listed, push_time)
    SELECT %(project)s, %(repository)s, 'sha256:' || encode(sha256((%(name)s || i)::bytea), 'hex'), 'IMAGE',
        'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.config.v1+json', 1000000 + i, repeat('x', 900)::bytea, '', '{}',
        '{"architecture": "amd64", "os": "linux", "author": "", "created": "2026-01-01T00:00:00Z", "config": {}}',
        true, now() - i * interval '1 second'
    FROM generate_series(1, %(count)s) AS i
"""
_TAGS = """
    INSERT INTO harbor_projects_tag (repository_id, artifact_id, name, push_time)
    SELECT repository_id, id, 'v' || id, push_time FROM harbor_projects_artifact WHERE repository_id = %s
"""

# All of them have the layers of the one image.
_SHARED_LAYER = """
    WITH named AS (
        INSERT INTO harbor_projects_artifactblob (artifact_id, blob_id)
        SELECT a.id, b.blob_id FROM harbor_projects_artifact a, harbor_projects_artifactblob b
        WHERE a.repository_id = %(repository)s AND b.artifact_id = %(artifact)s AND a.id <> %(artifact)s
        RETURNING blob_id
    ), counted AS (SELECT blob_id, COUNT(*) AS refs FROM named GROUP BY blob_id)
    UPDATE harbor_projects_projectblob p SET refs = p.refs + counted.refs FROM counted
    WHERE p.project_id = %(project)s AND p.blob_id = counted.blob_id
"""
_TAGS_OF_ONE = """
    INSERT INTO harbor_projects_tag (repository_id, artifact_id, name, push_time)
    SELECT %(repository)s, %(artifact)s, 'one-' || i, now() - i * interval '1 second'
    FROM generate_series(1, %(count)s) AS i
"""
_AUDIT = """
    INSERT INTO harbor_core_auditlog (project_id, username, resource_type, resource, operation, operation_description,
        operation_result, client_ip, op_time)
    SELECT %(project)s, 'admin', 'artifact', 'team/app:' || i, 'create', '', true, '',
        now() - (%(count)s - i) * interval '1 second'
    FROM generate_series(1, %(count)s) AS i
"""

_HISTORY = """
    INSERT INTO harbor_core_auditlog (project_id, username, resource_type, resource, operation, operation_description,
        operation_result, client_ip, op_time)
    SELECT %(project)s + i %% 20, CASE WHEN i IN (7, 8, 9) THEN 'long-gone' ELSE 'robot-' || i %% 199 END, 'artifact',
        'team/app-' || i %% 1009 || ':' || i,
        CASE WHEN i %% 20 = 0 THEN 'delete' WHEN i %% 20 < 4 THEN 'create' ELSE 'pull' END, '', true, '10.0.0.1',
        now() - (%(count)s - i) * interval '200 days' / %(count)s
    FROM generate_series(1, %(count)s) AS i
"""


def users(count: int) -> None:
    """Accounts ``cold-0`` ... that share one password, none of which has ever signed in."""
    stored = make_password(PASSWORD)
    User.objects.bulk_create(
        [
            User(username=f"cold-{number}", email=f"cold-{number}@example.com", password=stored)
            for number in range(count)
        ],
        batch_size=1000,
    )


def projects(count: int) -> None:
    """Projects ``bench-0`` ..., owned by admin, without a limit."""
    for number in range(count):
        project = Project.objects.create(name=f"bench-{number}", owner_id=ADMIN_ID)
        Quota.objects.create(project=project)


def artifacts(name: str, count: int) -> None:
    """A repository with ``count`` artifacts, each with one tag."""
    project = Project.objects.get(name=name.partition("/")[0])
    repository = Repository.objects.create(project=project, name=name)
    with connection.cursor() as cursor:
        values = {"project": project.pk, "repository": repository.pk, "name": name, "count": count}
        cursor.execute(_ARTIFACTS, values)
        cursor.execute(_TAGS, [repository.pk])
        cursor.execute("ANALYZE")


def lists(size: dict[str, int]) -> None:
    """Rows for every list of the API (tests.api.crowd). Prints name -> (path, credential)."""
    world = _grown(size)
    credential = basic(world.users["sysadmin"].username, os.environ["HARBOR_ADMIN_PASSWORD"])
    json.dump({name: (f"/api/v2.0/{crowd.where(world, name)}", credential) for name in crowd.LISTS}, sys.stdout)


def pages(size: dict[str, int]) -> None:
    """The same for every page of the portal, with a session of admin as the credential."""
    found = places.places(_grown(size))
    browser = Client(headers={"host": "localhost"})
    browser.force_login(User.objects.get(pk=ADMIN_ID), backend="auth.backends.local.LocalBackend")
    wrong = {name: status for name, path in found.items() if (status := browser.get(path).status_code) != 200}
    if wrong:
        raise RuntimeError(f"pages that are not there: {wrong}")
    cookie = f"Cookie: {settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    json.dump({name: (path, cookie) for name, path in found.items()}, sys.stdout)


def _grown(size: dict[str, int]) -> World:
    """Project team with an image that has all its parts, and a crowd of ``size`` around it."""
    admin = User.objects.get(pk=ADMIN_ID)
    project = make_project("team", admin)
    developer = User.objects.create(username="developer")
    robot = Robot.objects.create(name="ci", level="project", project=project, secret_digest=secrets.token_hex(32))
    digest = push_image(actor_of(admin), "team/app", "1.0")
    image = Artifact.objects.get(digest=digest)
    world = World({"sysadmin": admin, "developer": developer}, project, {"robot": robot}, image, Api())
    crowd.grow(world, size["rows"])
    with connection.cursor() as cursor:
        values = {"project": project.pk, "repository": image.repository_id, "artifact": image.pk, "name": "more"}
        cursor.execute(_ARTIFACTS, values | {"count": size["artifacts"]})
        cursor.execute(_SHARED_LAYER, values)
        cursor.execute(_TAGS_OF_ONE, values | {"count": size["tags"]})
        cursor.execute(_AUDIT, values | {"count": size["audit"]})
        cursor.execute("ANALYZE")
    return world


def audit(size: dict[str, int]) -> None:
    """``size["audit"]`` rows of the audit log over 200 days: pulls of busy robots for the most part, and one account
    that did three things long ago. Prints what is asked of it, name -> (path, credential)."""
    project = make_project("team", User.objects.get(pk=ADMIN_ID))
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"project": project.pk, "count": size["audit"]})
        cursor.execute("ANALYZE harbor_core_auditlog")
    credential = basic("admin", os.environ["HARBOR_ADMIN_PASSWORD"])
    day = (timezone.now() - timedelta(days=100)).date()
    asked = {
        "newest": "",
        "page 500": "page=500&page_size=20",
        "of one project": f"q=project_id={project.pk}",
        "of a busy account": "q=username=robot-7",
        "of an account long ago": "q=username=long-gone",
        "one kind": "q=operation=delete",
        "a day": f"q=op_time=[{day}T00:00:00~{day}T23:59:59]",
        "part of a name": "q=resource=~app-7:",
        "part of a name nobody has": "q=resource=~nobody",
        "by name": "sort=resource",
    }
    json.dump({name: (f"/api/v2.0/auditlog-exts?{query}", credential) for name, query in asked.items()}, sys.stdout)


def tokens(repository: str, count: int) -> None:
    """Different tokens of admin to pull from and push to the repository, as a JSON list."""
    admin = Actor(Kind.USER, ADMIN_ID, "admin", True, Credential.BASIC)
    first = issue(admin, parse_scopes([f"repository:{repository}:pull,push"]))["token"]
    claims = jwt.decode(first, options={"verify_signature": False})
    claims["exp"] = int(time.time()) + 7200
    found = [token_keys.sign(claims | {"jti": secrets.token_urlsafe(12)}) for _ in range(count)]
    json.dump(found, sys.stdout)


def blobs(repository: str, count: int) -> None:
    """Small blobs of the repository, in storage and in the database."""
    digests = write_blobs(Path(settings.STORAGE_FILESYSTEM_ROOT), repository, count)
    rows = Blob.objects.bulk_create([Blob(digest=digest) for digest in digests], batch_size=1000)
    RepositoryBlob.objects.bulk_create(
        [RepositoryBlob(repository_name=repository, blob=row) for row in rows], batch_size=1000
    )


def condemned(first: int, count: int) -> None:
    """Small blobs that nothing names any more, old enough to be collected, each with its link."""
    repository, old = "bench-0/condemned", timezone.now() - timedelta(days=3)
    if settings.STORAGE_DRIVER == "filesystem":
        digests = write_blobs(Path(settings.STORAGE_FILESYSTEM_ROOT), repository, count, first)
    else:
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(lambda number: _put(repository, small_blob(number)), range(first, first + count)))
    rows = Blob.objects.bulk_create(
        [Blob(digest=digest, size=1024, touched_at=old) for digest in digests], batch_size=1000
    )
    RepositoryBlob.objects.bulk_create(
        [RepositoryBlob(repository_name=repository, blob=row, touched_at=old) for row in rows], batch_size=1000
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _put(repository: str, content: bytes) -> str:
    digest = digest_of(content)
    storage.backend().put(storage.blob_path(digest), content)
    storage.link_layer(repository, digest)
    return digest


def queries(path: str, authorization: str) -> None:
    """How many statements a GET of this path costs, once its process is warm."""
    client = Client(headers={"authorization": authorization})
    assert client.get(path).status_code == 200
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(path)
    assert answer.status_code == 200
    assert len(answer.json()) == 10
    json.dump(len(captured), sys.stdout)
