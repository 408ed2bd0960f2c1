"""What matters most about a proxy project, on SQLite with its blobs in S3: the tests are those of the usual stack."""

import pytest

from tests.replication.test_proxy_cache import (
    api,
    far,
    test_a_client_that_goes_away_does_not_end_the_fetch,
    test_a_hundred_cold_pulls_ask_upstream_once,
    test_an_image_is_fetched_once_and_becomes_an_artifact,
    test_an_index_stays_as_it_is_and_its_children_come_when_asked_for,
    test_first_bytes_come_before_the_last_are_there,
    there,
    upstream,
)
from tests.replication.test_proxy_failures import (
    test_a_connection_that_breaks_is_gone_on_with,
    test_a_tag_that_moves_is_followed_and_kept_when_it_is_gone,
)
from tests.support.stack import Stack

__all__ = [
    "api",
    "far",
    "test_a_client_that_goes_away_does_not_end_the_fetch",
    "test_a_connection_that_breaks_is_gone_on_with",
    "test_a_hundred_cold_pulls_ask_upstream_once",
    "test_a_tag_that_moves_is_followed_and_kept_when_it_is_gone",
    "test_an_image_is_fetched_once_and_becomes_an_artifact",
    "test_an_index_stays_as_it_is_and_its_children_come_when_asked_for",
    "test_first_bytes_come_before_the_last_are_there",
    "there",
    "upstream",
]


@pytest.fixture
def site(stack_s3: Stack) -> Stack:
    return stack_s3
