"""``/api/internal``: what administrators rarely need (contract 2.18)."""

from django.contrib.auth import logout
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from auth.services import users
from harbor_core.api.base import ApiView
from harbor_core.lib.schema import DONE
from jobservice import dispatch


class SyncQuota(ApiView):
    """Count the usage of every project again. A job does it, while pushes go on."""

    permissions = {"POST": "configuration:update"}
    answers = {"POST": DONE}

    def post(self, request: Request) -> Response:
        dispatch.submit("QUOTA_SYNC", operator=self.actor.name)
        return self.done()


class RenameAdmin(ApiView):
    """The first administrator gives up the name ``admin``, so that a directory may have an account of that name."""

    permissions = {"POST": "configuration:update"}
    answers = {"POST": DONE}
    errors = {"POST": (409,)}

    def post(self, request: Request) -> Response:
        users.rename_admin(self.actor)
        plain: HttpRequest = request._request
        if hasattr(plain, "session"):
            logout(plain)
        return self.done()
