"""Stacks that are broken on purpose: nobody else's, and with each database."""

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.support.stack import Stack


@pytest.fixture(scope="package", params=["postgres", pytest.param("sqlite", marks=pytest.mark.slow)])
def victim(request: pytest.FixtureRequest) -> Iterator[Stack]:
    database: Literal["postgres", "sqlite"] = request.param
    with Stack() as running:
        yield running.start(database=database, HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8")  # where tests listen
