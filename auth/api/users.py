"""``/users``: accounts of people."""

from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from rest_framework.request import Request
from rest_framework.response import Response

from auth.actor import Credential
from auth.models import User
from auth.selectors import users as selectors
from auth.services import users as services
from harbor_core.api.base import ID, LOGIN, PUBLIC, ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, TIME, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, PAGING, Flag, Text, compact
from projects import access

PROFILE = {"email": Text(max_length=255), "realname": Text(), "comment": Text()}

USER = obj(
    "UserResp",
    {
        "user_id?": INT,
        "username?": TEXT,
        "email?": TEXT,
        "realname?": TEXT,
        "comment?": TEXT,
        "sysadmin_flag": FLAG,
        "admin_role_in_auth": FLAG,
        "creation_time": TIME,
        "update_time": TIME,
    },
)


def user_json(user: User) -> dict[str, Any]:
    """UserResp."""
    fields = {
        "user_id": user.pk,
        "username": user.username,
        "email": user.email,
        "realname": user.realname,
        "comment": user.comment,
        "sysadmin_flag": user.sysadmin_flag,
        "admin_role_in_auth": False,
        "creation_time": rfc3339(user.creation_time),
        "update_time": rfc3339(user.update_time),
    }
    return compact(fields, "sysadmin_flag", "admin_role_in_auth")


class UserList(ApiView):
    permissions = {"GET": "user:list", "POST": PUBLIC}
    parameters = {"GET": LISTING | {"username": Text(default=""), "email": Text(default="")}}
    bodies = {"POST": PROFILE | {"username": Text(max_length=255, default=""), "password": Text(default="")}}
    answers = {"GET": [USER], "POST": CREATED}
    errors = {"POST": (401, 409)}

    def authorize(self, permission: str) -> None:
        """Whoever may register needs no account; everybody else needs the right to create one."""
        if self.request.method == "POST":
            if services.may_register(self.actor, settings.SESSION_COOKIE_NAME in self.request.COOKIES):
                return
            permission = "user:create"
        super().authorize(permission)

    def get(self, request: Request) -> Response:
        found = selectors.user_list(self.listing, username=self.params["username"], email=self.params["email"])
        return self.page(found, user_json)

    def post(self, request: Request) -> Response:
        values = {name: value or "" for name, value in self.body.items()}
        return self.created("users", services.create(self.actor, **values).pk)


class UserSearch(ApiView):
    permissions = {"GET": LOGIN}
    parameters = {"GET": PAGING | {"username": Text(required=True)}}
    answers = {"GET": [obj("UserSearchRespItem", {"user_id": INT, "username": TEXT})]}

    def get(self, request: Request) -> Response:
        found = selectors.user_search(self.listing, self.params["username"])
        return self.page(found, lambda user: {"user_id": user.pk, "username": user.username})


class OwnOrPermitted(ApiView):
    """Everybody may reach their own account, others need the permission. A personal token only reads there."""

    paths = {"user_id": ID}

    def authorize(self, permission: str) -> None:
        if self.request.method != "GET":
            access.require_account(self.actor)
        if self.actor.user_id is None or self.actor.user_id != self.kwargs["user_id"]:
            super().authorize(permission)


class UserDetail(OwnOrPermitted):
    permissions = {"GET": "user:read", "PUT": "user:update", "DELETE": "user:delete"}
    bodies = {"PUT": PROFILE}
    answers = {"GET": USER, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, user_id: int) -> Response:
        return Response(user_json(selectors.user_get(user_id)))

    def put(self, request: Request, user_id: int) -> Response:
        services.update_profile(self.actor, user_id, **self.body)
        return self.done()

    def delete(self, request: Request, user_id: int) -> Response:
        services.delete(self.actor, user_id)
        return self.done()


class UserPassword(OwnOrPermitted):
    permissions = {"PUT": "user:update"}
    bodies = {"PUT": {"old_password": Text(default=""), "new_password": Text(default="")}}
    answers = {"PUT": DONE}
    errors = {"PUT": (429,)}

    def put(self, request: Request, user_id: int) -> Response:
        user = services.change_password(
            self.actor,
            user_id,
            new=self.body["new_password"],
            old=self.body["old_password"],
            address=request.META.get("HTTP_X_REAL_IP", ""),
        )
        if self.actor.credential is Credential.SESSION and self.actor.user_id == user.pk:
            request._request.user = user
            update_session_auth_hash(request._request, user)  # every other session of the account ends
        return self.done()


class UserSysadmin(ApiView):
    permissions = {"PUT": "user:update"}
    paths = {"user_id": ID}
    bodies = {"PUT": {"sysadmin_flag": Flag(default=False)}}
    answers = {"PUT": DONE}

    def put(self, request: Request, user_id: int) -> Response:
        services.set_sysadmin(self.actor, user_id, self.body["sysadmin_flag"])
        return self.done()


class UserCliSecret(OwnOrPermitted):
    """The secret that OIDC users give to command line clients; there is none in other modes (412)."""

    permissions = {"PUT": "user:update"}
    bodies = {"PUT": {"secret": Text(default="")}}
    answers = {"PUT": DONE}
    errors = {"PUT": (412,)}

    def put(self, request: Request, user_id: int) -> Response:
        raise HarborError("PRECONDITION", "a CLI secret exists with OIDC authentication only")


class CurrentUser(ApiView):
    permissions = {"GET": LOGIN}
    answers = {"GET": USER}
    errors = {"GET": (412,)}

    def get(self, request: Request) -> Response:
        if self.actor.user_id is None:
            raise HarborError("PRECONDITION", "a robot account has no user profile")
        return Response(user_json(selectors.user_get(self.actor.user_id)))


class CurrentPermissions(ApiView):
    permissions = {"GET": LOGIN}
    parameters = {"GET": {"scope": Text(default=""), "relative": Flag(default=False)}}
    answers = {"GET": [obj("Permission", {"resource": TEXT, "action": TEXT})]}

    def get(self, request: Request) -> Response:
        scope, relative = self.params["scope"].rstrip("/"), self.params["relative"]
        rows = []
        for resource, action in selectors.permissions_in(self.actor, scope):
            own = resource == "project" and bool(scope)  # the project itself
            name = ("." if own else resource) if relative else (scope or "/system") + ("" if own else f"/{resource}")
            rows.append({"resource": name, "action": action})
        return Response(rows)
