"""Personal tokens: create and revoke."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from auth import personal_tokens
from auth.actor import Actor
from auth.models import PersonalToken, User
from auth.scopes import Scope
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects import access

NAME_MAX = 255
PROJECTS_MAX = 100
DEFAULT_DAYS = 90
NEVER = -1
# A client computes the end by its own clock, a moment before we look at ours.
_CLOCKS = timedelta(minutes=5)


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def create(
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[str],
    projects: Sequence[str | int] = (),
    expires_at: int | None = None,
) -> tuple[PersonalToken, str]:
    """A new token of the actor's, and its secret, which is not kept.

    ``projects`` are names or ids, none for every project; ``expires_at`` is epoch seconds, -1 for never, None for
    DEFAULT_DAYS from now (or as long as the administrator allows, if that is shorter). Raises BAD_REQUEST, NOT_FOUND
    for a project the actor does not see, FORBIDDEN for the scope ``admin`` without being an administrator, CONFLICT for
    a name the actor has already given.
    """
    if not 1 <= len(name.strip()) <= NAME_MAX or not name.isprintable():
        raise _bad(f"name must have 1 to {NAME_MAX} printable characters")
    secret = personal_tokens.generate()
    token = PersonalToken(
        user_id=actor.id,
        name=name.strip(),
        secret_digest=personal_tokens.digest(secret),
        hint=secret[-personal_tokens.HINT_LENGTH :],
        scopes=_scopes(actor, scopes),
        projects=_project_ids(actor, projects),
        expires_at=_end(expires_at),
    )
    if token.projects and Scope.ADMIN in token.scopes:
        raise _bad("a token with the scope admin cannot be limited to projects")
    what = f"create personal token {token.name} of {actor.name} for {', '.join(token.scopes)}"
    try:
        with transaction.atomic():
            token.save(force_insert=True)
            audit.record(actor, "create", "personal-token", token.name, description=what)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"there is a token called {token.name} already") from exc
    return token, secret


def _scopes(actor: Actor, wanted: Iterable[str]) -> list[str]:
    """In the order of Scope, each once."""
    names = set(wanted)
    unknown = sorted(names - set(Scope))
    if unknown or not names:
        problem = f"{unknown[0][:100]!r} is not one" if unknown else "there is none"
        raise _bad(f"scopes must be some of {', '.join(Scope)}; {problem}")
    if Scope.ADMIN in names and not actor.is_sysadmin:
        raise HarborError("FORBIDDEN", "only system administrators may choose the scope admin")
    return [scope.value for scope in Scope if scope in names]


def _project_ids(actor: Actor, references: Sequence[str | int]) -> list[int]:
    if len(references) > PROJECTS_MAX:
        raise _bad(f"a token can be limited to {PROJECTS_MAX} projects at most")
    numbers = {reference for reference in references if isinstance(reference, int)}
    names = {reference for reference in references if isinstance(reference, str)}
    visible = access.visible_projects(actor)
    found = dict(visible.filter(pk__in=numbers).values_list("pk", "name"))
    found |= dict(visible.filter(name__in=names).values_list("pk", "name"))
    missing = [*sorted(numbers - found.keys()), *sorted(names - set(found.values()))]
    if missing:
        raise HarborError("NOT_FOUND", f"project {missing[0]} not found")
    return sorted(found)


def _end(expires_at: int | None) -> datetime | None:
    """None for never."""
    now, most = timezone.now(), int(config_get("personal_token_max_days"))
    if expires_at is None:
        return now + timedelta(days=min(DEFAULT_DAYS, most) if most else DEFAULT_DAYS)
    if expires_at == NEVER:
        if most:
            raise _bad(f"a token must expire, within {most} days")
        return None
    try:
        end = datetime.fromtimestamp(expires_at, UTC)
    except (OverflowError, ValueError, OSError):
        raise _bad("expires_at must be a time in seconds since 1970, or -1 for never") from None
    if end <= now:
        raise _bad("expires_at must lie in the future, or be -1 for never")
    if most and end > now + timedelta(days=most) + _CLOCKS:
        raise _bad(f"a token must expire within {most} days")
    return end


def delete(actor: Actor, user_id: int, token_id: int) -> None:
    """Revoke one token of the user. Raises NOT_FOUND."""
    if not _revoke(actor, user_id, token_id):
        raise HarborError("NOT_FOUND", f"token {token_id} not found")


def delete_all(actor: Actor, user_id: int) -> None:
    """Revoke every token of the user. Raises NOT_FOUND when there is no such user."""
    if not User.objects.filter(pk=user_id, deleted=False).exists():
        raise HarborError("NOT_FOUND", f"user {user_id} not found")
    _revoke(actor, user_id)


@transaction.atomic
def _revoke(actor: Actor, user_id: int, token_id: int | None = None) -> int:
    """How many it were. Whoever comes second finds none."""
    tokens = PersonalToken.objects.select_for_update(of=("self",)).select_related("user").filter(user_id=user_id)
    if token_id is not None:
        tokens = tokens.filter(pk=token_id)
    rows = list(tokens.order_by("pk"))
    for token in rows:
        what = f"delete personal token {token.name} of {token.user.username}"
        audit.record(actor, "delete", "personal-token", token.name, description=what)
    PersonalToken.objects.filter(pk__in=[token.pk for token in rows]).delete()
    transaction.on_commit(access.forget)
    return len(rows)
