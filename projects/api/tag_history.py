"""``.../tags/{tag_name}/history`` and ``/restore``, ``.../deleted-tags``: what happened to the tags of a repository."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.lib.schema import FLAG, INT, TEXT, TIME, choice, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Text, Whole, compact
from projects.api.base import RepositoryView
from projects.models import TagEvent
from projects.selectors import tag_history as selectors
from projects.services import tag_history as services

TAG_EVENT = obj(
    "TagEvent",
    {
        "id": INT,
        "name": TEXT,
        "operation": choice(*TagEvent.Operation.values),
        "old_digest?": TEXT,
        "new_digest?": TEXT,
        "operator?": TEXT,
        "occurred_at": TIME,
    },
    "operator is for those who may see the members of the project.",
)
POINTED = obj("RestoredTag", {"repository_name": TEXT, "name": TEXT, "digest": TEXT, "from_trash": FLAG})


class _HistoryView(RepositoryView):
    def event_json(self, event: TagEvent) -> dict[str, Any]:
        """TagEvent."""
        return compact(
            {
                "id": event.pk,
                "name": event.name,
                "operation": event.operation,
                "old_digest": event.old_digest,
                "new_digest": event.new_digest,
                "operator": event.operator if "member:list" in self.project.permissions else "",
                "occurred_at": rfc3339(event.occurred_at),
            }
        )


class TagHistory(_HistoryView):
    permissions = {"GET": "tag:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [TAG_EVENT]}

    def get(self, request: Request, tag_name: str, **path: str) -> Response:
        return self.page(selectors.tag_history(self.repository, tag_name, self.listing), self.event_json)


class DeletedTags(_HistoryView):
    permissions = {"GET": "tag:list"}
    parameters = {"GET": LISTING}
    answers = {"GET": [TAG_EVENT]}

    def get(self, request: Request, **path: str) -> Response:
        return self.page(selectors.deleted_tags(self.repository, self.listing), self.event_json)


class TagRestore(RepositoryView):
    """Who may push could point the tag there with the old manifest in hand."""

    permissions = {"POST": "repository:push"}
    bodies = {
        "POST": {
            "digest": Text(default="", max_length=71, about="An artifact the tag pointed to."),
            "event_id": Whole(default=0, low=0, about="The event to undo; without either it is the last one."),
        }
    }
    answers = {"POST": POINTED}
    errors = {"POST": (412,)}

    def post(self, request: Request, tag_name: str, **path: str) -> Response:
        pointed = services.restore(
            self.actor,
            self.project,
            self.repository,
            tag_name,
            digest=self.body["digest"],
            event_id=self.body["event_id"],
        )
        fields = {"repository_name": self.repository.name, "name": tag_name, "digest": pointed.digest}
        return Response(fields | {"from_trash": pointed.from_trash})
