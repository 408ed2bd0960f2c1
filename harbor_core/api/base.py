"""What every view of the REST API is made of.

A view declares, per verb, who may call it and what it reads::

    class LabelList(ApiView):
        permissions = {"GET": LOGIN, "POST": "label:create"}
        parameters = {"GET": LISTING}
        bodies = {"POST": {"name": Text(required=True)}}
        answers = {"GET": [LABEL], "POST": CREATED}
        errors = {"POST": (409,)}

Checks run in the contract's order: what was sent is parsed and validated (400, 415, 422), then authentication (401),
permission (403), existence (404); the handler does the rest. A verb without a declared permission is 405.

``answers`` (harbor_core.lib.schema) and ``errors``, the statuses besides those that follow from the rest (400 to 404,
413, 415, 422), are what the published OpenAPI document says of it (harbor_core.api.openapi).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth.actor import Actor
from harbor_core.api.exceptions import error_response
from harbor_core.api.formats import JSONRenderer
from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import Listing, Page, link_header
from harbor_core.lib.schema import Answer, Schema
from harbor_core.lib.wire import Parsed, Reader, Whole, read, read_text
from harbor_core.services.config import config_get
from projects import access
from projects.access import ProjectAccess
from projects.models import Project

PREFIX = "/api/v2.0"
PUBLIC = "public"  # anyone; the handler filters by what the caller may see
LOGIN = "login"  # any account
ID = Whole()
T = TypeVar("T")
_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def decoded(segment: str) -> str:
    """The name behind a path segment that HTTP has decoded once. Raises BAD_REQUEST."""
    name = unquote(segment, errors="replace")
    if "\0" in name:
        raise HarborError("BAD_REQUEST", "the path holds a NUL character")
    return name


ENCODED = Parsed(decoded)  # a name whose slashes are encoded twice


class ApiView(APIView):
    """Permissions are PUBLIC, LOGIN, or a system permission such as ``user:list``."""

    permissions: ClassVar[Mapping[str, str]] = {}
    parameters: ClassVar[Mapping[str, Mapping[str, Reader]]] = {}
    bodies: ClassVar[Mapping[str, Mapping[str, Reader] | Reader]] = {}
    paths: ClassVar[Mapping[str, Reader]] = {}
    answers: ClassVar[Mapping[str, Answer | Schema | Sequence[Schema]]] = {}
    errors: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    request_headers: ClassVar[Mapping[str, Mapping[str, Reader]]] = {}  # published; the handler reads them
    works_read_only: ClassVar[bool] = False

    default_response_headers: ClassVar[dict[str, str]] = {}
    _renderer = JSONRenderer()

    params: dict[str, Any]
    body: dict[str, Any]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        view.csrf_exempt = False  # the middleware decides, by whether a session came along
        return view

    @property
    def actor(self) -> Actor:
        return cast(Actor, self.request.user)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return self._renderer, self._renderer.media_type

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        request.accepted_renderer, request.accepted_media_type = self._renderer, self._renderer.media_type
        verb = request.method or ""
        permission = self.permissions.get(verb)
        if permission is None:
            raise HarborError("METHOD_NOT_ALLOWED", headers={"Allow": ", ".join(self.permissions)})
        self._validate(request, verb)
        access.require_api(self.actor, changes=verb in _UNSAFE)
        self.authorize(permission)
        if verb in _UNSAFE and not self.works_read_only and config_get("read_only"):
            raise HarborError("DENIED", "the system is in read only mode, no modification is allowed")

    def _validate(self, request: Request, verb: str) -> None:
        for name, text in self.kwargs.items():
            if "\0" in text:
                raise HarborError("BAD_REQUEST", f"{name} holds a NUL character")
        self.kwargs |= {name: reader.load_text(name, self.kwargs[name]) for name, reader in self.paths.items()}
        schema = self.parameters.get(verb)
        self.params = read_text(schema, request._request.GET) if schema else {}
        self.body = self._read_body(request, self.bodies.get(verb))

    @staticmethod
    def _read_body(request: Request, fields: Mapping[str, Reader] | Reader | None) -> dict[str, Any]:
        if fields is None:
            return {}
        data = cast(dict[str, Any], request.data)
        return fields.load("the body", data) if isinstance(fields, Reader) else read(fields, data)

    def authorize(self, permission: str) -> None:
        """Raise UNAUTHORIZED or FORBIDDEN unless the actor may."""
        if permission == PUBLIC:
            return
        self.require_login()
        if permission != LOGIN:
            access.require(self.actor, permission)

    def require_login(self) -> None:
        if not self.actor.is_authenticated:
            raise HarborError("UNAUTHORIZED", "authentication is required for this operation")

    @property
    def listing(self) -> Listing:
        """page, page_size, q and sort of this request (``parameters`` includes LISTING or PAGING)."""
        params = self.params
        return Listing(max(1, params["page"]), params["page_size"], params.get("q") or {}, params.get("sort") or ())

    def page(self, page: Page[T], render: Callable[[T], dict[str, Any]]) -> Response:
        """200 with the rows and the headers of a list."""
        return self.rows([render(item) for item in page.items], page.total)

    def rows(self, rows: list[Any], total: int) -> Response:
        request: HttpRequest = self.request._request
        headers = {"X-Total-Count": str(total)}
        link = link_header(quote(request.path), request.GET.lists(), self.listing, total)
        if link:
            headers["Link"] = link
        return Response(rows, headers=headers)

    def created(self, *path: str | int) -> Response:
        """201 with the Location of what was created, and no body."""
        return Response(status=201, headers={"Location": location(*path)})

    def done(self) -> Response:
        return Response()


class ProjectView(ApiView):
    """Below a project given by name or id (``X-Is-Resource-Name``); permissions are those of the project."""

    project: Project
    access: ProjectAccess

    def authorize(self, permission: str) -> None:
        reference = self.kwargs.get("project_name_or_id") or self.kwargs["project_name"]
        by_name = "project_name" in self.kwargs or is_true(self.request, "X-Is-Resource-Name")
        self.project, self.access = access.open_project(self.actor, reference, permission, by_name=by_name)


class OwnerView(ProjectView):
    """Below a project, or in the same way below ``/system``: ``owner`` is the project or None."""

    owner: Project | None = None

    def authorize(self, permission: str) -> None:
        if "project_name_or_id" in self.kwargs:
            super().authorize(permission)
            self.owner = self.project
        else:
            ApiView.authorize(self, permission)

    @property
    def base(self) -> tuple[str | int, ...]:
        """Where the path begins, for ``created``."""
        return ("projects", self.owner.pk) if self.owner else ("system",)


def is_true(request: Request, header: str) -> bool:
    return request.headers.get(header, "").lower() in ("true", "1")


def location(*path: str | int) -> str:
    return PREFIX + "".join(f"/{quote(str(part), safe='')}" for part in path)


def repository_segment(name: str) -> str:
    """A repository's name inside its project as it stands in a path: encoded twice."""
    return quote(quote(name, safe=""), safe="")


def not_found(request: HttpRequest) -> HttpResponse:
    """Any path the API does not have."""
    return error_response(HarborError("NOT_FOUND", f"path {request.path} was not found"))
