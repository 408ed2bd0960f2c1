"""The fixed cast of the tests, a project with content for them to meet, and a client that speaks for each of them."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache as shared_cache
from django.test import Client

from auth import credentials, last_used, rbac
from auth.actor import ANONYMOUS, Actor, Credential, Kind
from auth.models import ADMIN_ID, Robot, RobotPermission, User
from auth.rbac import Role
from harbor_core.lib import media_types as mt
from harbor_core.lib import storage
from harbor_core.services import config
from projects import access
from projects.models import Artifact, Member, Project, Quota
from projects.services import blobs
from projects.services.push import manifest_push
from projects.services.seed import seed
from tests.support import published

PASSWORD = "Correct-horse-7"
API = "/api/v2.0"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ROLES = {
    "project_admin": Role.PROJECT_ADMIN,
    "maintainer": Role.MAINTAINER,
    "developer": Role.DEVELOPER,
    "guest": Role.GUEST,
    "limited_guest": Role.LIMITED_GUEST,
}
# Robots of a project and of the system, each with few grants and with all there are.
ROBOTS = ("robot", "robot_all", "system_robot", "system_robot_all")
PERSONAS = ("sysadmin", *ROLES, *ROBOTS, "outsider", "anonymous")
ROBOT_GRANTS = ("repository:pull", "repository:push", "artifact:read", "artifact:list", "tag:create")


@cache
def hashed(password: str) -> str:
    """Hashing is slow on purpose; the tests' passwords are hashed once per run."""
    return make_password(password)


def make_user(name: str, **values: Any) -> User:
    return User.objects.create(username=name, password=hashed(PASSWORD), realname=name, **values)


def make_project(name: str, owner: User, *, public: bool = False, hard: int = -1) -> Project:
    project = Project.objects.create(name=name, owner=owner, public=public)
    Quota.objects.create(project=project, hard=hard)
    return project


def make_robot(name: str, project: Project | None, grants: Iterable[str], secret: str) -> Robot:
    """A robot of the project with these grants in it, or one of the system with these grants on the system."""
    level = Robot.Level.PROJECT if project else Robot.Level.SYSTEM
    robot = Robot.objects.create(
        name=name, level=level, project=project, secret_digest=credentials.secret_digest(secret)
    )
    grant_robot(robot, RobotPermission.Kind.PROJECT if project else RobotPermission.Kind.SYSTEM, project, grants)
    return robot


def grant_robot(robot: Robot, kind: str, project: Project | None, grants: Iterable[str]) -> None:
    """Kind ``project`` without a project means every project."""
    named = [grant.split(":") for grant in grants]
    RobotPermission.objects.bulk_create(
        RobotPermission(robot=robot, kind=kind, project=project, resource=resource, action=action)
        for resource, action in named
    )


def actor_of(user: User) -> Actor:
    return Actor(Kind.USER, user.pk, user.username, user.sysadmin_flag, Credential.BASIC)


def put_blob(repository: str, content: bytes) -> dict[str, Any]:
    """A blob in storage as registry:2 leaves it after an upload that core allowed. Returns its descriptor."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    blobs.lease(repository, digest)
    storage.backend().put(storage.blob_path(digest), content)
    storage.link_layer(repository, digest)
    return {"digest": digest, "size": len(content)}


def push_manifest(actor: Actor, repository: str, reference: str, manifest: dict[str, Any]) -> str:
    """Push through the service, as the registry front does. Returns the digest."""
    content = json.dumps(manifest).encode()
    found = access.project_access(actor, repository.partition("/")[0])
    assert found is not None
    reference = reference or "sha256:" + hashlib.sha256(content).hexdigest()
    return manifest_push(actor, found, repository, reference, content, manifest["mediaType"]).digest


def image(repository: str, *, layers: int = 1, **more: Any) -> dict[str, Any]:
    """An image manifest of its own, whose config and layers are in storage."""
    config_blob = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Env": [f"UNIQUE={secrets.token_hex(8)}"]},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "COPY . /"}],
    }
    return {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": {"mediaType": IMAGE_CONFIG} | put_blob(repository, json.dumps(config_blob).encode()),
        "layers": [{"mediaType": LAYER} | put_blob(repository, secrets.token_bytes(64)) for _ in range(layers)],
    } | more


def push_image(actor: Actor, repository: str, tag: str = "", **options: Any) -> str:
    return push_manifest(actor, repository, tag, image(repository, **options))


@dataclass
class Api:
    """Calls the REST API as one of the cast (or as anybody whose ``user:password`` is given)."""

    logins: dict[str, str] = field(default_factory=dict)

    def __call__(
        self,
        persona: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        client: Client | None = None,
    ) -> Any:  # Django's test response: an HttpResponse with ``json()``
        sent = dict(headers or {})
        login = self.logins.get(persona, persona if ":" in persona else "")
        if login:
            sent["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        elif persona not in ("anonymous", "session"):
            raise ValueError(f"nobody called {persona} is in the cast")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = sent.pop("Content-Type", "application/json") if data else ""
        full = path if path.startswith("/") else f"{API}/{path}"
        response = (client or Client()).generic(method, full, data, content_type, headers=sent)
        found = published.problems(method, full, response)
        assert not found, found
        return response


@dataclass
class World:
    """Project ``team`` (private) with one image ``team/app:1.0``, its members, and who has nothing to do with it."""

    users: dict[str, User]
    project: Project
    robots: dict[str, Robot]
    artifact: Artifact
    api: Api

    @property
    def robot(self) -> Robot:
        return self.robots["robot"]

    def actor(self, persona: str) -> Actor:
        if persona == "anonymous":
            return ANONYMOUS
        if persona in ROBOTS:
            login = self.api.logins[persona].partition(":")[0]
            return Actor(Kind.ROBOT, self.robots[persona].pk, login, False, Credential.BASIC)
        return actor_of(self.users[persona])


def forget_everything() -> None:
    """What this process and the cache remember of the database does not outlive a test's transaction."""
    shared_cache.key_prefix = secrets.token_hex(8)  # leaves other test processes their entries
    access.forget()
    config.forget()
    last_used.forget()


def configure(**values: Any) -> None:
    """Change system settings, with effect at once (otherwise it comes with the commit)."""
    config.config_set(**values)
    config.forget()


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    forget_everything()
    yield
    forget_everything()


def make_admin() -> User:
    """The rows of a new installation. Returns its administrator."""
    seed(PASSWORD)
    User.objects.filter(pk=ADMIN_ID).update(password=hashed(PASSWORD))
    return User.objects.get(pk=ADMIN_ID)


def make_world(admin: User) -> World:
    users = {"sysadmin": admin} | {name: make_user(name) for name in (*ROLES, "outsider")}
    project = make_project("team", users["project_admin"])
    for name, role in ROLES.items():
        Member.objects.create(project=project, user=users[name], role=role)
    robots = {
        "robot": make_robot("ci", project, ROBOT_GRANTS, "robot-secret"),
        "robot_all": make_robot("all", project, sorted(rbac.ROBOT_PROJECT_PERMISSIONS), "robot-secret"),
        "system_robot": make_robot("few", None, ("project:list",), "robot-secret"),
        "system_robot_all": make_robot("all", None, sorted(rbac.ROBOT_SYSTEM_PERMISSIONS), "robot-secret"),
    }
    grant_robot(robots["system_robot"], RobotPermission.Kind.PROJECT, project, ("repository:pull",))
    every = sorted(rbac.ROBOT_PROJECT_PERMISSIONS)
    grant_robot(robots["system_robot_all"], RobotPermission.Kind.PROJECT, None, every)
    logins = {name: f"{user.username}:{PASSWORD}" for name, user in users.items()} | {
        name: f"robot${'team+' if robot.project_id else ''}{robot.name}:robot-secret" for name, robot in robots.items()
    }
    digest = push_image(actor_of(users["developer"]), "team/app", "1.0")
    return World(users, project, robots, Artifact.objects.get(digest=digest), Api(logins))


@pytest.fixture
def admin(db: None) -> User:
    return make_admin()


@pytest.fixture
def world(admin: User) -> World:
    return make_world(admin)


@pytest.fixture
def api(world: World) -> Api:
    return world.api
