"""``/system/gc``: garbage collection, and (ours) what it has to do and why a blob is kept."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.schema import INT, TEXT, TIME, array, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import compact
from jobservice.api.shapes import HISTORY_FIELDS
from jobservice.api.system_jobs import (
    JobHistory,
    JobLog,
    JobRun,
    JobSchedule,
    SystemJob,
    answers_of,
    permissions_of,
)
from jobservice.services import gc
from projects.selectors import collection as selectors
from projects.selectors.collection import Amount, Kept, State

GC = SystemJob("GARBAGE_COLLECTION", ("system", "gc"), gc.checked)
PERMISSIONS = permissions_of("garbage-collection")
ANSWERS = answers_of(obj("GCHistory", HISTORY_FIELDS))
AMOUNT = obj("CollectionAmount", {"number": INT, "size": INT})
STATE = obj(
    "CollectionState",
    dict.fromkeys(("due", "waiting", "condemned", "parked", "trash"), AMOUNT) | {"window_hours": INT},
    about="Blobs that the next run takes, that wait for the window, that are being deleted, that storage refused to "
    "delete, and that the trash holds; sizes in bytes.",
)
KEPT = obj(
    "KeptBlob",
    {
        "digest": TEXT,
        "size?": INT,
        "state": TEXT,
        "touched_at": TIME,
        "due_at?": TIME,
        "artifacts?": array(obj("KeptBy", {"repository_name": TEXT, "digest": TEXT})),
        "trash?": array(obj("KeptByTrash", {"repository_name": TEXT, "digest": TEXT, "expires_at": TIME})),
        "uploads?": array(obj("KeptByUpload", {"repository_name": TEXT, "upload": TEXT})),
        "error?": TEXT,
    },
    about="Who names a blob, or since when nobody does.",
)


class GCSchedule(JobSchedule):
    """Parameters: delete_untagged, dry_run, empty_trash, workers (1 to 10)."""

    job = GC
    permissions = PERMISSIONS["schedule"]
    answers = ANSWERS["schedule"]


class GCHistory(JobHistory):
    job = GC
    permissions = PERMISSIONS["list"]
    answers = ANSWERS["list"]


class GCRun(JobRun):
    job = GC
    paths = {"gc_id": ID}
    permissions = PERMISSIONS["item"]
    answers = ANSWERS["item"]


class GCLog(JobLog):
    job = GC
    paths = {"gc_id": ID}
    permissions = PERMISSIONS["log"]
    answers = ANSWERS["log"]


def amount_json(amount: Amount) -> dict[str, Any]:
    return {"number": amount.number, "size": amount.size}


def state_json(state: State) -> dict[str, Any]:
    """CollectionState."""
    names = ("due", "waiting", "condemned", "parked", "trash")
    return {name: amount_json(getattr(state, name)) for name in names} | {"window_hours": state.window_hours}


def kept_json(kept: Kept) -> dict[str, Any]:
    """KeptBlob."""
    return compact(
        {
            "digest": kept.digest,
            "size": kept.size,
            "state": kept.state,
            "touched_at": rfc3339(kept.touched_at),
            "due_at": rfc3339(kept.due_at) if kept.due_at else None,
            "artifacts": [{"repository_name": name, "digest": digest} for name, digest in kept.artifacts],
            "trash": [
                {"repository_name": name, "digest": digest, "expires_at": rfc3339(until)}
                for name, digest, until in kept.trash
            ],
            "uploads": [{"repository_name": name, "upload": upload} for name, upload in kept.uploads],
            "error": kept.error,
        }
    )


class GCState(ApiView):
    permissions = {"GET": "garbage-collection:read"}
    answers = {"GET": STATE}

    def get(self, request: Request) -> Response:
        return Response(state_json(selectors.state()))


class GCBlob(ApiView):
    permissions = {"GET": "garbage-collection:read"}
    answers = {"GET": KEPT}

    def get(self, request: Request, digest: str) -> Response:
        return Response(kept_json(selectors.why(digest)))
