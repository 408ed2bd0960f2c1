"""Every list against paging, sorting and queries nobody should send: a clear refusal or an answer, never a failure."""

import itertools
from urllib.parse import quote

import pytest

from tests.api.crowd import LISTS, grow, where
from tests.cast import World

BIG, LONG = 2**63, "x" * 9000
NUMBERS = ["0", "-1", "1", "101", "999999999", str(BIG - 1), str(BIG), "1" * 400, "1.5", "1e3", "٣", "x", "%00", "NaN"]
KEYS = ["id", "name", "creation_time", "op_time", "public", "tags", "labels"]
VALUES = [
    *[
        "x",
        "",
        "~",
        "~%",
        "~_",
        "~\\",
        "\\",
        "[",
        "[~]",
        "[1~2]",
        "[a~b~c]",
        "[2020-01-01T00:00:00~]",
        "{",
        "{}",
        "{1 2}",
    ],
    *["()", "(1 2)", "(a b", "'", '"', "''", "nil", "*", "-1", str(BIG), "9" * 500, "1e999"],
    *[
        "2020-13-45T99:99:99",
        "🐳",
        "%2500",
        "%zz",
        "%25zz",
        "\\u0000",
        "a=b=c",
        LONG,
        "' OR '1'='1",
        "$$",
        "{{7*7}}",
        "../..",
        "\x7f",
        "true",
    ],
]
QUERIES = ["=", ",", "a", "a=1,b", ",,,", "=x", f"{LONG}=1", "%", "%ff=%ff", "owner__password=~a", "pk=1"]
SORTS = [
    *["name", "-name", "+name", "--name", "-", ",", "name,-name,name", "nope", "id;drop table", "name desc", "-name,"],
    *["project__owner__password", "owner__password", "pk", "?", "secret_digest", "é", LONG, ",".join(["-id"] * 500)],
]
OTHERS = ["page=1&page=2&page_size=1&page_size=5", "q=name=a&q=name=b", "page[]=1", "&&&=&", "page_size=", "sort=&q="]
ATTACKS = [
    *(f"page={number}&page_size={size}" for number, size in itertools.product(NUMBERS, ("0", "2"))),
    *(f"page_size={number}" for number in NUMBERS),
    *(f"q={quote(f'{key}={value}', safe='%')}" for key, value in itertools.product(KEYS, VALUES)),
    *(f"q={quote(query, safe='%')}" for query in QUERIES),
    *(f"sort={quote(sort)}" for sort in SORTS),
    *OTHERS,
]
SHARE = 15  # `make test` sends each list this part (1/n) of them, each list another one


def failures(world: World, persona: str, share: int, fine: set[int]) -> list[tuple[int, str, str]]:
    grow(world, 3)
    found = []
    for number, template in enumerate(LISTS):
        path = where(world, template)
        for attack in ATTACKS[number % share :: share]:
            response = world.api(persona, "GET", f"{path}{'&' if '?' in path else '?'}{attack}")
            if response.status_code not in fine:
                found.append((response.status_code, template, attack[:120]))
    return found


def test_no_list_fails(world: World) -> None:
    assert failures(world, "sysadmin", SHARE, {200, 400, 422}) == []


@pytest.mark.slow
@pytest.mark.parametrize("persona", ["sysadmin", "developer", "anonymous"])
def test_no_list_fails_anyhow(persona: str, world: World) -> None:
    assert failures(world, persona, 1, {200, 400, 401, 403, 404, 412, 422}) == []


def test_pages_tell_one_total_and_every_row_once(world: World) -> None:
    grow(world, 7)
    for template in LISTS:
        path = where(world, template)
        join = "&" if "?" in path else "?"
        total = int(world.api("sysadmin", "GET", f"{path}{join}page_size=3")["X-Total-Count"])
        rows = []
        for page in range(1, total // 3 + 3):
            response = world.api("sysadmin", "GET", f"{path}{join}page={page}&page_size=3")
            assert (response.status_code, int(response["X-Total-Count"])) == (200, total), (template, page)
            rows += response.json()
        everything = world.api("sysadmin", "GET", f"{path}{join}page_size=0")
        assert int(everything["X-Total-Count"]) == total, template
        assert rows == everything.json(), template
        assert len(rows) == total, template
