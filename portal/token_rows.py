"""The table of an account's personal tokens, for their owner and for administrators."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from auth.selectors import tokens as selectors
from portal.listing import Listing

_SORTS = {"name": "name", "expires": "expires_at", "used": "last_used_at", "created": "creation_time"}


def table(request: HttpRequest, user_id: int, revoke_url: Callable[[int], str]) -> dict[str, Any]:
    """Context of account/_tokens.html. Query: ``q`` (part of a name), ``sort``, ``page``, ``page_size``."""
    listing = Listing(request, sorts=_SORTS, default="name")
    found = listing.fill(selectors.tokens_of(user_id, listing.query))
    names = selectors.project_names(found)
    now = timezone.now()
    rows = [
        {
            "token": token,
            "projects": [names[pk] for pk in token.projects if pk in names],
            "expired": token.expires_at is not None and token.expires_at <= now,
            "revoke_url": revoke_url(token.pk),
        }
        for token in found
    ]
    return {"listing": listing, "rows": rows}
