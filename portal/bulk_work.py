"""Doing one thing to each of many rows within one request."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from harbor_core.lib.errors import HarborError
from portal.reasons import said

T = TypeVar("T")
SECONDS = 20.0  # a browser and the gateway wait longer
_IGNORED = frozenset({"NOT_FOUND"})  # somebody else was first


def each(request: HttpRequest, rows: Iterable[T], act: Callable[[T], object], done: str) -> None:
    """Every row in its own transaction, until the time is over; messages say what came of it. ``done`` is a sentence
    with %(number)s. Failures of the system itself are raised."""
    end = time.monotonic() + SECONDS
    number, left, refused = 0, 0, Counter[str]()
    for row in rows:
        if time.monotonic() > end:
            left += 1
            continue
        try:
            act(row)
        except HarborError as error:
            if error.status >= 500:
                raise
            if error.code not in _IGNORED:
                refused[error.message] += 1
        else:
            number += 1
    if number:
        messages.success(request, done % {"number": number})
    for reason, _times in refused.most_common(3):
        messages.error(request, _("Refused: %(reason)s") % {"reason": said(reason)})
    if left:
        text = ngettext(
            "%(number)s was not reached in time. Do the same again for the rest.",
            "%(number)s were not reached in time. Do the same again for the rest.",
            left,
        )
        messages.warning(request, text % {"number": left})
    if not (number or refused or left):
        messages.info(request, _("There was nothing left to do."))


def unconfirmed(request: HttpRequest) -> dict[str, Any]:
    """How to ask again (arguments of shortcuts.confirm): a form that came without the word is told so."""
    if request.method != "POST":
        return {}
    return {"status": 400, "error": _("This is not the word that was asked for.")}
