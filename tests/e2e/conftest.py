"""Private container tools, started once, and the stacks they talk to."""

from collections.abc import Iterator

import pytest

from tests.e2e.clients import Containerd, Containers
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def containerd(root: None) -> Iterator[Containerd]:
    daemon = Containerd()
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def containers(root: None, tmp_path_factory: pytest.TempPathFactory) -> Containers:
    return Containers(tmp_path_factory.mktemp("containers"))


@pytest.fixture(params=["http", pytest.param("https", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest) -> Stack:
    """A registry over http, and one over https with the generated authority."""
    return request.getfixturevalue("stack" if request.param == "http" else "stack_tls")
