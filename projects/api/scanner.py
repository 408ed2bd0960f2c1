"""``/projects/{project}/scanner``: which scanner looks at a project's artifacts. None is registered yet."""

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ProjectView
from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import Page
from harbor_core.lib.schema import DONE, Schema, mapping
from harbor_core.lib.wire import LISTING, Text

SCANNER: Schema = mapping()


class _ScannerView(ProjectView):
    """For accounts only, also where the project is public."""

    def authorize(self, permission: str) -> None:
        self.require_login()
        super().authorize(permission)


class ProjectScanner(_ScannerView):
    permissions = {"GET": "scanner:read", "PUT": "scanner:create"}
    bodies = {"PUT": {"uuid": Text(required=True, max_length=255)}}
    answers = {"GET": SCANNER, "PUT": DONE}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        return Response({})

    def put(self, request: Request, project_name_or_id: str) -> Response:
        raise HarborError("NOT_FOUND", f"there is no scanner {self.body['uuid'][:100]!r}")


class ScannerCandidates(_ScannerView):
    permissions = {"GET": "scanner:create"}
    parameters = {"GET": LISTING}
    answers = {"GET": [SCANNER]}

    def get(self, request: Request, project_name_or_id: str) -> Response:
        nobody: Page[dict[str, str]] = Page([], 0)
        return self.page(nobody, lambda scanner: scanner)
