"""``GET /v2/<name>/referrers/<digest>`` (end-12a, end-12b): manifests whose ``subject`` is this digest."""

from urllib.parse import quote

from django.db.models.functions import Length
from django.http import HttpRequest, JsonResponse

from harbor_core.lib import media_types as mt
from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.registry import proxied
from harbor_core.registry.authorize import authorize
from harbor_core.registry.base import single
from projects.models import Artifact

PAGE = 500  # a page stays well below the 4 MiB clients accept for a manifest


def referrers(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    """200 with an index, empty when nothing refers to the digest; the digest itself need not exist. The first page of a
    proxy project has what only its upstream has as well, if the project asks for that."""
    caller = authorize(request.META, name, "pull")
    if not names.is_digest(digest):
        raise HarborError("DIGEST_INVALID", "digest must be sha256: and 64 hexadecimal digits", detail=digest[:200])
    kind, last = single(request.GET, "artifactType"), single(request.GET, "last")
    rows = Artifact.objects.filter(repository__name=name, subject_digest=digest).order_by("pk")
    if kind:
        rows = rows.filter(artifact_type=kind.replace("\0", ""))
    if last.isascii() and last.isdigit() and len(last) < 19:
        rows = rows.filter(pk__gt=int(last))
    found = list(
        rows.annotate(length=Length("manifest")).values_list(
            "pk", "manifest_media_type", "digest", "length", "artifact_type", "annotations"
        )[: PAGE + 1]
    )
    shown = [_descriptor(*row) for row in found[:PAGE]]
    note = ""
    if caller.project.proxy and not last:
        elsewhere, note = proxied.referrers(caller, name, digest)
        here = set(rows.values_list("digest", flat=True)) if elsewhere else set()
        shown += [row for row in elsewhere if row["digest"] not in here and kind in ("", row.get("artifactType", ""))][
            :PAGE
        ]
    response = JsonResponse(
        {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": shown}, content_type=mt.OCI_INDEX
    )
    if note:
        response[proxied.NOTE] = note
    if kind:
        response["OCI-Filters-Applied"] = "artifactType"
    if len(found) > PAGE:
        filtered = f"artifactType={quote(kind, safe='')}&" if kind else ""
        response["Link"] = f'</v2/{name}/referrers/{digest}?{filtered}last={found[PAGE - 1][0]}>; rel="next"'
    return response


def _descriptor(pk: int, media_type: str, digest: str, size: int, kind: str, annotations: dict) -> dict:
    descriptor = {"mediaType": media_type, "digest": digest, "size": size, "artifactType": kind}
    return descriptor | ({"annotations": annotations} if annotations else {})
