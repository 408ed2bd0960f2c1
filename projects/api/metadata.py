"""``/projects/{project}/metadatas``: the body of a write is one pair of strings."""

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ProjectView
from harbor_core.lib.schema import DONE, TEXT, mapping
from harbor_core.lib.wire import Pairs, Text
from projects.services import metadata as services

PAIR = Pairs(Text())
VALUES = mapping(TEXT)


class MetadataList(ProjectView):
    permissions = {"GET": "metadata:list", "POST": "metadata:create"}
    bodies = {"POST": PAIR}
    answers = {"GET": VALUES, "POST": DONE}
    errors = {"POST": (409,)}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        return Response(services.shown(self.project))

    def post(self, request: Request, project_name_or_id: str) -> Response:
        services.add(self.actor, self.project.pk, self.body)
        return self.done()


class MetadataItem(ProjectView):
    permissions = {"GET": "metadata:read", "PUT": "metadata:update", "DELETE": "metadata:delete"}
    bodies = {"PUT": PAIR}
    answers = {"GET": VALUES, "PUT": DONE, "DELETE": DONE}
    errors = {"PUT": (409,)}

    def get(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        return Response(services.get(self.project, meta_name))

    def put(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        services.update(self.actor, self.project.pk, meta_name, self.body)
        return self.done()

    def delete(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        services.delete(self.actor, self.project.pk, meta_name)
        return self.done()
