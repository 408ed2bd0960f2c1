from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import translation

from auth.models import User
from auth.rbac import Role
from harbor_core.services import config
from projects import access
from projects.models import Artifact, Project
from tests.portal import content


@pytest.fixture(autouse=True, scope="session")
def portal_assets() -> Iterator[None]:
    """Translations compiled; static files found where they are written (collecting them is a step of installation)."""
    if any(file for folder in django_settings.LOCALE_PATHS for file in folder.glob("*/LC_MESSAGES/*.po")):
        call_command("compilemessages", verbosity=0)
    storages = django_settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    with override_settings(STORAGES=storages):
        yield


@pytest.fixture(autouse=True)
def fresh_caches() -> None:
    cache.clear()
    access.forget()
    config.forget()
    translation.activate("en")


@dataclass(frozen=True)
class World:
    """A public project with content, a private one with content, a private one without; who may do what in them."""

    admin: User
    developer: User
    guest: User
    outsider: User
    library: Project
    secret: Project
    empty: Project
    image: Artifact
    index: Artifact
    signature: Artifact
    chart: Artifact


@pytest.fixture
def world(db: None) -> World:
    admin = content.user("root", sysadmin=True)
    developer, guest, outsider = (content.user(name) for name in ("dev", "guest", "outsider"))
    library = content.project("library", admin, public=True)
    secret = content.project("secret", admin)
    empty = content.project("empty", admin)
    for project in (secret, empty):
        content.member(project, developer, Role.DEVELOPER)
        content.member(project, guest, Role.LIMITED_GUEST)
    image = content.push_image("library/app", "1.0", annotations={"org.opencontainers.image.title": "App"})
    content.push_image("library/app", "latest", annotations={"org.opencontainers.image.title": "App"})
    index = content.push_index("library/multi/arch", "2.0")
    chart = content.push_chart("library/charts/app", "0.1.0")
    content.push_image("secret/inner/app", "3.0", words="hidden")
    signature = content.push_signature("library/app", image)
    return World(admin, developer, guest, outsider, library, secret, empty, image, index, signature, chart)


@pytest.fixture
def anonymous() -> Client:
    return Client(HTTP_HOST="localhost:8080")


def signed_in(account: User) -> Client:
    client = Client(HTTP_HOST="localhost:8080")
    client.force_login(account, backend="auth.backends.local.LocalBackend")
    return client


@pytest.fixture
def admin(world: World) -> Client:
    return signed_in(world.admin)


@pytest.fixture
def developer(world: World) -> Client:
    return signed_in(world.developer)


@pytest.fixture
def guest(world: World) -> Client:
    return signed_in(world.guest)


@pytest.fixture
def outsider(world: World) -> Client:
    return signed_in(world.outsider)
