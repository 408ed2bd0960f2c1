"""Accounts for machines: create, change, renew the secret, delete. Rules: contract 2.6 and 2.9."""

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from auth import robot_names
from auth.actor import Actor
from auth.credentials import secret_digest
from auth.models import Robot, User
from auth.services import grants
from auth.services.grants import Grant, Wish
from auth.services.users import check_password_rules
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects import access
from projects.models import Project

NEVER = -1  # duration and expires_at of a robot that does not expire
SECRET_LENGTH = 32
NAME_MAX = 255
DURATION_MAX = 2**31 - 1  # days
MAX_OVERLAP_HOURS = 365 * 24
LOCAL, BY_ROBOT = "local", "robot"  # creator_type
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)  # what a database and a client can tell
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Wanted:
    """A robot as a client asks for it. ``name`` is short when it is created and full when it is changed; ``duration``
    is in days, -1 for ever, None for what the settings say or what it was."""

    name: str
    level: str
    description: str
    disabled: bool
    duration: int | None
    wishes: frozenset[Wish]

    @property
    def namespace(self) -> str:
        """The project of a robot of a project."""
        return next(iter(self.wishes)).namespace


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def read_wanted(
    *, name: str, level: str, description: str, disable: bool, duration: int | None, permissions: Sequence[Any]
) -> Wanted:
    """Check what needs no database. Raises BAD_REQUEST."""
    if level not in Robot.Level.values:
        raise _bad("level must be system or project")
    if duration is not None and duration != NEVER and not 0 < duration <= DURATION_MAX:
        raise _bad(f"duration must be -1 (for ever) or a number of days from 1 to {DURATION_MAX}")
    return Wanted(name, level, description, disable, duration, grants.read_wishes(level, permissions))


def check_short_name(name: str) -> None:
    """Raises BAD_REQUEST."""
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise _bad("a robot's name holds lower case letters, digits, and single . _ - between them")


def generate_secret() -> str:
    """Letters and digits, some of each: it satisfies the rules for passwords, too."""
    while True:
        secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
        if any(map(str.isupper, secret)) and any(map(str.islower, secret)) and any(map(str.isdigit, secret)):
            return secret


def _expiry(created: datetime, duration: int) -> datetime | None:
    """Days count from the creation."""
    if duration == NEVER:
        return None
    return created + timedelta(days=duration) if duration < (_LATEST - created).days else _LATEST


def create(actor: Actor, wanted: Wanted, *, project: Project | None, secret: str = "") -> tuple[Robot, str]:
    """A robot of the project, or of the system without one, and its secret, which nothing can show again.

    Raises BAD_REQUEST for a bad name or secret, NOT_FOUND for a project that does not exist, DENIED when a robot gives
    what it does not own, CONFLICT when the name is taken.
    """
    check_short_name(wanted.name)
    if secret:
        check_password_rules(secret)
    secret = secret or generate_secret()
    granted = _grants(wanted, project)
    grants.require_owned(actor, granted)
    duration = int(config_get("robot_token_duration")) if wanted.duration is None else wanted.duration
    created = timezone.now()
    robot = Robot(
        name=wanted.name,
        level=wanted.level,
        project=project,
        description=wanted.description,
        disabled=wanted.disabled,
        secret_digest=secret_digest(secret),
        duration=duration,
        creation_time=created,
        expires_at=_expiry(created, duration),
        creator_type=BY_ROBOT if actor.is_robot else LOCAL,
        creator_ref=actor.id,
    )
    full_name = robot_names.login(robot)
    if User.objects.filter(username=robot_names.alias(robot), deleted=False).exists():
        raise HarborError("CONFLICT", f"a user is called {robot_names.alias(robot)}, the alias of this robot")
    try:
        with transaction.atomic():
            _hold(project)
            robot.save(force_insert=True)
            grants.store(robot, granted)
            audit.record(actor, "create", "robot", full_name, project_id=robot.project_id)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"robot {full_name} already exists") from exc
    access.forget()
    return robot, secret


def _grants(wanted: Wanted, project: Project | None) -> frozenset[Grant]:
    """For a robot of a project the project is known already (the caller was authorized for it)."""
    if project is None:
        return grants.resolve(wanted.wishes)
    if wanted.namespace != project.name:
        raise _bad(f"this robot belongs to project {project.name}")
    return frozenset(Grant(wish.kind, project.pk, wish.permission) for wish in wanted.wishes)


def _hold(project: Project | None) -> None:
    """The project cannot be deleted until the transaction ends. Raises NOT_FOUND when it was meanwhile."""
    if project is None:
        return
    if not Project.objects.select_for_update().filter(pk=project.pk, deleted=False).exists():
        raise HarborError("NOT_FOUND", f"project {project.name} not found")


def _locked(robot_id: int) -> Robot:
    """The robot, held until the transaction ends. Raises NOT_FOUND."""
    robot = Robot.objects.select_for_update(of=("self",)).select_related("project").filter(pk=robot_id).first()
    if robot is None:
        raise HarborError("NOT_FOUND", f"robot {robot_id} not found")
    return robot


def update(actor: Actor, robot_id: int, wanted: Wanted) -> None:
    """Replace description, state, duration and permissions. A robot that another one made stays within what that one
    owns, whoever changes it.

    Raises BAD_REQUEST when name or level differ, NOT_FOUND, DENIED.
    """
    with transaction.atomic():
        robot = _locked(robot_id)
        full_name = robot_names.login(robot)
        if (wanted.name, wanted.level) != (full_name, robot.level):
            raise _bad(f"name and level of a robot cannot change, this one is {full_name} of level {robot.level}")
        granted = _grants(wanted, robot.project)
        grants.require_owned(actor, granted)
        _check_creator(robot, granted)
        robot.description = wanted.description
        robot.disabled = wanted.disabled
        if wanted.duration is not None and wanted.duration != robot.duration:
            robot.duration = wanted.duration
            robot.expires_at = _expiry(robot.creation_time, wanted.duration)
        robot.save(update_fields=["description", "disabled", "duration", "expires_at", "update_time"])
        grants.store(robot, granted)
        audit.record(actor, "update", "robot", full_name, project_id=robot.project_id)
    access.forget()


def _check_creator(robot: Robot, granted: frozenset[Grant]) -> None:
    if robot.creator_type != BY_ROBOT:
        return
    creator = Robot.objects.select_related("project").filter(pk=robot.creator_ref).first()
    if creator is not None:
        grants.require_within(granted, creator.pk, robot_names.login(creator))


def refresh_secret(actor: Actor, robot_id: int, *, secret: str = "", overlap_hours: int = 0) -> str:
    """A new secret, generated unless one is given. The one before goes on working for ``overlap_hours``; any older one
    ends now. Returns the generated secret, empty when it was given. Raises BAD_REQUEST, NOT_FOUND, DENIED."""
    if secret:
        check_password_rules(secret)
    new = secret or generate_secret()
    with transaction.atomic():
        robot = _locked(robot_id)
        grants.require_owned(actor, grants.grants_of(robot.pk))
        robot.previous_secret_digest = robot.secret_digest if overlap_hours else ""
        robot.previous_secret_until = timezone.now() + timedelta(hours=overlap_hours) if overlap_hours else None
        robot.secret_digest = secret_digest(new)
        robot.save(update_fields=["secret_digest", "previous_secret_digest", "previous_secret_until", "update_time"])
        name = robot_names.login(robot)
        audit.record(
            actor, "update", "robot", name, project_id=robot.project_id, description=f"refresh secret of robot {name}"
        )
    return "" if secret else new


def delete(actor: Actor, robot_id: int) -> None:
    """Raises NOT_FOUND."""
    with transaction.atomic():
        robot = _locked(robot_id)
        name = robot_names.login(robot)
        project_id = robot.project_id
        robot.delete()
        audit.record(actor, "delete", "robot", name, project_id=project_id)
    access.forget()
