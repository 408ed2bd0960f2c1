"""Grant registry tokens (distribution spec, "Token Authentication Specification"). No HTTP in here.

A grant is what was asked for and is allowed, per repository. A name that does not exist and a right that is missing
look the same: no actions.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from auth.actor import Actor
from auth.keys import token_keys
from auth.rbac import TOKEN_ACTIONS
from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import token_seconds
from projects import access

MAX_SCOPES = 100


@dataclass(frozen=True, slots=True)
class Scope:
    type: str
    name: str
    actions: frozenset[str]


def parse_scopes(values: list[str], mirror: str = "") -> list[Scope]:
    """``repository:library/app:pull,push`` and ``registry:catalog:*``, several per value separated by spaces. With
    ``mirror`` the names of repositories are those in this project.

    Scopes of one resource are merged, in the order they first appear. Raises BAD_REQUEST for what is not of the form
    ``type:name:actions``.
    """
    merged: dict[tuple[str, str], set[str]] = {}
    for text in (word for value in values for word in value.split(" ") if word):
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        if not colon or not name or not kind.replace("(", "").replace(")", "").isalnum() or len(text) > 1024:
            raise HarborError("BAD_REQUEST", "scope must be of the form type:name:action[,action]")
        kind = kind.partition("(")[0]  # a class, as in repository(plugin), does not change the rights
        if mirror and kind == "repository":
            name = f"{mirror}/{name}"
        merged.setdefault((kind, name), set()).update(a for a in actions.split(",") if a)
    if len(merged) > MAX_SCOPES:
        raise HarborError("BAD_REQUEST", f"more than {MAX_SCOPES} scopes in one request")
    return [Scope(kind, name, frozenset(actions)) for (kind, name), actions in merged.items()]


def allowed_actions(actor: Actor, scope: Scope) -> list[str]:
    """Requested and permitted actions, in a stable order."""
    if scope.type == "registry":
        may = scope.name == "catalog" and access.can(actor, "catalog:read")
        return ["*"] if may and "*" in scope.actions else []
    if scope.type != "repository" or not names.is_repository(scope.name):
        return []
    wanted = TOKEN_ACTIONS.keys() if "*" in scope.actions else scope.actions & TOKEN_ACTIONS.keys()
    permissions = [TOKEN_ACTIONS[action] for action in wanted]
    project = access.recent_project_access(actor, names.split_repository(scope.name)[0], *permissions)
    if project is None:
        return []
    return [
        action for action, permission in TOKEN_ACTIONS.items() if action in wanted and permission in project.permissions
    ]


def issue(actor: Actor, scopes: list[Scope], seconds: int = 0) -> dict[str, Any]:
    """The token endpoint's answer: token, access_token, expires_in (seconds), issued_at. The token lives for
    ``seconds``, or as long as the settings say."""
    now = int(time.time())
    lifetime = seconds or token_seconds()
    claims = {
        "iss": settings.TOKEN_ISSUER,
        "sub": actor.name if actor.is_authenticated else "",
        "hsub": actor.key,
        "aud": settings.TOKEN_SERVICE,
        "exp": now + lifetime,
        "nbf": now,
        "iat": now,
        "jti": secrets.token_urlsafe(12),
        "access": [{"type": s.type, "name": s.name, "actions": allowed_actions(actor, s)} for s in scopes],
    }
    token = token_keys.sign(claims)
    return {
        "token": token,
        "access_token": token,
        "expires_in": lifetime,
        "issued_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
