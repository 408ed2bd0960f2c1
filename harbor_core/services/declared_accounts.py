"""Sections of the declared configuration about who may sign in: users, groups of identity providers, robots."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.hashers import check_password
from django.utils import timezone

from auth import robot_names
from auth.actor import Actor
from auth.credentials import secret_digest
from auth.models import ADMIN_ID, Robot, RobotTrust, User, UserGroup
from auth.selectors.groups import groups_in_use, type_in_use
from auth.selectors.robots import entries, every_robot
from auth.services import groups, robots, trusts, users
from harbor_core.lib.errors import HarborError
from harbor_core.lib.wire import Anything, Flag, Items, Nested, Pairs, Text, Whole
from harbor_core.services.config import config_get
from harbor_core.services.declared_sections import differs, fields, without
from projects.models import Project

SYSTEM_PLACE = "/"
PUSH, PULL = "repository:push", "repository:pull"


class Users:
    """Accounts with a password here; those of an identity provider make themselves. Without ``password`` nobody can
    sign in as a new one until it is set."""

    FIELDS = {"realname": Text(), "email": Text(), "comment": Text(), "admin": Flag(), "password": Text()}
    _PROFILE = ("realname", "email", "comment")

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        return fields(where, value or {}, self.FIELDS)

    def read(self, names: set[str]) -> dict[str, Any]:
        return {user.username: _user_shown(user) for user in User.objects.filter(username__in=names, deleted=False)}

    def export(self) -> dict[str, Any]:
        if config_get("auth_mode") != "db_auth":
            return {}
        found = User.objects.filter(deleted=False).exclude(pk=ADMIN_ID).order_by("username")
        defaults = {"email": "", "comment": "", "admin": False}
        return {user.username: without(_user_shown(user), defaults | {"realname": user.username}) for user in found}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        user = User.objects.filter(username=name, deleted=False).first()
        if user is None:
            user = users.create(
                actor,
                username=name,
                password=values.get("password"),
                realname=values.get("realname") or name,
                email=values.get("email", ""),
                comment=values.get("comment", ""),
            )
        else:
            self._change(actor, user, values)
        if values.get("admin", user.sysadmin_flag) != user.sysadmin_flag:
            users.set_sysadmin(actor, user.pk, values["admin"])

    def _change(self, actor: Actor, user: User, values: Mapping[str, Any]) -> None:
        stated = {name: values[name] for name in self._PROFILE if name in values}
        if differs(stated, _user_shown(user)):
            users.update_profile(actor, user.pk, **stated)
        if "password" in values and not check_password(values["password"], user.password):
            users.change_password(actor, user.pk, new=values["password"], old="", address="")


def _user_shown(user: User) -> dict[str, Any]:
    profile = {"realname": user.realname, "email": user.email or "", "comment": user.comment}
    return {**profile, "admin": user.sysadmin_flag}


class Groups:
    """Of the identity provider in use: LDAP knows them by distinguished name and gives them a ``name``, the others by
    their name alone."""

    FIELDS = {"name": Text()}

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        return fields(where, value or {}, self.FIELDS)

    def read(self, names: set[str]) -> dict[str, Any]:
        known = {name: _group(name) for name in names}
        return {name: _group_shown(group) for name, group in known.items() if group is not None}

    def export(self) -> dict[str, Any]:
        return {_group_key(group): _group_shown(group) for group in groups_in_use()} if type_in_use() else {}

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        current = type_in_use()
        if current is None:
            raise HarborError("BAD_REQUEST", "groups come with LDAP, HTTP or OIDC authentication")
        ldap = current is UserGroup.Type.LDAP
        if not ldap and values.get("name", name) != name:
            raise HarborError("BAD_REQUEST", "a group of this authentication is called as it is known by")
        known = _group(name)
        if known is None:
            label = values.get("name", "") if ldap else name
            groups.create(actor, name=label, group_type=current, dn=name if ldap else "")
        elif values.get("name", known.group_name) != known.group_name:
            groups.rename(actor, known.pk, values["name"])


def _group_key(group: UserGroup) -> str:
    return group.ldap_group_dn or group.group_name


def _group(name: str) -> UserGroup | None:
    """In a directory case does not matter."""
    current = type_in_use()
    if current is None:
        return None
    known_by = {"ldap_group_dn": name.lower()} if current is UserGroup.Type.LDAP else {"group_name": name}
    return groups_in_use().filter(**known_by).first()


def _group_shown(group: UserGroup) -> dict[str, str]:
    return {"name": group.group_name} if group.ldap_group_dn else {}


class Robots:
    """``ci`` is a robot of the system, ``team+ci`` one of a project. ``permissions`` by place: a project, ``*`` for
    every one, ``/`` for the system. Without ``secret`` a new one gets a secret that nobody knows until it is renewed.
    """

    TRUST = Nested(
        {
            "issuer": Text(required=True),
            "audience": Text(required=True),
            "claims": Pairs(Text(), required=True),
            "jwks_uri": Text(default=""),
            "jwks": Nested({"keys": Items(Pairs(Anything()), required=True)}),
            "ca_certificate": Text(default=""),
        }
    )
    FIELDS = {
        "description": Text(max_length=1024),
        "disabled": Flag(),
        "duration": Whole(),  # days from its creation on, -1 for ever
        "permissions": Pairs(Items(Text())),
        "trusts": Pairs(TRUST),
        "secret": Text(),
    }
    _DEFAULTS: Mapping[str, Any] = {"description": "", "disabled": False, "trusts": {}}

    def checked(self, where: str, value: Any) -> dict[str, Any]:
        stated = fields(where, value or {}, self.FIELDS)
        if "permissions" in stated:
            stated["permissions"] = {place: _whole(granted) for place, granted in stated["permissions"].items()}
        return stated

    def read(self, names: set[str]) -> dict[str, Any]:
        short = {name.rpartition("+")[2] for name in names}
        found = {_robot_key(robot): robot for robot in every_robot().filter(name__in=short)}
        return {name: _robot_shown(robot) for name, robot in found.items() if name in names}

    def export(self) -> dict[str, Any]:
        shown = {_robot_key(robot): without(_robot_shown(robot), self._DEFAULTS) for robot in every_robot()}
        return dict(sorted(shown.items()))

    def put(self, actor: Actor, name: str, values: dict[str, Any]) -> None:
        called_so = every_robot().filter(name=name.rpartition("+")[2])
        robot = next((robot for robot in called_so if _robot_key(robot) == name), None)
        if robot is None:
            robot = self._create(actor, name, values)
        else:
            current = _robot_shown(robot)
            if differs({key: values[key] for key in values if key not in ("secret", "trusts")}, current):
                wanted = self._wanted(robot_names.login(robot), robot.level, {**current, **values})
                robots.update(actor, robot.pk, wanted)
            if "secret" in values and secret_digest(values["secret"]) not in robot.live_digests(timezone.now()):
                robots.refresh_secret(actor, robot.pk, secret=values["secret"])
        if "trusts" in values:
            _put_trusts(actor, robot, values["trusts"])

    def _create(self, actor: Actor, name: str, values: Mapping[str, Any]) -> Robot:
        project_name, _, short = name.rpartition("+")
        project = Project.objects.filter(name=project_name, deleted=False).first() if project_name else None
        if project_name and project is None:
            raise HarborError("BAD_REQUEST", f"there is no project {project_name[:255]}")
        level = Robot.Level.PROJECT if project else Robot.Level.SYSTEM
        wanted = self._wanted(short, level, values)
        return robots.create(actor, wanted, project=project, secret=values.get("secret", ""))[0]

    @staticmethod
    def _wanted(name: str, level: str, values: Mapping[str, Any]) -> robots.Wanted:
        def access(permission: str) -> dict[str, str]:
            resource, _, action = permission.partition(":")
            return {"resource": resource, "action": action, "effect": ""}

        permissions = [
            {
                "kind": "system" if place == SYSTEM_PLACE else "project",
                "namespace": place,
                "access": [access(permission) for permission in granted],
            }
            for place, granted in values.get("permissions", {}).items()
        ]
        return robots.read_wanted(
            name=name,
            level=level,
            description=values.get("description", ""),
            disable=values.get("disabled", False),
            duration=values.get("duration"),
            permissions=permissions,
        )


def _robot_key(robot: Robot) -> str:
    return f"{robot.project.name}+{robot.name}" if robot.project else robot.name


def _robot_shown(robot: Robot) -> dict[str, Any]:
    return {
        "description": robot.description,
        "disabled": robot.disabled,
        "duration": robot.duration,
        "permissions": {entry.namespace: list(entry.permissions) for entry in entries(robot)},
        "trusts": {trust.name: _trust_shown(trust) for trust in sorted(robot.trusts.all(), key=lambda one: one.name)},
    }


def _whole(granted: list[str]) -> list[str]:
    """As they are stored: pushing includes pulling."""
    return sorted({*granted, *((PULL,) if PUSH in granted else ())})


# ---------------------------------------------------------------------- whose tokens stand for a robot
def _trust_shown(trust: RobotTrust) -> dict[str, Any]:
    return {name: getattr(trust, name) for name in Robots.TRUST.fields}


def _put_trusts(actor: Actor, robot: Robot, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    known = {trust.name: trust for trust in RobotTrust.objects.filter(robot=robot)}
    for name in known.keys() - wanted.keys():
        trusts.delete(actor, robot, known[name].pk)
    for name, values in wanted.items():
        trust = trusts.Wanted(name=name, **values)
        if name not in known:
            trusts.create(actor, robot, trust)
        elif _trust_shown(known[name]) != values:
            trusts.update(actor, robot, known[name].pk, trust)
