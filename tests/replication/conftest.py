"""Two instances of this project and a docker-registry, for all tests of replication between them."""

from collections.abc import Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.replication.sites import HELD
from tests.support.double import Double
from tests.support.remote import RemoteRegistry
from tests.support.stack import Stack

LEASE_SECONDS = "5"  # a killed worker's tasks are taken up soon


@pytest.fixture(scope="package")
def near() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack.start(HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8", HARBOR_JOB_LEASE_SECONDS=LEASE_SECONDS)


@pytest.fixture(scope="package")
def far() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack.start(database="sqlite")


@pytest.fixture(scope="package")
def plain() -> Iterator[RemoteRegistry]:
    registry = RemoteRegistry(("mover", "Moving-pass-1"))
    yield registry
    registry.stop()


@pytest.fixture
def api(near: Stack) -> Iterator[httpx.Client]:
    with near.api() as client:
        yield client


@pytest.fixture
def there(far: Stack) -> Iterator[httpx.Client]:
    with far.api() as client:
        yield client


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """Address of moto's server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        running.hold(*HELD, tags=("1.0", "1.1", "latest"))
        yield running
