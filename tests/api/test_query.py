"""The query language (contract 2.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_core.lib.errors import HarborError
from harbor_core.lib.query import AllOf, AnyOf, Exact, Fuzzy, Order, Range, parse_query, parse_sort, snake_case


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", {}),
        ("k=v", {"k": Exact("v")}),
        ("k=", {"k": Exact("")}),
        ("k=a=b", {"k": Exact("a=b")}),
        ("k=~part", {"k": Fuzzy("part")}),
        ("k=[1~9]", {"k": Range("1", "9")}),
        ("k=[~9]", {"k": Range("", "9")}),
        ("k=[1~]", {"k": Range("1", "")}),
        ("k={a b  c}", {"k": AnyOf(("a", "b", "c"))}),
        ("k=(a b)", {"k": AllOf(("a", "b"))}),
        ("a=1,b=~2", {"a": Exact("1"), "b": Fuzzy("2")}),
        ('k="7"', {"k": Exact("7")}),
        ("k='7'", {"k": Exact("7")}),
        ("k={'a' \"b\"}", {"k": AnyOf(("a", "b"))}),
        (r"k=\~v", {"k": Exact("~v")}),
        (r"k=\[v", {"k": Exact("[v")}),
        ("k=a%2Cb", {"k": Exact("a"), "b": None}),
        ("k=a%20b", {"k": Exact("a b")}),
        ("k=a+b", {"k": Exact("a b")}),
        ("ProjectID=1,Level=project", {"project_id": Exact("1"), "level": Exact("project")}),
        ("k=1,k=2", {"k": Exact("2")}),
    ],
)
def test_reads(text: str, conditions: dict) -> None:
    if None in conditions.values():  # decoding comes before splitting, so this is a second condition without a value
        with pytest.raises(HarborError):
            parse_query(text)
    else:
        assert parse_query(text) == conditions


@pytest.mark.parametrize(
    "text", ["k", "=v", "k=[1]", "k=[1~2~3]", "k=[1~2", "k={a b", "k=(a", "k=%zz", "k=%ff", "k=%00", "k=[", "a=1,,b=2"]
)
def test_refuses(text: str) -> None:
    with pytest.raises(HarborError) as caught:
        parse_query(text)
    assert caught.value.status == 400


@given(st.text(max_size=200))
def test_never_fails_otherwise(text: str) -> None:
    try:
        conditions = parse_query(text)
    except HarborError as error:
        assert error.status == 400
    else:
        assert all("\0" not in repr(key) for key in conditions)


@given(st.text(max_size=200))
def test_sort_reads_anything(text: str) -> None:
    assert all(order.key for order in parse_sort(text))


def test_sort() -> None:
    assert parse_sort("name,-CreationTime") == [Order("name"), Order("creation_time", True)]
    assert parse_sort("") == []
    assert parse_sort(",,-") == []


@pytest.mark.parametrize(
    ("key", "snake"), [("ProjectID", "project_id"), ("name", "name"), ("OwnerId", "owner_id"), ("CVEId", "cve_id")]
)
def test_snake_case(key: str, snake: str) -> None:
    assert snake_case(key) == snake
