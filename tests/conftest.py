"""Fixtures every test may use: private services for Django tests, complete stacks for tests through the front door."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Docker
from tests.support.services import Registry
from tests.support.stack import Stack


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that started the services removes their common folder (the services end by themselves)."""
    folder = os.environ.get("HARBOR_TEST_SERVICES")
    if folder and not hasattr(config, "workerinput"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def token_keys() -> None:
    """The token service's keys, in the test run's key folder."""
    from django.conf import settings

    from auth.keys import ensure_internal_key, ensure_token_key

    ensure_token_key(settings.KEY_DIR)
    ensure_internal_key(settings.KEY_DIR)


@pytest.fixture(scope="session")
def registry(token_keys: None) -> Iterator[Registry]:
    """A real registry:2 where ``settings.REGISTRY_URL`` and ``STORAGE_FILESYSTEM_ROOT`` say it is."""
    from django.conf import settings

    from harbor_core.registry_config import RegistryConfig, render

    def config(socket: Path, storage: Path) -> str:
        return render(
            RegistryConfig(
                address=f"unix:{socket}",
                http_secret=settings.REGISTRY_HTTP_SECRET,
                driver="filesystem",
                options={"rootdirectory": settings.STORAGE_FILESYSTEM_ROOT},
                redirect=False,
                external_url=settings.EXTERNAL_URL,
                trusted_certificate=settings.KEY_DIR / "internal" / "registry.crt",
            )
        )

    Path(settings.STORAGE_FILESYSTEM_ROOT).mkdir(parents=True, exist_ok=True)
    server = Registry(config)
    address = Path(settings.REGISTRY_URL.removeprefix("unix:"))
    address.unlink(missing_ok=True)
    address.symlink_to(server.socket)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole registry on PostgreSQL with a filesystem, over http."""
    with Stack() as running:
        yield running.start(database="postgres")


@pytest.fixture(scope="session")
def stack_sqlite() -> Iterator[Stack]:
    """The standalone default: SQLite."""
    with Stack() as running:
        yield running.start(database="sqlite")


@pytest.fixture(scope="session")
def stack_tls() -> Iterator[Stack]:
    """https with the generated certificate authority."""
    with Stack() as running:
        yield running.start(database="sqlite", tls=True)


@pytest.fixture(scope="session")
def stack_s3() -> Iterator[Stack]:
    """Blobs and manifests in an S3 server, with redirects."""
    with Stack() as running:
        yield running.start(database="sqlite", storage="s3")


@pytest.fixture(scope="session")
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("container daemons and their storage need root")


@pytest.fixture(scope="session")
def docker(root: None) -> Iterator[Docker]:
    engine = Docker()
    yield engine
    engine.stop()
