"""``.../artifacts/{reference}/additions/{addition}``."""

from django.http import HttpResponse
from rest_framework.request import Request

from harbor_core.lib.schema import ANY, Answer
from harbor_core.lib.wire import Text
from projects.api.base import ArtifactView
from projects.selectors.additions import addition as read_addition

ADDITIONS = ("build_history", "values.yaml", "readme.md", "dependencies", "sbom", "license", "files", "vulnerabilities")


class Addition(ArtifactView):
    """What an artifact holds besides its layers: the steps that built an image, values, README and dependencies of a
    chart, README, license and files of a model. Text or JSON, as its media type says."""

    permissions = {"GET": "artifact-addition:read"}
    answers = {"GET": Answer(ANY, media_type="*/*")}
    errors = {"GET": (413,)}
    paths = ArtifactView.paths | {"addition": Text(choices=ADDITIONS)}

    def get(self, request: Request, addition: str, **path: str) -> HttpResponse:
        found = read_addition(self.artifact, addition)
        return HttpResponse(found.body, content_type=f"{found.media_type}; charset=utf-8")
