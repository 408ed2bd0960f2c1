"""What robots are called when they sign in.

A robot's login name is a configured prefix and its short name, ``robot$ci``, with the project before it if it belongs
to one: ``robot$team+ci``. The prefix is a setting, so the name is never stored.

Shells and files of CI systems eat the ``$``, so the same robot also signs in under an alias where such characters are
``+``: ``robot+ci``, ``robot+team+ci``. Short names and project names hold no ``+``: no two robots share an alias.
User names may hold one: a user who is called so signs in, not the robot.
"""

import re
from datetime import datetime

from auth.models import Robot
from harbor_core.lib import sql
from harbor_core.services.config import config_get
from projects.models import Project

# Everything a POSIX shell leaves alone outside quotes; ``:`` ends the user name in Basic credentials.
_UNSAFE = re.compile(r"[^A-Za-z0-9@%_=,./+-]")

_COLUMNS = (
    "id",
    "name",
    "project_id",
    "secret_digest",
    "previous_secret_digest",
    "previous_secret_until",
    "last_used_at",
)
_SELECT = f"SELECT {', '.join(f'r.{column}' for column in _COLUMNS)} FROM harbor_auth_robot r"
_LIVE = "r.name = %s AND NOT r.disabled AND (r.expires_at IS NULL OR r.expires_at > %s)"
_OF_SYSTEM = f"{_SELECT} WHERE r.project_id IS NULL AND {_LIVE}"
_OF_PROJECT = f"""
    {_SELECT} JOIN harbor_projects_project p ON p.id = r.project_id
    WHERE p.name = %s AND NOT p.deleted AND {_LIVE}
"""


def prefix() -> str:
    return str(config_get("robot_name_prefix"))


def alias_prefix(login_prefix: str) -> str:
    return _UNSAFE.sub("+", login_prefix)


def full(short_name: str, project_name: str | None) -> str:
    """The login name of a robot of the project, or of the system without one."""
    return f"{prefix()}{project_name}+{short_name}" if project_name is not None else f"{prefix()}{short_name}"


def _split(login_name: str) -> tuple[str | None, str] | None:
    """Project and short name; None for a name no robot has."""
    lead = next((lead for lead in (prefix(), alias_prefix(prefix())) if login_name.startswith(lead)), None)
    if lead is None:
        return None
    project_name, plus, name = login_name[len(lead) :].rpartition("+")
    return (project_name if plus else None), name


def find(login_name: str, now: datetime) -> Robot | None:
    """The robot with this login name or alias, unless it is disabled or has expired: with what signing in asks
    for, the rest is deferred. One statement."""
    parts = _split(login_name)
    if parts is None:
        return None
    project_name, name = parts
    statement, place = (_OF_SYSTEM, []) if project_name is None else (_OF_PROJECT, [project_name])
    row = sql.fetch_one(statement, [*place, name, sql.time(now)])
    if row is None:
        return None
    robot = Robot.from_db("default", _COLUMNS, row)
    robot.previous_secret_until, robot.last_used_at = map(sql.moment, row[-2:])
    robot.project = Project.from_db("default", ["id", "name"], [row[2], project_name]) if place else None
    return robot


def is_taken(login_name: str) -> bool:
    """Does a robot sign in so, enabled or not?"""
    parts = _split(login_name)
    if parts is None:
        return False
    project_name, name = parts
    robots = Robot.objects.filter(name=name)
    if project_name is None:
        return robots.filter(project__isnull=True).exists()
    return robots.filter(project__name=project_name, project__deleted=False).exists()


def login(robot: Robot) -> str:
    return full(robot.name, robot.project.name if robot.project else None)


def alias(robot: Robot) -> str:
    """The name without special characters; the login name itself when it has none."""
    name = login(robot)
    return alias_prefix(prefix()) + name[len(prefix()) :]
