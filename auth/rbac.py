"""What roles mean: data and pure functions, no database.

A permission is written ``resource:action``. Tables: Harbor's role matrix (role ids 1 project admin, 2 developer,
3 guest, 4 maintainer, 5 limited guest), what anyone may do in a public project, and what robots can be granted.
"""

from enum import IntEnum

_LETTERS = {"c": "create", "r": "read", "u": "update", "d": "delete", "l": "list"}


class Role(IntEnum):
    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3
    MAINTAINER = 4
    LIMITED_GUEST = 5


ROLE_NAMES = {
    Role.PROJECT_ADMIN: "projectAdmin",
    Role.DEVELOPER: "developer",
    Role.GUEST: "guest",
    Role.MAINTAINER: "maintainer",
    Role.LIMITED_GUEST: "limitedGuest",
}
# Highest first, where one role has to stand for several.
ROLE_ORDER = (Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST)


def _expand(table: dict[str, str]) -> frozenset[str]:
    """``{"label": "crudl", "repository": "rl pull"}`` -> permissions; letters are create/read/update/delete/list."""
    permissions: set[str] = set()
    for resource, spec in table.items():
        for word in spec.split():
            actions = [_LETTERS[letter] for letter in word] if set(word) <= set(_LETTERS) else [word]
            permissions.update(f"{resource}:{action}" for action in actions)
    return frozenset(permissions)


_PROJECT_ADMIN = {
    "project": "rud",
    "member": "crudl",
    "metadata": "crud",
    "log": "l",
    "label": "crudl",
    "quota": "r",
    "repository": "crudl pull push",
    "tag-retention": "crudl operate",
    "immutable-tag": "cudl",
    "configuration": "ru",
    "robot": "crudl",
    "notification-policy": "crudl",
    "scan": "cr stop",
    "sbom": "cr stop",
    "scanner": "cr",
    "artifact": "crdl",
    "artifact-addition": "r",
    "tag": "cdl",
    "accessory": "l",
    "artifact-label": "cd",
    "preheat-policy": "crudl",
    "export-cve": "crl",
}
_MAINTAINER = {
    "project": "r",
    "member": "rl",
    "metadata": "r",
    "label": "crudl",
    "quota": "r",
    "repository": "crudl pull push",
    "tag-retention": "crudl operate",
    "immutable-tag": "cudl",
    "configuration": "r",
    "robot": "rl",
    "notification-policy": "lr",
    "scan": "cr stop",
    "sbom": "cr stop",
    "scanner": "r",
    "artifact": "crdl",
    "artifact-addition": "r",
    "tag": "cdl",
    "accessory": "l",
    "artifact-label": "cd",
    "export-cve": "crl",
}
_DEVELOPER = {
    "project": "r",
    "member": "rl",
    "label": "rl",
    "quota": "r",
    "repository": "crul pull push",
    "tag-retention": "crudl operate",
    "configuration": "r",
    "robot": "rl",
    "scan": "r",
    "sbom": "r",
    "scanner": "r",
    "artifact": "crl",
    "artifact-addition": "r",
    "tag": "cl",
    "accessory": "l",
    "artifact-label": "cd",
    "export-cve": "crl",
}
_GUEST = {
    "project": "r",
    "member": "rl",
    "label": "rl",
    "quota": "r",
    "repository": "rl pull",
    "configuration": "r",
    "robot": "rl",
    "scan": "r",
    "sbom": "r",
    "scanner": "r",
    "artifact": "rl",
    "artifact-addition": "r",
    "tag": "l",
    "accessory": "l",
}
_LIMITED_GUEST = {
    "project": "r",
    "quota": "r",
    "repository": "rl pull",
    "configuration": "r",
    "scan": "r",
    "sbom": "r",
    "scanner": "r",
    "artifact": "rl",
    "artifact-addition": "r",
    "tag": "l",
    "accessory": "l",
}
_PUBLIC = {
    "project": "r",
    "label": "rl",
    "repository": "l pull",
    "scan": "r",
    "scanner": "r",
    "tag": "l",
    "artifact": "rl",
    "artifact-addition": "r",
    "accessory": "l",
}
# GET /permissions: what a robot can be granted. Beyond the roles: metadata:list. Not grantable: robot:update,
# tag-retention:operate, configuration.
_ROBOT_PROJECT = {
    "log": "l",
    "project": "rdu",
    "metadata": "rcdlu",
    "repository": "rudl pull push",
    "artifact": "rcld",
    "scan": "cr stop",
    "sbom": "c stop r",
    "tag": "cld",
    "accessory": "l",
    "artifact-addition": "r",
    "artifact-label": "cd",
    "scanner": "cr",
    "preheat-policy": "rcdlu",
    "immutable-tag": "cdlu",
    "notification-policy": "rcdlu",
    "tag-retention": "rcdlu",
    "label": "rcdlu",
    "quota": "r",
    "robot": "crld",
    "export-cve": "cr",
    "member": "cruld",
}
_ROBOT_SYSTEM = {
    "audit-log": "l",
    "preheat-instance": "rcdlu",
    "project": "lc",
    "replication-policy": "rcdlu",
    "replication": "rcl",
    "replication-adapter": "l",
    "registry": "rcdlu",
    "scan-all": "ru stop c",
    "system-volumes": "r",
    "garbage-collection": "rclu stop",
    "purge-audit": "rclu stop",
    "jobservice-monitor": "l stop",
    "scanner": "rcdlu",
    "label": "rcdu",
    "security-hub": "rl",
    "catalog": "r",
    "quota": "rlu",
    "robot": "crld",
    "user": "crlud",
    "ldap-user": "cl",
    "user-group": "crlud",
}
# Robots cannot have these; those of webhooks are for policies that see every project.
_SYSTEM_EXTRA = {"configuration": "ru", "robot": "u", "label": "l", "statistics": "r", "notification-policy": "crudl"}

ROLE_PERMISSIONS: dict[int, frozenset[str]] = {
    Role.PROJECT_ADMIN: _expand(_PROJECT_ADMIN),
    Role.MAINTAINER: _expand(_MAINTAINER),
    Role.DEVELOPER: _expand(_DEVELOPER),
    Role.GUEST: _expand(_GUEST),
    Role.LIMITED_GUEST: _expand(_LIMITED_GUEST),
}
PUBLIC_PERMISSIONS = _expand(_PUBLIC)
ROBOT_PROJECT_PERMISSIONS = _expand(_ROBOT_PROJECT)
ROBOT_SYSTEM_PERMISSIONS = _expand(_ROBOT_SYSTEM)
# Everything a system administrator may do inside a project, and on the system.
ALL_PROJECT_PERMISSIONS = frozenset().union(*ROLE_PERMISSIONS.values()) | ROBOT_PROJECT_PERMISSIONS
ALL_SYSTEM_PERMISSIONS = ROBOT_SYSTEM_PERMISSIONS | _expand(_SYSTEM_EXTRA)

# What the registry's token grants, and the permission behind each action (distribution token spec: scope actions).
TOKEN_ACTIONS = {
    "pull": "repository:pull",
    "push": "repository:push",
    "delete": "repository:delete",
}


def highest_role(roles: set[int]) -> int:
    """The role that stands for several, 0 for none."""
    return next((role.value for role in ROLE_ORDER if role in roles), 0)


def permissions_of(roles: set[int], *, public: bool, sysadmin: bool) -> frozenset[str]:
    """Permissions of a user in a project: union over direct and group roles, and what a public project gives anyone."""
    if sysadmin:
        return ALL_PROJECT_PERMISSIONS
    granted = PUBLIC_PERMISSIONS if public else frozenset()
    for role in roles:
        granted |= ROLE_PERMISSIONS.get(role, frozenset())
    return granted
