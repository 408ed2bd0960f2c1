"""What a personal token may be used for: data and pure functions, no database.

A scope only narrows: a token has what its scopes name and its owner may do at that moment. Whatever they name, a token
never manages accounts, passwords or tokens.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from auth import rbac


class Scope(StrEnum):
    """``pull``, ``push`` and ``delete`` are for ``/v2``, ``api:*`` for the REST API. Without ``admin`` the token of a
    system administrator has what its owner's memberships give, as anybody's."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    API_READ = "api:read"
    API_WRITE = "api:write"
    ADMIN = "admin"


_IMPLIED = {Scope.PUSH: Scope.PULL, Scope.API_WRITE: Scope.API_READ}
_ACCOUNTS = frozenset({"user:create", "user:update", "user:delete", "ldap-user:create"})
# The scopes of which one is needed; what is not here reads or changes something through the API.
_NEEDED: dict[str, frozenset[str]] = {
    "repository:pull": frozenset({Scope.PULL}),
    "repository:push": frozenset({Scope.PUSH}),
    "repository:delete": frozenset({Scope.DELETE, Scope.API_WRITE}),
    "catalog:read": frozenset({Scope.PULL}),
}


@dataclass(frozen=True, slots=True)
class TokenScope:
    """``names`` with what they imply; ``projects`` are ids, none for every project."""

    names: frozenset[str]
    projects: frozenset[int] = frozenset()

    @property
    def permissions(self) -> frozenset[str]:
        """What the token could do at most, if its owner may."""
        return _permissions(self.names)

    def covers(self, project_id: int) -> bool:
        return not self.projects or project_id in self.projects


def with_implied(names: Collection[str]) -> frozenset[str]:
    """``push`` includes ``pull``, and writing reading. Names that are no scope count for nothing."""
    known = {scope for scope in Scope if scope in names}
    return frozenset(known | {_IMPLIED[name] for name in known & _IMPLIED.keys()})


@lru_cache(maxsize=128)
def _permissions(names: frozenset[str]) -> frozenset[str]:
    every = (rbac.ALL_PROJECT_PERMISSIONS | rbac.ALL_SYSTEM_PERMISSIONS) - _ACCOUNTS
    return frozenset(permission for permission in every if names & _needed(permission))


def _needed(permission: str) -> frozenset[str]:
    reads = permission.endswith((":read", ":list"))
    return _NEEDED.get(permission, frozenset({Scope.API_READ if reads else Scope.API_WRITE}))
