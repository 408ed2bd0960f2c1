"""Kinds of patterns beyond doublestar, which has tests of its own."""

import time

import pytest

from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern


@pytest.mark.parametrize(
    ("kind", "pattern", "yes", "no"),
    [
        ("doublestar", "v1.*", ["v1.2"], ["v2.1"]),
        ("regex", "v[0-9]+", ["v1", "v22"], ["v1x", "xv1", ""]),
        ("regex", "a|b", ["a", "b"], ["ab", "ac"]),
        ("regex", "版本.+", ["版本1"], ["版本"]),
        ("semver", "^1.4", ["1.4.0", "v1.9.3", "1.5", "1.4.2+build"], ["1.3.9", "2.0.0", "latest", "1.5.0-rc.1", "1"]),
        ("semver", ">=2.0.0-0", ["2.0.0-rc.1", "v3"], ["1.9.9", "2x", "2.0.0.0", ""]),
        ("semver", "*", ["1.2.3", "v1"], ["latest"]),
        ("semver", "1.x || >=3", ["1.7.1", "3.0.0"], ["2.1.0", "main", "20260101T0000"]),
    ],
)
def test_what_matches(kind: str, pattern: str, yes: list[str], no: list[str]) -> None:
    patterns.check(kind, pattern)
    assert [name for name in yes if not patterns.matches(kind, pattern, name)] == []
    assert [name for name in no if patterns.matches(kind, pattern, name)] == []


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("doublestar", "[a"),
        ("regex", "(a"),
        ("regex", "(?<=a)b"),  # no look-behind and no back-references: what would take them back to exponential time
        ("regex", r"(a)\1"),
        ("regex", "((a{100}){100}){100}"),
        ("regex", "a" * 513),
        ("semver", "newest"),
    ],
)
def test_what_is_refused(kind: str, pattern: str) -> None:
    with pytest.raises(BadPattern):
        patterns.check(kind, pattern)


def test_no_pattern_takes_exponential_time() -> None:
    begun = time.process_time()
    assert not patterns.matches("regex", "(a+)+$", "a" * 128 + "!")
    assert time.process_time() - begun < 1
