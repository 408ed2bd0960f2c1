"""Manifests: push (end-7) and delete (end-9). Pulls are in ``pull``."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from harbor_core.registry import pull
from harbor_core.registry.authorize import authorize
from harbor_core.registry.base import refuse_changes, refuse_writes
from projects.access import ProjectAccess
from projects.manifests import platforms
from projects.models import Artifact, Repository
from projects.selectors.projects import takes_sparse_indexes
from projects.services import artifacts, tags
from projects.services.push import manifest_push


def get(request: HttpRequest, name: str, reference: str) -> HttpResponse:
    """The same as the fast path, for a server that runs without it (Django's test client, runserver)."""
    reply = pull.manifest(request.META, name, reference)
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)


def put(request: HttpRequest, name: str, reference: str) -> HttpResponse:
    """201 with Location and digest. 413 above 4 MiB; errors of projects.services.push.

    ``X-Harbor-Platforms: linux/amd64,linux/arm/v7`` (ours): of an index only the children of these were copied.
    """
    caller = authorize(request.META, name, "push")
    refuse_writes()
    if not names.is_repository(name):
        raise HarborError("NAME_INVALID", "a repository needs a project and a name, as in library/app")
    if caller.project.proxy:
        raise HarborError("DENIED", f"{caller.project.project_name} is a proxy cache; nothing can be pushed to it")
    left = _platforms(caller.project, request.headers.get(platforms.HEADER, ""))
    content, media_type = _body(request), request.content_type or ""
    pushed = manifest_push(caller.actor, caller.project, name, reference, content, media_type, platforms=left)
    headers = {"Location": f"/v2/{name}/manifests/{pushed.digest}", "Docker-Content-Digest": pushed.digest}
    if pushed.subject:
        headers["OCI-Subject"] = pushed.subject
    return HttpResponse(status=201, headers=headers)


def _platforms(project: ProjectAccess, said: str) -> list[str]:
    """None where the project takes no index that lacks children: then the push is one like any other."""
    wanted = [name for name in said.replace(" ", "").split(",") if name]
    try:
        names_ = platforms.checked(wanted)
    except HarborError as error:
        raise HarborError("MANIFEST_INVALID", f"{platforms.HEADER}: {error.message}") from error
    return names_ if names_ and takes_sparse_indexes(project.project_id) else []


def _body(request: HttpRequest) -> bytes:
    limit = settings.MANIFEST_MAX_BYTES
    too_large = HarborError("REQUEST_ENTITY_TOO_LARGE", f"a manifest may have {limit} bytes")
    content = request.read(limit + 1)
    if len(content) > limit:
        while request.read(65536):  # the gateway sends all of it (8 MiB at most) before it listens to the answer
            pass
        raise too_large
    return content


def delete(request: HttpRequest, name: str, reference: str) -> HttpResponse:
    """202. By digest the artifact goes with its tags, by tag only the tag."""
    caller = authorize(request.META, name, "delete")
    refuse_changes()
    repository = Repository.objects.filter(name=name).first()
    if repository is None:
        raise HarborError("NAME_UNKNOWN", detail=name)
    if names.looks_like_digest(reference):
        if not names.is_digest(reference):
            raise HarborError("DIGEST_INVALID", detail=reference[:200])
        artifact = Artifact.objects.defer("manifest").filter(repository=repository, digest=reference).first()
        if artifact is None:
            raise HarborError("MANIFEST_UNKNOWN", detail=reference)
        artifacts.delete(caller.actor, artifact)
    else:
        _untag(caller.actor, repository, reference)
    return HttpResponse(status=202)


def _untag(actor, repository: Repository, tag: str) -> None:
    try:
        tags.delete(actor, repository, tag)
    except HarborError as error:
        if error.code == "NOT_FOUND":
            raise HarborError("MANIFEST_UNKNOWN", detail=tag[:200]) from error
        raise
