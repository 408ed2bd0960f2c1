"""The complete role matrix (contract 2.8), written a second time and by hand: a change must be made twice."""

import pytest

from auth import rbac
from auth.rbac import Role

# resource -> actions of project admin | maintainer | developer | guest | limited guest
MATRIX = """
project             | read update delete | read | read | read | read
member              | create read update delete list | read list | read list | read list |
metadata            | create read update delete | read | | |
log                 | list | | | |
label               | create read update delete list | create read update delete list | read list | read list |
quota               | read | read | read | read | read
repository          | create read update delete list pull push | create read update delete list pull push | create read update list pull push | read list pull | read list pull
tag-retention       | create read update delete list operate | create read update delete list operate | create read update delete list operate | |
immutable-tag       | create update delete list | create update delete list | | |
configuration       | read update | read | read | read | read
robot               | create read update delete list | read list | read list | read list |
notification-policy | create read update delete list | list read | | |
scan                | create read stop | create read stop | read | read | read
sbom                | create read stop | create read stop | read | read | read
scanner             | create read | read | read | read | read
artifact            | create read delete list | create read delete list | create read list | read list | read list
artifact-addition   | read | read | read | read | read
tag                 | create delete list | create delete list | create list | list | list
accessory           | list | list | list | list | list
artifact-label      | create delete | create delete | create delete | |
preheat-policy      | create read update delete list | | | |
export-cve          | create read list | create read list | create read list | |
"""  # noqa: E501
COLUMNS = (Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST)
PUBLIC = {
    "project:read",
    "label:read",
    "label:list",
    "repository:list",
    "repository:pull",
    "scan:read",
    "scanner:read",
    "tag:list",
    "artifact:read",
    "artifact:list",
    "artifact-addition:read",
    "accessory:list",
}


def _column(position: int) -> set[str]:
    granted = set()
    for line in MATRIX.strip().splitlines():
        resource, *cells = (cell.strip() for cell in line.split("|"))
        assert len(cells) == len(COLUMNS), line
        granted |= {f"{resource}:{action}" for action in cells[position].split()}
    return granted


@pytest.mark.parametrize("position", range(5), ids=[role.name for role in COLUMNS])
def test_roles(position: int) -> None:
    assert rbac.ROLE_PERMISSIONS[COLUMNS[position]] == _column(position)


def test_public() -> None:
    assert rbac.PUBLIC_PERMISSIONS == PUBLIC
    assert rbac.permissions_of(set(), public=True, sysadmin=False) == PUBLIC
    assert rbac.permissions_of(set(), public=False, sysadmin=False) == set()


def test_rights_add_up() -> None:
    both = rbac.permissions_of({Role.GUEST, Role.DEVELOPER}, public=True, sysadmin=False)
    assert both == _column(2) | _column(3) | PUBLIC


def test_administrators_may_everything() -> None:
    everything = rbac.permissions_of(set(), public=False, sysadmin=True)
    assert everything >= set().union(*(_column(position) for position in range(5)))
    assert "metadata:list" in everything  # in no role


def test_a_role_that_does_not_exist_grants_nothing() -> None:
    assert rbac.permissions_of({0, 6, -1}, public=False, sysadmin=False) == set()


@pytest.mark.parametrize(
    ("roles", "highest"), [(set(), 0), ({5}, 5), ({5, 3}, 3), ({3, 2}, 2), ({2, 4}, 4), ({4, 1, 5}, 1)]
)
def test_highest(roles: set[int], highest: int) -> None:
    assert rbac.highest_role(roles) == highest


def test_robots_cannot_be_granted_what_is_kept_from_them() -> None:
    for permission in ("robot:update", "tag-retention:operate", "configuration:read", "configuration:update"):
        assert permission not in rbac.ROBOT_PROJECT_PERMISSIONS
        assert permission not in rbac.ROBOT_SYSTEM_PERMISSIONS
