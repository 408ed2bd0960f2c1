"""``/projects/{project}/metadatas``: the body of a write is one pair of strings."""

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ProjectView
from harbor_core.lib.wire import Text
from projects.services import metadata as services


class _MetadataView(ProjectView):
    pair: dict[str, str]

    def _validate(self, request: Request, verb: str) -> None:
        super()._validate(request, verb)
        if verb in ("POST", "PUT"):
            self.pair = {key: Text().load(key, value) for key, value in dict(request.data).items()}


class MetadataList(_MetadataView):
    permissions = {"GET": "metadata:list", "POST": "metadata:create"}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        return Response(services.shown(self.project))

    def post(self, request: Request, project_name_or_id: str) -> Response:
        services.add(self.actor, self.project.pk, self.pair)
        return self.done()


class MetadataItem(_MetadataView):
    permissions = {"GET": "metadata:read", "PUT": "metadata:update", "DELETE": "metadata:delete"}

    def get(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        return Response(services.get(self.project, meta_name))

    def put(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        services.update(self.actor, self.project.pk, meta_name, self.pair)
        return self.done()

    def delete(self, request: Request, project_name_or_id: str, meta_name: str) -> Response:
        services.delete(self.actor, self.project.pk, meta_name)
        return self.done()
