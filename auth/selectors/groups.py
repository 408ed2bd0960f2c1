"""Groups of the identity provider in use, or of all where none is."""

from django.db.models import QuerySet

from auth.models import UserGroup
from harbor_core.lib.errors import HarborError
from harbor_core.lib.pagination import Listing, Page, paginate
from harbor_core.services.config import config_get

TYPE_OF_MODE = {
    "ldap_auth": UserGroup.Type.LDAP,
    "http_auth": UserGroup.Type.HTTP,
    "oidc_auth": UserGroup.Type.OIDC,
}


def type_in_use() -> UserGroup.Type | None:
    """The type of groups that the authentication mode knows, if it knows groups."""
    return TYPE_OF_MODE.get(config_get("auth_mode"))


def not_found(what: object) -> HarborError:
    return HarborError("NOT_FOUND", f"user group {str(what)[:200]} not found")


def _groups() -> QuerySet[UserGroup]:
    current = type_in_use()
    groups = UserGroup.objects.order_by("group_name", "pk")
    return groups if current is None else groups.filter(group_type=current)


def groups_in_use(part: str = "") -> QuerySet[UserGroup]:
    """Those :func:`group_list` pages through; ``part`` of a name."""
    return _groups().filter(group_name__icontains=part) if part else _groups()


def group_list(listing: Listing, *, name: str = "", dn: str = "") -> Page[UserGroup]:
    """``name`` is a part to look for, ``dn`` a whole distinguished name."""
    groups = _groups()
    if name:
        groups = groups.filter(group_name__icontains=name)
    if dn:
        groups = groups.filter(ldap_group_dn=dn.strip().lower())
    return paginate(groups, listing)


def group_get(group_id: int) -> UserGroup:
    """Raises NOT_FOUND."""
    group = UserGroup.objects.filter(pk=group_id).first()
    if group is None:
        raise not_found(group_id)
    return group
