"""Globs: the answers of the library Harbor uses, and how long a hostile pattern takes."""

import json
import time
from pathlib import Path

import pytest

from harbor_core.lib.doublestar import MAX_LENGTH, BadPattern, match, validate

VECTORS = Path(__file__).parent / "doublestar"


def answer(pattern: str, name: str) -> str:
    try:
        return "true" if match(pattern, name) else "false"
    except BadPattern:
        return "err"


@pytest.mark.parametrize("file", ["doublestar-1.3.4.jsonl", "doublestar-1.3.4-truebiased.jsonl"])
def test_every_answer_of_the_library(file: str) -> None:
    rows = [json.loads(line) for line in (VECTORS / file).read_text().splitlines()]
    assert len(rows) > 4000
    assert [row for row in rows if answer(row[0], row[1]) != row[2]] == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("**", ["", "v1", "a/b/c"], []),
        ("*", ["", "v1"], ["a/b"]),
        ("v*", ["v", "v1.0"], ["1.0", "av1"]),
        ("{rolling,latest}", ["rolling", "latest"], ["roll", "latest2"]),
        ("team/**", ["team/app", "team/a/b"], ["team", "other/app"]),
        ("**/app", ["app", "team/app", "a/b/app"], ["app/x"]),
        ("[0-9]*.[^a]", ["1.b", "12.0"], ["1.a", "x.b"]),
        (r"\*", ["*"], ["a"]),
    ],
)
def test_patterns_of_rules(pattern: str, yes: list[str], no: list[str]) -> None:
    validate(pattern)
    assert [match(pattern, name) for name in yes + no] == [True] * len(yes) + [False] * len(no)


@pytest.mark.parametrize("pattern", ["[", "[]", "[a", "{a", "{a,{b}", "a\\", "[-a]", "[a-]", "[a\\]"])
def test_unfinished_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        validate(pattern)


@pytest.mark.parametrize("pattern", ["a" * (MAX_LENGTH + 1), "*a" * 65, "{a,b}" * 65])
def test_long_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        validate(pattern)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 64 + "b", "a" * 255),
        ("{a,aa}" * 64 + "b", "a" * 255),
        ("**/" * 32 + "x", "/".join("a" * 128)),
        ("*{a,*a}" * 16 + "b", "a" * 255),
        ("**/" * 31 + "[", "/".join("a" * 128)),
        ("{" * 60 + "a" + "}" * 60 + "b", "a" * 255),
    ],
)
def test_a_hostile_pattern_costs_little(pattern: str, name: str) -> None:
    """Tried one way after the other these take longer than the universe has."""
    start = time.process_time()
    assert answer(pattern, name) == "false"
    assert time.process_time() - start < 5
