"""Accounts as lists and details show them. Deleted ones are never there."""

from django.db.models import Q, QuerySet

from auth.actor import Actor
from auth.models import ADMIN_ID, RobotPermission, User
from auth.rbac import ALL_SYSTEM_PERMISSIONS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects import access

FIELDS = {
    "user_id": Field("id", whole),
    "username": Field("username"),
    "email": Field("email"),
    "realname": Field("realname"),
    "comment": Field("comment"),
    "sysadmin_flag": Field("sysadmin_flag", flag),
    "creation_time": Field("creation_time", time),
    "update_time": Field("update_time", time),
}


def user_list(listing: Listing, *, username: str = "", email: str = "") -> Page[User]:
    """Everybody but the first administrator. ``username`` and ``email`` are parts to look for."""
    users = User.objects.filter(deleted=False).exclude(pk=ADMIN_ID)
    if username:
        users = users.filter(username__icontains=username)
    if email:
        users = users.filter(email__icontains=email)
    return _paged(users, listing)


def people(part: str = "") -> QuerySet[User]:
    """Everybody, the first administrator included; ``part`` of a name or an e-mail address."""
    users = User.objects.filter(deleted=False)
    return users.filter(Q(username__icontains=part) | Q(email__icontains=part)) if part else users


def administrators() -> QuerySet[User]:
    return User.objects.filter(deleted=False, sysadmin_flag=True)


def user_search(listing: Listing, part: str) -> Page[User]:
    """By a part of the name, the first administrator included: whoever adds members looks here."""
    return _paged(User.objects.filter(deleted=False, username__icontains=part), listing)


def _paged(users, listing: Listing) -> Page[User]:
    users = apply_filter(users, listing.query, FIELDS)
    return paginate(apply_sort(users, listing.sort, FIELDS, ["username", "pk"]), listing)


def user_get(user_id: int) -> User:
    """Raises NOT_FOUND."""
    user = User.objects.filter(pk=user_id, deleted=False).first()
    if user is None:
        raise HarborError("NOT_FOUND", f"user {user_id} not found")
    return user


def is_taken(field: str, value: str) -> bool:
    """Can nobody make an account with this ``username`` or ``email``? Reserved names count as taken."""
    return User.objects.filter(**{field: value}).exists()


def permissions_in(actor: Actor, scope: str) -> list[tuple[str, str]]:
    """(resource, action) pairs of the actor in ``/project/<id>``, or on the system for an empty scope, sorted.

    What the actor may not see holds nothing. Raises BAD_REQUEST for any other scope.
    """
    if not scope:
        if actor.is_robot:
            system = RobotPermission.objects.filter(robot_id=actor.id, kind=RobotPermission.Kind.SYSTEM)
            return sorted(system.values_list("resource", "action"))
        granted = ALL_SYSTEM_PERMISSIONS if actor.is_sysadmin else frozenset()
        return sorted(_pair(name) for name in (granted if actor.scope is None else granted & actor.scope.permissions))
    kind, _, reference = scope.strip("/").partition("/")
    if kind != "project" or not reference or "/" in reference:
        raise HarborError("BAD_REQUEST", "scope must be of the form /project/<id>")
    project = access.find_project(reference)
    found = access.project_access(actor, project.name) if project else None
    return sorted(_pair(name) for name in found.permissions) if found else []


def _pair(permission: str) -> tuple[str, str]:
    resource, _, action = permission.partition(":")
    return resource, action
