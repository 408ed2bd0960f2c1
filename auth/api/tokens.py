"""``/users/current/tokens`` and ``/users/{id}/tokens``: personal tokens (docs/tokens.md)."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from auth.api.users import OwnOrPermitted
from auth.models import PersonalToken
from auth.scopes import Scope
from auth.selectors import tokens as selectors
from auth.selectors.users import user_get
from auth.services import tokens as services
from harbor_core.api.base import ID, LOGIN, ApiView, location
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import DONE, INT, TEXT, TIME, array, choice, created, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import INT64, LISTING, Items, Reader, Text, Whole, compact, unprocessable
from projects import access

TOKEN = {
    "id": INT,
    "name": TEXT,
    "hint": TEXT,
    "scopes": array(choice(*Scope)),
    "projects?": array(obj("PersonalTokenProject", {"project_id": INT, "name?": TEXT})),
    "expires_at": INT,
    "creation_time": TIME,
    "last_used_at?": TIME,
    "last_used_address?": TEXT,
}
PERSONAL_TOKEN = obj("PersonalToken", TOKEN, "expires_at: seconds since 1970, -1 never; hint: the end of the secret")
CREATED_TOKEN = obj("PersonalTokenCreated", TOKEN | {"secret": TEXT}, "The secret is shown this once.")


def token_json(token: PersonalToken, names: Mapping[int, str]) -> dict[str, Any]:
    """``names`` of projects by id."""
    fields = {
        "id": token.pk,
        "name": token.name,
        "hint": token.hint,
        "scopes": token.scopes,
        "projects": [compact({"project_id": pk, "name": names.get(pk, "")}) for pk in token.projects],
        "expires_at": int(token.expires_at.timestamp()) if token.expires_at else services.NEVER,
        "creation_time": rfc3339(token.creation_time),
        "last_used_at": rfc3339(token.last_used_at) if token.last_used_at else "",
        "last_used_address": token.last_used_address,
    }
    return compact(fields, "expires_at")


class NameOrId(Reader):
    """A project."""

    def schema(self) -> dict[str, Any]:
        return {"oneOf": [{"type": "string", "maxLength": 255}, {"type": "integer", "minimum": 1}]}

    def load(self, name: str, value: Any) -> str | int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise unprocessable(name, "must be a project's name or id")
        if isinstance(value, int) and not 1 <= value <= INT64:
            raise unprocessable(name, "is not a project's id")
        return value


class _Tokens(ApiView):
    """Lists and shows the tokens of the user that :meth:`owner` names."""

    def listed(self, user_id: int) -> Response:
        found = selectors.token_list(user_id, self.listing)
        names = selectors.project_names(found.items)
        return self.page(found, lambda token: token_json(token, names))

    def shown(self, user_id: int, token_id: int) -> Response:
        token = selectors.token_get(user_id, token_id)
        return Response(token_json(token, selectors.project_names([token])))


class _OwnTokens(_Tokens):
    def authorize(self, permission: str) -> None:
        """People with their password or session: neither robots nor tokens."""
        super().authorize(permission)
        access.require_account(self.actor)
        if self.actor.user_id is None:
            raise HarborError("FORBIDDEN", "a robot account has no personal tokens")


class OwnTokenList(_OwnTokens):
    permissions = {"GET": LOGIN, "POST": LOGIN}
    parameters = {"GET": LISTING}
    bodies = {
        "POST": {
            "name": Text(required=True, max_length=services.NAME_MAX),
            "scopes": Items(Text(), required=True),
            "projects": Items(NameOrId(), default=(), about="What the token is limited to; nothing: all projects."),
            "expires_at": Whole(about="Seconds since 1970, -1 or null for never; 90 days when left out."),
        }
    }
    answers = {"GET": [PERSONAL_TOKEN], "POST": created(CREATED_TOKEN)}
    errors = {"POST": (404, 409)}

    def get(self, request: Request) -> Response:
        return self.listed(self.actor.id)

    def post(self, request: Request) -> Response:
        if cast(dict[str, Any], request.data).get("expires_at", 0) is None:
            self.body["expires_at"] = services.NEVER
        token, secret = services.create(self.actor, **self.body)
        body = token_json(token, selectors.project_names([token])) | {"secret": secret}
        headers = {"Location": location("users", "current", "tokens", token.pk), "Cache-Control": "no-store"}
        return Response(body, status=201, headers=headers)


class OwnToken(_OwnTokens):
    permissions = {"GET": LOGIN, "DELETE": LOGIN}
    paths = {"token_id": ID}
    answers = {"GET": PERSONAL_TOKEN, "DELETE": DONE}
    works_read_only = True  # what leaked has to be revoked at once

    def get(self, request: Request, token_id: int) -> Response:
        return self.shown(self.actor.id, token_id)

    def delete(self, request: Request, token_id: int) -> Response:
        services.delete(self.actor, self.actor.id, token_id)
        return self.done()


class _AnybodysTokens(OwnOrPermitted, _Tokens):
    """For administrators; there is no way to make a token for somebody else."""

    works_read_only = True

    def authorize(self, permission: str) -> None:
        super().authorize(permission)
        access.require_account(self.actor)


class UserTokenList(_AnybodysTokens):
    permissions = {"GET": "user:read", "DELETE": "user:update"}
    parameters = {"GET": LISTING}
    answers = {"GET": [PERSONAL_TOKEN], "DELETE": DONE}

    def get(self, request: Request, user_id: int) -> Response:
        return self.listed(user_get(user_id).pk)

    def delete(self, request: Request, user_id: int) -> Response:
        services.delete_all(self.actor, user_id)
        return self.done()


class UserToken(_AnybodysTokens):
    permissions = {"GET": "user:read", "DELETE": "user:update"}
    paths = {"user_id": ID, "token_id": ID}
    answers = {"GET": PERSONAL_TOKEN, "DELETE": DONE}

    def get(self, request: Request, user_id: int, token_id: int) -> Response:
        return self.shown(user_id, token_id)

    def delete(self, request: Request, user_id: int, token_id: int) -> Response:
        services.delete(self.actor, user_id, token_id)
        return self.done()
