"""Upload sessions (end-4a, end-4b, end-11, end-13). PATCH and PUT carry bytes and are the gateway's."""

from django.http import HttpRequest, HttpResponse

from harbor_core import registry_client
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.registry.authorize import authorize, may_pull
from harbor_core.registry.base import refuse_writes, single
from projects.models import Upload
from projects.services import blobs


def start(request: HttpRequest, name: str) -> HttpResponse:
    """202 with the session's Location; 201 when ``mount`` from ``from`` worked.

    A body (monolithic POST) is not read: the answer is 202 and the client goes on with PUT, which the spec allows.
    """
    digest, source = single(request.GET, "mount"), single(request.GET, "from")
    caller = authorize(request.META, name, "push", mount_from=source if names.is_repository(source) else "")
    refuse_writes()
    if not names.is_repository(name):
        raise HarborError("NAME_INVALID", "a repository needs a project and a name, as in library/app")
    if caller.project.proxy:
        raise HarborError("DENIED", f"{caller.project.project_name} is a proxy cache; nothing can be pushed to it")
    if names.is_digest(digest) and source and may_pull(request.META, caller.actor, source):
        session = blobs.mount(caller.actor, caller.project, name, digest, source)
        if session is None:
            return _created(name, digest)
    else:
        session = blobs.start_upload(caller.actor, caller.project, name)
    upload, location = session
    return _session(202, upload, location, 0)


def _created(name: str, digest: str) -> HttpResponse:
    return HttpResponse(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})


def _session(status: int, upload: str, location: str, offset: int) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers={"Location": location, "Docker-Upload-UUID": upload, "Range": f"0-{max(offset - 1, 0)}"},
    )


def _own(request: HttpRequest, name: str, upload: str) -> Upload:
    """The caller's own session. Raises BLOB_UPLOAD_UNKNOWN."""
    caller = authorize(request.META, name, "push")
    row = blobs.upload_of(upload, name)
    if row.subject != caller.actor.key:
        raise HarborError("BLOB_UPLOAD_UNKNOWN", detail=upload)
    return row


def status(request: HttpRequest, name: str, upload: str) -> HttpResponse:
    """204 with the bytes received so far and a Location to go on from, also after a chunk was cut off."""
    _own(request, name, upload)
    offset = storage.upload_offset(name, upload)
    if offset is None:
        raise HarborError("BLOB_UPLOAD_UNKNOWN", detail=upload)
    state = registry_client.upload_state(name, upload, offset)
    return _session(204, upload, f"/v2/{name}/blobs/uploads/{upload}?_state={state}", offset)


def cancel(request: HttpRequest, name: str, upload: str) -> HttpResponse:
    """204: the session and what it held are gone."""
    blobs.cancel(_own(request, name, upload))
    return HttpResponse(status=204)
