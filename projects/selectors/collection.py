"""What garbage collection has to do, and why a blob is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from harbor_core.lib import names
from harbor_core.lib.errors import HarborError
from projects.models import Artifact, ArtifactBlob, Blob, CollectionDay, TrashedArtifact, TrashedBlob, Upload

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Amount:
    number: int
    size: int  # bytes, as far as they are known


@dataclass(frozen=True, slots=True)
class State:
    """due: the next run takes them; waiting: nothing names them, but a client was told of them inside the window;
    condemned: being deleted; parked: storage refused; trash: held by what can be restored."""

    due: Amount
    waiting: Amount
    condemned: Amount
    parked: Amount
    trash: Amount
    window_hours: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Why a blob is in storage: who names it, up to SHOWN of each."""

    digest: str
    size: int | None
    state: str
    touched_at: datetime
    due_at: datetime | None  # when it may go, where nothing but the window keeps it
    artifacts: list[tuple[str, str]]  # repository, digest
    trash: list[tuple[str, str, datetime]]  # repository, digest, until when
    uploads: list[tuple[str, str]]  # repository, session
    error: str


def window() -> timedelta:
    return timedelta(hours=settings.GC_WINDOW_HOURS)


def unnamed() -> QuerySet[Blob]:
    """Live blobs that nothing names."""
    return Blob.objects.filter(
        ~Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk"))),
        ~Exists(TrashedBlob.objects.filter(blob=OuterRef("pk"))),
        ~Exists(Upload.objects.filter(digest=OuterRef("digest"))),
        state=Blob.State.LIVE,
    )


def state(before: datetime | None = None) -> State:
    before = before or timezone.now() - window()
    now = timezone.now()
    parked = Q(parked_until__gte=now)
    loose = unnamed()
    held = Blob.objects.filter(Exists(TrashedBlob.objects.filter(blob=OuterRef("pk"))))
    held = held.filter(~Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk"))))
    return State(
        due=_amount(loose.filter(~parked | Q(parked_until=None), touched_at__lt=before)),
        waiting=_amount(loose.filter(touched_at__gte=before)),
        condemned=_amount(Blob.objects.filter(state=Blob.State.DELETING)),
        parked=_amount(Blob.objects.exclude(delete_error="").filter(parked)),
        trash=_amount(held),
        window_hours=settings.GC_WINDOW_HOURS,
    )


def _amount(blobs: QuerySet[Blob]) -> Amount:
    found = blobs.aggregate(number=Count("pk"), size=Sum("size"))
    return Amount(found["number"], found["size"] or 0)


def days(number: int) -> list[CollectionDay]:
    """What was removed on each of the last days, today last; zeros where nothing was."""
    today = timezone.now().date()
    wanted = [today - timedelta(days=ago) for ago in reversed(range(number))]
    found = {row.day: row for row in CollectionDay.objects.filter(day__gte=wanted[0])}
    return [found.get(day) or CollectionDay(day=day) for day in wanted]


def parked() -> QuerySet[Blob]:
    """What storage refused to delete, the latest first."""
    return Blob.objects.exclude(delete_error="").order_by("-parked_until", "-pk")


def why(digest: str) -> Kept:
    """Raises NOT_FOUND for a digest that is not recorded."""
    blob = Blob.objects.filter(digest=digest).first() if names.is_digest(digest) else None
    if blob is None:
        raise HarborError("NOT_FOUND", f"blob {digest[:100]} is not here")
    artifacts = Artifact.objects.filter(blobs__blob=blob).order_by("pk").values_list("repository__name", "digest")
    trash = TrashedArtifact.objects.filter(blobs__blob=blob).order_by("pk")
    uploads = Upload.objects.filter(digest=digest).order_by("pk").values_list("repository_name", "id")
    found = Kept(
        digest=blob.digest,
        size=blob.size,
        state=blob.state,
        touched_at=blob.touched_at,
        due_at=None,
        artifacts=list(artifacts[:SHOWN]),
        trash=list(trash.values_list("repository_name", "digest", "expires_at")[:SHOWN]),
        uploads=[(name, str(upload)) for name, upload in uploads[:SHOWN]],
        error=blob.delete_error,
    )
    if found.artifacts or found.trash or found.uploads:
        return found
    return Kept(**{name: getattr(found, name) for name in Kept.__slots__} | {"due_at": blob.touched_at + window()})
