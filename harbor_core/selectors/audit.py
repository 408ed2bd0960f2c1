"""Audit rows as lists show them: of the system, of what the caller may see, of one project."""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import itemgetter

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, flag, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.lib.query import Condition
from harbor_core.models import AuditLog
from projects import access

FIELDS = {
    "id": Field("id", whole),
    "username": Field("username"),
    "resource": Field("resource"),
    "resource_type": Field("resource_type"),
    "operation": Field("operation"),
    "operation_description": Field("operation_description"),
    "operation_result": Field("operation_result", flag),
    "client_ip": Field("client_ip"),
    "project_id": Field("project_id", whole),
    "op_time": Field("op_time", time),
}
# What the log before Harbor 2.13 knew.
LEGACY_TYPES = ("project", "repository", "artifact", "tag", "robot")
LEGACY_OPERATIONS = ("create", "delete", "pull")

SETTLED_SECONDS = 60  # older rows: no transaction is still about to add one among them
KNOWN_SECONDS = 600
WORTH_KNOWING = 5_000  # rows; fewer are counted as fast as looked up
FEW = 1_000
_SPARSE = FIELDS.keys() - {"id", "project_id", "op_time"}  # filters on these have no index in the order of a page
NEWEST_FIRST = ("-op_time", "-pk")
FAR = 10_000  # rows before a page that is worth a milestone
MILESTONE, MILESTONE_SECONDS = 5_000, 3_600
_GENERATION = "audit-total:generation"


def audit_list(actor: Actor, listing: Listing, *, legacy: bool = False) -> Page[AuditLog]:
    """Everything for those who may read the system's log, else the rows of projects whose log the actor may read."""
    ids = visible_projects(actor)
    rows = AuditLog.objects.all() if ids is None else AuditLog.objects.filter(project_id__in=ids)
    return _paged(rows, listing, legacy)


def visible_projects(actor: Actor) -> list[int] | None:
    """Ids of the projects whose log the actor may read; None for the whole log, that of the system included."""
    if access.can(actor, "audit-log:list"):
        return None
    return list(access.projects_granting(actor, "log:list").values_list("pk", flat=True))


def audit_rows(actor: Actor, query: Mapping[str, Condition]) -> "QuerySet[AuditLog]":
    """Every row of :func:`audit_list` that matches, newest first: for an export, read bit by bit."""
    ids = visible_projects(actor)
    rows = AuditLog.objects.all() if ids is None else AuditLog.objects.filter(project_id__in=ids)
    return apply_filter(rows, query, FIELDS).order_by(*NEWEST_FIRST)


def project_audit_list(project_id: int, listing: Listing, *, legacy: bool = False) -> Page[AuditLog]:
    return _paged(AuditLog.objects.filter(project_id=project_id), listing, legacy)


def project_audit_rows(project_id: int, query: Mapping[str, Condition]) -> "QuerySet[AuditLog]":
    """Every row of the project that matches, newest first: for an export, read bit by bit."""
    return apply_filter(AuditLog.objects.filter(project_id=project_id), query, FIELDS).order_by(*NEWEST_FIRST)


def _paged(rows: "QuerySet[AuditLog]", listing: Listing, legacy: bool) -> Page[AuditLog]:
    if legacy:
        rows = rows.filter(resource_type__in=LEGACY_TYPES, operation__in=LEGACY_OPERATIONS, operation_result=True)
    rows = apply_filter(rows, listing.query, FIELDS)
    if not listing.query.keys().isdisjoint(_SPARSE):
        rows = _narrowed(rows)
    start = (listing.page - 1) * listing.size
    if start >= FAR and not any(order.key in FIELDS for order in listing.sort):
        count = total(rows)
        return Page(_far_page(rows, start, listing.size, count) if start < count else [], count)
    ordered = apply_sort(rows, listing.sort, FIELDS, NEWEST_FIRST)
    return paginate(ordered, listing, lambda: total(rows))


def _narrowed(rows: "QuerySet[AuditLog]") -> "QuerySet[AuditLog]":
    """The same rows by their ids where they are few. Asked for the newest of few, a database walks through millions of
    rows in order; without an order it looks at them as fast as it can read, and once: what was found is remembered, as
    :func:`total` remembers."""
    try:
        key = _key("few", rows)
    except EmptyResultSet:
        return rows
    known = cache.get(key)
    if known is None:
        border, found = _settled_border(), _some(rows)
    elif known is True:  # too many
        return rows
    else:
        border, found = known
        found = found + _some(rows.filter(pk__gt=border))
    if len(found) > FEW:
        cache.set(key, True, KNOWN_SECONDS)
        return rows
    if known is None:
        cache.set(key, (border, [pk for pk in found if pk <= border]), KNOWN_SECONDS)
    return AuditLog.objects.filter(pk__in=found)


def _some(rows: "QuerySet[AuditLog]") -> list[int]:
    return list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])


def total(rows: "QuerySet[AuditLog]") -> int:
    """How many rows there are. Rows are only ever added, so a number counted before stays true of the rows it counted,
    and only what came later is counted anew: the same cost at a thousand rows and at millions."""
    try:
        key = _key("total", rows)
    except EmptyResultSet:
        return 0
    known = cache.get(key)
    if known is not None:
        border, count = known
        return int(count) + rows.filter(pk__gt=border).count()
    border = _settled_border()
    counts = rows.aggregate(every=Count("pk"), settled=Count("pk", filter=Q(pk__lte=border)))
    if counts["settled"] >= WORTH_KNOWING:
        cache.set(key, (border, counts["settled"]), KNOWN_SECONDS)
    return int(counts["every"])


def _far_page(rows: "QuerySet[AuditLog]", start: int, size: int, count: int) -> list[AuditLog]:
    """The rows after the ``start`` newest ones. Counted from the oldest a row keeps its number while others are added,
    so the page begins at the nearest milestone instead of passing over all that is newer."""
    number = count - start
    ordered = rows.order_by(*NEWEST_FIRST)
    milestones = _milestones(rows)
    nearest = bisect_left(milestones, number, key=itemgetter(0))
    if nearest < len(milestones):
        start, (when, pk) = milestones[nearest][0] - number, milestones[nearest][1:]
        ordered = ordered.filter(op_time__lte=when).filter(Q(op_time__lt=when) | Q(pk__lte=pk))
    return list(ordered[start : start + size])


def _milestones(rows: "QuerySet[AuditLog]") -> list[tuple[int, datetime, int]]:
    """Number, time and id of every MILESTONE-th row, counted from the oldest."""
    key = _key("milestones", rows)
    known = cache.get(key)
    if known is None:
        numbered = rows.annotate(number=Window(RowNumber(), order_by=["op_time", "pk"]))
        marked = numbered.annotate(rest=F("number") % MILESTONE).filter(rest=0).order_by("number")
        known = list(marked.values_list("number", "op_time", "pk"))
        cache.set(key, known, MILESTONE_SECONDS)
    return list(known)


def _key(kind: str, rows: "QuerySet[AuditLog]") -> str:
    """Of what is remembered about these rows. Raises EmptyResultSet where there cannot be any."""
    statement = repr(rows.query.sql_with_params())
    return f"audit-{kind}:{cache.get(_GENERATION, 0)}:{hashlib.sha256(statement.encode()).hexdigest()}"


def _settled_border() -> int:
    """The id up to which nothing is added any more."""
    before = timezone.now() - timedelta(seconds=SETTLED_SECONDS)
    newest = AuditLog.objects.filter(op_time__lt=before).order_by("-op_time", "-pk").values_list("pk", flat=True)
    return newest.first() or 0


def forget_totals() -> None:
    """After rows were deleted: count anew."""
    cache.set(_GENERATION, timezone.now().timestamp(), None)
