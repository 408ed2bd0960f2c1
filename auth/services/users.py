"""Accounts of people: create, change, delete. Rules of names and passwords: contract 2.6."""

import re

from django.db import IntegrityError, transaction

from auth import guard, robot_names
from auth.actor import Actor
from auth.models import ADMIN_ID, User
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects import access

_FORBIDDEN_IN_NAMES = re.compile(r'[,"~#%$\x00-\x1f\x7f]')
_EMAIL = re.compile(r"[^@\s<>()\[\],;:\\\"]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
RENAMED_ADMIN = "admin@harbor.local"
NAME_MAX, COMMENT_MAX = 255, 30
PASSWORD_MIN, PASSWORD_MAX = 8, 128


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def check_name(what: str, value: str) -> None:
    """Raise BAD_REQUEST for a name of a person or account that is too long or holds what names may not."""
    if not 1 <= len(value) <= NAME_MAX or _FORBIDDEN_IN_NAMES.search(value):
        raise _bad(f'{what} must have 1 to {NAME_MAX} characters, none of them , " ~ # % $ or a control character')


def check_profile(email: str, realname: str, comment: str) -> None:
    """Raise BAD_REQUEST for what a profile may not say."""
    if email and (len(email) > NAME_MAX or not _EMAIL.fullmatch(email)):
        raise _bad("the e-mail address is not valid")
    check_name("realname", realname)
    if len(comment) > COMMENT_MAX:
        raise _bad(f"comment must have at most {COMMENT_MAX} characters")


def check_password_rules(password: str) -> None:
    """Raise BAD_REQUEST for a password (or secret) that is too weak."""
    classes = (str.isupper, str.islower, str.isdigit)
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX or not all(any(map(kind, password)) for kind in classes):
        raise _bad(
            f"a password must have {PASSWORD_MIN} to {PASSWORD_MAX} characters, "
            "with at least one upper case letter, one lower case letter and one digit"
        )


def may_register(actor: Actor, from_browser: bool) -> bool:
    """May somebody without an account make one? Only where an administrator allowed it. Raises FORBIDDEN for whoever
    could, but does not come with a browser's session (contract 1.3)."""
    if actor.is_authenticated or not config_get("self_registration"):
        return False
    if not from_browser:
        raise HarborError("FORBIDDEN", "registering oneself works from a browser's session only")
    return True


def create(
    actor: Actor, *, username: str, password: str | None, realname: str, email: str = "", comment: str = ""
) -> User:
    """A new account; without a password (None) nobody can sign in until it is given one. Raises BAD_REQUEST, CONFLICT
    when the name or the address is taken, FORBIDDEN where accounts come from elsewhere."""
    if config_get("auth_mode") != "db_auth":
        raise HarborError("FORBIDDEN", "accounts are managed by the configured identity provider")
    check_name("username", username)
    check_profile(email, realname, comment)
    if password is not None:
        check_password_rules(password)
    if robot_names.is_taken(username):
        raise HarborError("CONFLICT", f"a robot signs in as {username}")
    user = User(username=username, email=email or None, realname=realname, comment=comment)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            audit.record(actor, "create", "user", username)
    except IntegrityError as exc:
        raise _taken(username, email) from exc
    return user


def _taken(username: str, email: str) -> HarborError:
    known = User.objects.filter(username=username).exists()
    return HarborError("CONFLICT", f"user {username} already exists" if known else f"e-mail {email} is already in use")


def _locked(user_id: int) -> User:
    """The account, held until the transaction ends. Raises NOT_FOUND."""
    user = User.objects.select_for_update().filter(pk=user_id, deleted=False).first()
    if user is None:
        raise HarborError("NOT_FOUND", f"user {user_id} not found")
    return user


def update_profile(
    actor: Actor, user_id: int, *, email: str | None = None, realname: str | None = None, comment: str | None = None
) -> None:
    """Change what is given, keep what is None. Raises BAD_REQUEST, NOT_FOUND, CONFLICT, FORBIDDEN as :func:`create`."""
    if config_get("auth_mode") != "db_auth" and user_id != ADMIN_ID:
        raise HarborError("FORBIDDEN", "profiles are managed by the configured identity provider")
    try:
        with transaction.atomic():
            user = _locked(user_id)
            user.email = user.email if email is None else email or None
            user.realname = user.realname if realname is None else realname
            user.comment = user.comment if comment is None else comment
            check_profile(user.email or "", user.realname, user.comment)
            user.save(update_fields=["email", "realname", "comment", "update_time"])
            audit.record(actor, "update", "user", user.username)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"e-mail {email} is already in use") from exc


def change_password(actor: Actor, user_id: int, *, new: str, old: str, address: str) -> User:
    """Everybody proves the old password for their own account, administrators included; for others it is not asked.

    Raises BAD_REQUEST for a weak or unchanged password, FORBIDDEN for a wrong old one, NOT_FOUND, TOOMANYREQUESTS.
    """
    check_password_rules(new)
    user = User.objects.filter(pk=user_id, deleted=False).first()
    if user is None:
        raise HarborError("NOT_FOUND", f"user {user_id} not found")
    if actor.user_id == user_id:
        guard.check(user.username, address)
        if not user.check_password(old):
            guard.failed(user.username, address)
            raise HarborError("FORBIDDEN", "the current password is not correct")
        guard.succeeded(user.username, address)
    if user.check_password(new):
        raise _bad("the new password is the old one")
    user.set_password(new)
    with transaction.atomic():
        user.save(update_fields=["password", "update_time"])
        audit.record(actor, "update", "user", user.username, description=f"change password of user {user.username}")
    return user


def _keep_one_administrator(user_id: int) -> None:
    """Raises FORBIDDEN when nobody but this account is system administrator. Administrators are held until the
    transaction ends, in one order: two of them cannot go at the same time."""
    held = User.objects.select_for_update().filter(deleted=False, sysadmin_flag=True).order_by("pk")
    if list(held.values_list("pk", flat=True)) == [user_id]:
        raise HarborError("FORBIDDEN", "this is the last system administrator: make somebody else one first")


def set_sysadmin(actor: Actor, user_id: int, value: bool) -> None:
    """Make somebody a system administrator, or take it away. Raises NOT_FOUND, FORBIDDEN for the last one."""
    with transaction.atomic():
        if not value:
            _keep_one_administrator(user_id)
        user = _locked(user_id)
        user.sysadmin_flag = value
        user.save(update_fields=["sysadmin_flag", "update_time"])
        change = f"{'set' if value else 'unset'} system administrator: {user.username}"
        audit.record(actor, "update", "user", user.username, description=change)
    access.forget()


def delete(actor: Actor, user_id: int) -> None:
    """The row stays under ``name#id`` for what names it; name and address are free again, memberships are gone.

    Raises FORBIDDEN for oneself, the first administrator and the last one, NOT_FOUND.
    """
    if user_id in (ADMIN_ID, actor.user_id):
        raise HarborError("FORBIDDEN", "this account cannot be deleted")
    with transaction.atomic():
        _keep_one_administrator(user_id)
        user = _locked(user_id)
        name = user.username
        user.deleted = True
        user.username = f"{name}#{user.pk}"
        user.email = f"{user.email}#{user.pk}" if user.email else None
        user.save(update_fields=["deleted", "username", "email", "update_time"])
        user.memberships.all().delete()
        user.tokens.all().delete()
        user.user_groups.clear()
        audit.record(actor, "delete", "user", name)
    access.forget()


def rename_admin(actor: Actor) -> None:
    """The first administrator is called RENAMED_ADMIN from now on. Raises FORBIDDEN for everybody else, CONFLICT when
    somebody has that name."""
    access.require_account(actor)
    if actor.user_id != ADMIN_ID:
        raise HarborError("FORBIDDEN", "only the first administrator may do this")
    try:
        with transaction.atomic():
            user = _locked(ADMIN_ID)
            old, user.username = user.username, RENAMED_ADMIN
            user.save(update_fields=["username", "update_time"])
            audit.record(actor, "update", "user", RENAMED_ADMIN, description=f"rename user {old} to {RENAMED_ADMIN}")
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"user {RENAMED_ADMIN} already exists") from exc
    access.forget()


@transaction.atomic
def reset_admin(password: str) -> str:
    """Give the first administrator a new password, its rights, and its life back. Returns its user name.

    Raises BAD_REQUEST for a weak password, NOT_FOUND before the first start."""
    check_password_rules(password)
    user = User.objects.select_for_update().filter(pk=ADMIN_ID).first()
    if user is None:
        raise HarborError("NOT_FOUND", "there is no administrator yet, run `manage.py bootstrap` first")
    user.deleted = False
    user.username = user.username.removesuffix(f"#{ADMIN_ID}")
    user.sysadmin_flag = True
    user.set_password(password)
    user.save()
    return user.username
