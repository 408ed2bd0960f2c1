"""``GET /v2/_catalog``: every repository that has a tag, for administrators and robots with ``catalog:read``."""

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, JsonResponse

from harbor_core.registry.authorize import authorize_catalog
from harbor_core.registry.base import page_size, single
from harbor_core.registry.tags import paged
from projects.models import Repository, Tag


def repositories(request: HttpRequest) -> JsonResponse:
    authorize_catalog(request.META)
    size, last = page_size(request.GET), single(request.GET, "last")
    tagged = Exists(Tag.objects.filter(repository=OuterRef("pk")))
    rows = Repository.objects.filter(tagged, name__gt=last.replace("\0", "")).order_by("name")
    values = list(rows.values_list("name", flat=True)[: size + 1]) if size else []
    return paged("/v2/_catalog", "repositories", {}, values, size)
