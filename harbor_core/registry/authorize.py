"""May this request do this to this repository? The one question of every ``/v2`` route.

Takes the WSGI environ (``request.META`` of a Django request is one), so that the fast path can ask too. A token grants
nothing by itself: what it says is intersected with what its subject may do now (at most ACCESS_CACHE_SECONDS old), so a
disabled account, a lost role or a deleted project stops being served although the token is still valid.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from auth import bearer
from auth.actor import Actor
from auth.credentials import authenticate_header
from auth.rbac import TOKEN_ACTIONS
from harbor_core.lib import names, tracing
from harbor_core.lib.errors import HarborError
from harbor_core.lib.public import public_url
from harbor_core.registry import mirrors
from projects import access
from projects.access import ProjectAccess

Environ = dict[str, Any]
_SCOPES = {"pull": "pull", "push": "pull,push", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which project, and for how many more seconds a token (if it is one) is valid."""

    actor: Actor
    project: ProjectAccess
    token_seconds: float  # 0 when the answer must not be cached


def challenge(environ: Environ, scopes: list[str], message: str = "authentication required") -> HarborError:
    """401 with where to get a token, or a Basic challenge for wrong Basic credentials."""
    if environ.get("HTTP_AUTHORIZATION", "")[:6].lower() == "basic ":
        value = 'Basic realm="harbor"'
    else:
        realm = f"{public_url(environ.get('HTTP_HOST', ''))}/service/token"
        mirror = mirrors.project_behind(environ)
        value = f'Bearer realm="{realm}{f"?mirror={mirror}" if mirror else ""}",service="{settings.TOKEN_SERVICE}"'
        if scopes:
            value += f',scope="{" ".join(scopes)}"'
    return HarborError("UNAUTHORIZED", message, headers={"WWW-Authenticate": value})


def authorize(
    environ: Environ, repository: str, action: str, *, mount_from: str = "", grant_of: str | None = None
) -> Caller:
    """The caller, if it may ``pull``, ``push`` or ``delete`` in the repository. Raises UNAUTHORIZED with a challenge.

    ``mount_from`` only adds its pull scope to the challenge. ``grant_of`` is the subject an upload session was opened
    by: for that subject an expired token with a valid signature still counts.
    """
    scopes = [f"repository:{mirrors.shown(environ, repository)}:{_SCOPES[action]}"]
    if mount_from:
        scopes.append(f"repository:{mount_from}:pull")
    header = environ.get("HTTP_AUTHORIZATION", "")
    if not header:
        raise challenge(environ, scopes)
    grant, named = None, True
    if header[:7].lower() == "bearer ":
        grant = bearer.verify(header[7:].strip())
        if grant is None or (grant.expired and grant.subject != grant_of):
            raise challenge(environ, scopes, "the token is invalid or has expired")
        named = action in grant.access.get(f"repository:{repository}", ())
        if not named and not (action == "pull" and _leads_to(grant.access, repository)):
            raise challenge(environ, scopes, f"the token does not grant {action} on {repository}")
        actor = access.actor_of_key(grant.subject)
    else:
        actor = authenticate_header(header, environ.get("HTTP_X_REAL_IP", ""))
    if actor is None:
        raise challenge(environ, scopes, "wrong credentials, or the account is disabled")
    tracing.acting(actor)
    project = allowed(actor, repository, action)
    if (
        project is None
        or not (named or project.proxy)
        or (grant is not None and grant.issued_at < int(project.created_at))
    ):
        raise challenge(environ, scopes, f"{action} on {repository} is not allowed, or the project does not exist")
    return Caller(actor, project, grant.seconds_left if grant else 0.0)


def _leads_to(granted: Mapping[str, Collection[str]], repository: str) -> bool:
    """Is the token for the name that a proxy of Docker Hub redirects to this one? The client follows with it."""
    project, _, name = repository.partition("/library/")
    return bool(name) and "/" not in project + name and "pull" in granted.get(f"repository:{project}/{name}", ())


def allowed(actor: Actor, repository: str, action: str) -> ProjectAccess | None:
    """The project of the repository if the actor may do this there."""
    permission = TOKEN_ACTIONS[action]
    project = access.recent_project_access(actor, names.split_repository(repository)[0], permission)
    return project if project is not None and permission in project.permissions else None


def may_pull(environ: Environ, actor: Actor, repository: str) -> bool:
    """Also pull from this other repository (the source of a mount)? Asks token and rights."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header[:7].lower() == "bearer ":
        grant = bearer.verify(header[7:].strip())
        if grant is None or "pull" not in grant.access.get(f"repository:{repository}", ()):
            return False
    return names.is_repository(repository) and allowed(actor, repository, "pull") is not None


def authenticate(environ: Environ) -> Actor:
    """``GET /v2/``: any valid credential. Raises UNAUTHORIZED with a challenge."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    actor = None
    if header[:7].lower() == "bearer ":
        grant = bearer.verify(header[7:].strip())
        if grant is not None and not grant.expired:
            actor = access.actor_of_key(grant.subject)
    elif header:
        actor = authenticate_header(header, environ.get("HTTP_X_REAL_IP", ""))
    if actor is None:
        raise challenge(environ, [])
    tracing.acting(actor)
    return actor


def authorize_catalog(environ: Environ) -> Actor:
    """System administrators and robots with ``catalog:read``. Raises UNAUTHORIZED with a challenge."""
    scopes = ["registry:catalog:*"]
    header = environ.get("HTTP_AUTHORIZATION", "")
    actor = None
    if header[:7].lower() == "bearer ":
        grant = bearer.verify(header[7:].strip())
        if grant is not None and not grant.expired and "*" in grant.access.get("registry:catalog", ()):
            actor = access.actor_of_key(grant.subject)
    elif header:
        actor = authenticate_header(header, environ.get("HTTP_X_REAL_IP", ""))
    if actor is None or not access.can(actor, "catalog:read"):
        raise challenge(environ, scopes)
    tracing.acting(actor)
    return actor
