"""Members of a project."""

from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from auth.rbac import ROLE_ORDER, Role
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import Member, Project

FIELDS = {
    "id": Field("id", whole),
    "role_id": Field("role", whole),
    "creation_time": Field("creation_time", time),
}


def member_list(project: Project, listing: Listing, *, entityname: str = "") -> Page[Member]:
    """Users and groups; ``entityname`` is a part of the name to look for."""
    members = Member.objects.filter(project=project).select_related("user", "group")
    if entityname:
        members = members.filter(Q(user__username__icontains=entityname) | Q(group__group_name__icontains=entityname))
    members = apply_filter(members, listing.query, FIELDS)
    return paginate(apply_sort(members, listing.sort, FIELDS, ["pk"]), listing)


def member_get(project: Project, member_id: int) -> Member:
    """Raises NOT_FOUND."""
    member = Member.objects.filter(project=project, pk=member_id).select_related("user", "group").first()
    if member is None:
        raise HarborError("NOT_FOUND", f"member {member_id} not found in {project.name}")
    return member


def members_of(project: Project, *, name: str = "", role: int = 0) -> QuerySet[Member]:
    """Each with ``entity_name``, and ``rank``: 0 for the highest role. ``name`` is a part to look for."""
    ranks = [When(role=found, then=Value(rank)) for rank, found in enumerate(ROLE_ORDER)]
    members = (
        Member.objects.filter(project=project)
        .select_related("user", "group")
        .annotate(
            entity_name=Coalesce("user__username", "group__group_name"),
            rank=Case(*ranks, default=Value(len(ROLE_ORDER))),
        )
    )
    if role:
        members = members.filter(role=role)
    return members.filter(entity_name__icontains=name) if name else members


def administrated_without(project: Project, members: QuerySet[Member]) -> bool:
    """Is there a project administrator besides these?"""
    admins = Member.objects.filter(project=project, role=Role.PROJECT_ADMIN)
    return admins.exclude(pk__in=members.values("pk")).exists()
