"""Personal tokens as their owners and administrators see them; the secret is not among it."""

from collections.abc import Iterable

from django.db.models import QuerySet

from auth.models import PersonalToken
from harbor_core.lib.errors import HarborError
from harbor_core.lib.filtering import Field, apply_filter, apply_sort, time, whole
from harbor_core.lib.pagination import Listing, Page, paginate
from projects.models import Project

FIELDS = {
    "id": Field("id", whole),
    "name": Field("name"),
    "creation_time": Field("creation_time", time),
    "expires_at": Field("expires_at", time, nullable=True),
    "last_used_at": Field("last_used_at", time, nullable=True),
}


def tokens_of(user_id: int, part: str = "") -> "QuerySet[PersonalToken]":
    """Those whose names have this part."""
    return PersonalToken.objects.filter(user_id=user_id, name__icontains=part)


def token_list(user_id: int, listing: Listing) -> Page[PersonalToken]:
    """By name."""
    tokens = apply_filter(tokens_of(user_id), listing.query, FIELDS)
    return paginate(apply_sort(tokens, listing.sort, FIELDS, ["name"]), listing)


def token_get(user_id: int, token_id: int) -> PersonalToken:
    """Raises NOT_FOUND, also for a token of somebody else."""
    token = PersonalToken.objects.filter(pk=token_id, user_id=user_id).first()
    if token is None:
        raise HarborError("NOT_FOUND", f"token {token_id} not found")
    return token


def project_names(tokens: Iterable[PersonalToken]) -> dict[int, str]:
    """Names of the projects these tokens are limited to, by id, as far as they still exist. One query, or none."""
    ids = {project_id for token in tokens for project_id in token.projects}
    return dict(Project.objects.filter(pk__in=ids, deleted=False).values_list("pk", "name")) if ids else {}
