"""Reading what clients send, leaving out zero values."""

from typing import Any

import pytest

from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import Listing, link_header
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import Flag, Items, Nested, Text, Whole, compact, read, read_text

SCHEMA = {
    "name": Text(max_length=3, required=True),
    "flag": Flag(),
    "count": Whole(low=0, high=9, default=5),
    "inner": Nested({"word": Text(default="none")}),
    "list": Items(Text()),
    "kind": Text(choices=("a", "b")),
}


def test_reads_with_defaults() -> None:
    data: dict[str, Any] = {"name": "abc", "flag": None, "inner": {}, "list": ["x"], "unknown": 1}
    assert read(SCHEMA, data) == {
        "name": "abc",
        "flag": None,
        "count": 5,
        "inner": {"word": "none"},
        "list": ["x"],
        "kind": None,
    }


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": None},
        {"name": 1},
        {"name": "abcd"},
        {"name": "a", "flag": "true"},
        {"name": "a", "count": True},
        {"name": "a", "count": 1.5},
        {"name": "a", "count": 10},
        {"name": "a", "count": -1},
        {"name": "a", "inner": []},
        {"name": "a", "inner": {"word": 1}},
        {"name": "a", "list": {}},
        {"name": "a", "list": [1]},
        {"name": "a", "kind": "c"},
    ],
)
def test_refuses(data: dict[str, Any]) -> None:
    with pytest.raises(HarborError) as caught:
        read(SCHEMA, data)
    assert caught.value.status == 422


@pytest.mark.parametrize("text", ["x", "1.0", "1e3", " 1", "٣", "9" * 30, "--1", "0x1"])
def test_whole_numbers_in_text(text: str) -> None:
    with pytest.raises(HarborError) as caught:
        read_text({"n": Whole()}, {"n": text})
    assert caught.value.status == 422
    assert read_text({"n": Whole()}, {"n": "-12"}) == {"n": -12}


def test_compact() -> None:
    values = {"a": 0, "b": "", "c": [], "d": {}, "e": False, "f": None, "g": 1, "h": 0}
    assert compact(values, "h") == {"g": 1, "h": 0}


def test_never_is_gos_zero_time() -> None:
    assert rfc3339(None) == "0001-01-01T00:00:00.000Z"


def _link(page: int, size: int, total: int, **query: str) -> str:
    pairs = [(key, [value]) for key, value in query.items()]
    return link_header("/api/v2.0/users", pairs, Listing(page, size), total)


def test_link() -> None:
    assert _link(1, 10, 10) == ""
    assert _link(1, 0, 100) == ""
    assert _link(1, 10, 11) == '</api/v2.0/users?page=2&page_size=10>; rel="next"'
    assert _link(2, 10, 20) == '</api/v2.0/users?page=1&page_size=10>; rel="prev"'
    assert _link(2, 10, 21, sort="-name", q="name=~a") == (
        '</api/v2.0/users?page=1&page_size=10&q=name=~a&sort=-name>; rel="prev" , '
        '</api/v2.0/users?page=3&page_size=10&q=name=~a&sort=-name>; rel="next"'
    )


def test_link_behind_the_end() -> None:
    """The previous page is named only when it holds something."""
    assert _link(3, 10, 11) == '</api/v2.0/users?page=2&page_size=10>; rel="prev"'
    assert _link(4, 10, 11) == ""


def test_link_cannot_be_broken_out_of() -> None:
    link = _link(1, 1, 2, q='x>; rel="next"\r\nSet-Cookie: a=b&page=7#é')
    assert link.count(">") == 1
    assert "\r" not in link
    assert "&page=7" not in link
    assert link.isascii()
