"""What listings derive: ``Artifact.listed`` (tagged or no child of an index, and no accessory) and the revision under
which a repository's counts are cached."""

from collections.abc import Iterable

from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.db.models.fields import BooleanField
from django.utils import timezone

from harbor_core.lib import sql
from projects.models import Accessory, Artifact, ArtifactReference, Tag

_CHANGED = "UPDATE harbor_projects_repository SET revision = revision + 1, update_time = %s WHERE id = %s"


def refresh(artifact_ids: Iterable[int]) -> None:
    """Recompute the flag of these artifacts; one statement."""
    ids = list(artifact_ids)
    if not ids:
        return
    tagged = Exists(Tag.objects.filter(artifact=OuterRef("pk")))
    child = Exists(ArtifactReference.objects.filter(child=OuterRef("pk")))
    accessory = Exists(Accessory.objects.filter(artifact=OuterRef("pk")))
    Artifact.objects.filter(pk__in=ids).update(
        listed=Case(
            When((Q(tagged) | ~Q(child)) & ~Q(accessory), then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        )
    )


def changed(repository_id: int) -> None:
    """The content changed: note the time, and let cached counts go."""
    sql.execute(_CHANGED, [sql.time(timezone.now()), repository_id])
