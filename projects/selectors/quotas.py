"""Quotas as administrators see them: usage includes what is not folded yet."""

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce

from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_sort, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import Quota, QuotaDelta

PROJECT = "project"  # the only kind of thing that has a quota
FIELDS = {"id": Field("pk", whole), "hard.storage": Field("hard", whole), "used.storage": Field("total", whole)}


def with_usage() -> QuerySet[Quota]:
    """Each with ``total``, the bytes in use, its project and the project's owner."""
    deltas = QuotaDelta.objects.filter(project_id=OuterRef("project_id")).order_by().values("project_id")
    waiting = Coalesce(Subquery(deltas.annotate(sum=Sum("size")).values("sum")), 0)
    return Quota.objects.select_related("project__owner").annotate(total=F("used") + Cast(waiting, BigIntegerField()))


def quota_list(listing: Listing, *, reference: str = "", reference_id: str = "") -> Page[Quota]:
    """Of all projects, or of the one with this id."""
    quotas = with_usage()
    if reference and reference != PROJECT:
        return Page([], 0)
    if reference_id:
        if not reference_id.isascii() or not reference_id.isdigit() or len(reference_id) > 18:
            return Page([], 0)
        quotas = quotas.filter(project_id=int(reference_id))
    return paginate(apply_sort(quotas, listing.sort, FIELDS, ["pk"]), listing)


def quota_get(quota_id: int) -> Quota:
    """Raises NOT_FOUND."""
    quota = with_usage().filter(pk=quota_id).first()
    if quota is None:
        raise HarborError("NOT_FOUND", f"quota {quota_id} not found")
    return quota
