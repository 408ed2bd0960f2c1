"""What storage audits found."""

from django.db.models import Count, QuerySet

from harbor_core.lib.filtering import Field, apply_filter, apply_sort, text, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from jobservice.models import Execution, StorageFinding

FIELDS = {
    "id": Field("pk", whole),
    "kind": Field("kind", text),
    "state": Field("state", text),
    "digest": Field("digest", text),
    "repository_name": Field("repository_name", text),
    "size": Field("size", whole, nullable=True),
}


def findings(execution: Execution, **columns: str) -> QuerySet[StorageFinding]:
    return StorageFinding.objects.filter(execution=execution, **columns)


def finding_list(execution: Execution, listing: Listing) -> Page[StorageFinding]:
    """In the order they were found, unless asked otherwise."""
    rows = apply_filter(findings(execution), listing.query, FIELDS)
    return paginate(apply_sort(rows, listing.sort, FIELDS, ("pk",)), listing)


def open_kinds(execution: Execution) -> dict[str, int]:
    """kind -> how many findings are not settled."""
    rows = findings(execution).filter(state__in=("open", "refused")).order_by()
    return dict(rows.values_list("kind").annotate(Count("pk")))
