"""Which repositories the patterns of a proxy project let in."""

from typing import Any

import pytest

from replication.services.proxy.upstreams import Upstream


def upstream(**patterns: Any) -> Upstream:
    values: dict[str, Any] = {
        "project_id": 1, "project_name": "cache", "registry_id": 1, "registry_name": "far", "client": None,
        "is_hub": False, "freshness": 0.0, "offline": False, "speed": -1, "connections": -1, "serves_gone": True,
        "has_referrers": False, "filter_kind": "doublestar", "allowed": "", "denied": "",
    }  # fmt: skip
    return Upstream(**(values | patterns))


@pytest.mark.parametrize(
    ("patterns", "name", "taken"),
    [
        ({}, "base/app", True),
        ({"allowed": "base/**"}, "base/app", True),
        ({"allowed": "base/**"}, "other/app", False),
        ({"denied": "**/secret"}, "base/secret", False),
        ({"allowed": "base/**", "denied": "**/secret"}, "base/app", True),
        ({"allowed": "(", "filter_kind": "regex"}, "base/app", False),
        ({"denied": "(", "filter_kind": "regex"}, "base/app", False),
    ],
)
def test_what_comes_in(patterns: dict[str, Any], name: str, taken: bool) -> None:
    assert upstream(**patterns).takes(f"cache/{name}") is taken
