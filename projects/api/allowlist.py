"""``/system/CVEAllowlist``, and how an allowlist looks everywhere."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import LOGIN, ApiView
from harbor_core.lib.schema import DONE, INT, TEXT, TIME, array, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import Items, Nested, Text, Whole, compact
from projects.models import CVEAllowlist
from projects.services import allowlist

# What is read of an allowlist; its id, project and times are the server's.
ALLOWLIST = {"items": Items(Nested({"cve_id": Text(required=True)}), default=[]), "expires_at": Whole()}

CVE_ALLOWLIST = obj(
    "CVEAllowlist",
    {
        "id?": INT,
        "project_id?": INT,
        "items": array(obj("CVEAllowlistItem", {"cve_id": TEXT})),
        "expires_at?": INT,
        "creation_time": TIME,
        "update_time": TIME,
    },
)


def allowlist_json(found: CVEAllowlist) -> dict[str, Any]:
    """CVEAllowlist. ``project_id`` is absent for the system's, ``expires_at`` where it never expires."""
    fields = {
        "id": found.pk,
        "project_id": found.project_id,
        "items": [{"cve_id": item} for item in found.items],
        "creation_time": rfc3339(found.creation_time if found.pk else None),
        "update_time": rfc3339(found.update_time),
    }
    expiry = {} if found.expires_at is None else {"expires_at": found.expires_at}
    return compact(fields, "items") | expiry


class SystemAllowlist(ApiView):
    permissions = {"GET": LOGIN, "PUT": "configuration:update"}
    bodies = {"PUT": ALLOWLIST}
    answers = {"GET": CVE_ALLOWLIST, "PUT": DONE}

    def get(self, request: Request) -> Response:
        return Response(allowlist_json(allowlist.get(None)))

    def put(self, request: Request) -> Response:
        items = [item["cve_id"] for item in self.body["items"]]
        allowlist.set(self.actor, None, items, self.body["expires_at"])
        return self.done()
