"""``/quotas``: storage limits of projects and what they use, in bytes."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.query import parse_sort
from harbor_core.lib.schema import DONE, INT, TEXT, TIME, mapping, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import PAGING, Pairs, Parsed, Text, Whole
from projects.models import Quota
from projects.selectors import quotas as selectors
from projects.services import quota as services

STORAGE = "storage"
QUOTA = obj(
    "Quota",
    {
        "id": INT,
        "ref": obj("QuotaRefObject", {"id": INT, "name": TEXT, "owner_name": TEXT}),
        "hard": mapping(INT),
        "used": mapping(INT),
        "creation_time": TIME,
        "update_time": TIME,
    },
)


def quota_json(quota: Quota) -> dict[str, Any]:
    """Quota."""
    project = quota.project
    return {
        "id": quota.pk,
        "ref": {"id": project.pk, "name": project.name, "owner_name": project.owner.username},
        "hard": {STORAGE: quota.hard},
        "used": {STORAGE: int(quota.total)},  # type: ignore[attr-defined]  # annotated by the selector
        "creation_time": rfc3339(quota.creation_time),
        "update_time": rfc3339(quota.update_time),
    }


class QuotaList(ApiView):
    permissions = {"GET": "quota:list"}
    parameters = {
        "GET": PAGING
        | {
            "reference": Text(default="", about="The kind of thing that has the quota: project."),
            "reference_id": Text(default="", about="The id of the project."),
            "sort": Parsed(parse_sort, default=(), about="hard.storage, used.storage; - in front turns it round."),
        }
    }
    answers = {"GET": [QUOTA]}

    def get(self, request: Request) -> Response:
        params = self.params
        page = selectors.quota_list(self.listing, reference=params["reference"], reference_id=params["reference_id"])
        return self.page(page, quota_json)


class QuotaItem(ApiView):
    permissions = {"GET": "quota:read", "PUT": "quota:update"}
    paths = {"id": ID}
    bodies = {"PUT": {"hard": Pairs(Whole(), default={})}}
    answers = {"GET": QUOTA, "PUT": DONE}

    def get(self, request: Request, id: int) -> Response:
        return Response(quota_json(selectors.quota_get(id)))

    def put(self, request: Request, id: int) -> Response:
        hard = self.body["hard"]
        if set(hard) != {STORAGE}:
            raise HarborError("BAD_REQUEST", f"hard must hold a limit for {STORAGE}, and nothing else")
        services.set_limit(self.actor, id, hard[STORAGE])
        return self.done()
