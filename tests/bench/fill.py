"""Rows and credentials the bench needs, made inside a Django process on the stack's database. Each function prints."""

import json
import secrets
import sys
import time
from pathlib import Path

import jwt
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.actor import Actor, Credential, Kind
from auth.keys import token_keys
from auth.models import ADMIN_ID, User
from auth.token_service import issue, parse_scopes
from projects.models import Blob, Project, Quota, Repository, RepositoryBlob
from tests.bench.load import PASSWORD, write_blobs

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
