"""What every ``/v2`` view shares: methods, error rendering, the API version header (distribution spec, API)."""

import functools
import logging
import re
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.views.decorators.csrf import csrf_exempt

from harbor_core.lib import waiting
from harbor_core.lib.errors import HarborError
from harbor_core.services import space
from harbor_core.services.config import config_get

logger = logging.getLogger(__name__)
JSON = "application/json; charset=utf-8"
API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
# Encoded or doubled separators and control characters: two readers of such a path may disagree, so nobody reads it.
HOSTILE_PATH = re.compile(r"%(?:2[fFeE]|5[cC]|[01][0-9a-fA-F]|7[fF])|//|\\|(?:^|/)\.\.?(?:/|$)")
View = Callable[..., HttpResponseBase]


def render(error: HarborError) -> HttpResponse:
    return HttpResponse(error.body(), status=error.status, content_type=JSON, headers=API_VERSION | error.headers)


def unavailable(error: Exception) -> HarborError:
    """The database is away: 503, never a wrong answer."""
    logger.error("database error: %s", error)
    return HarborError("SERVICE_UNAVAILABLE", headers={"Retry-After": "5"})


def registry_view(**methods: View) -> View:
    """A route with one handler per verb: ``registry_view(GET=list_tags)``. Other verbs are 405 UNSUPPORTED."""

    @csrf_exempt
    def view(request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        response = answer(request, **kwargs)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    def answer(request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        handler = methods.get(request.method or "")
        try:
            if HOSTILE_PATH.search(request.META.get("RAW_URI", "").partition("?")[0]):
                raise HarborError("NAME_INVALID", status=404)
            if handler is None:
                allow = ", ".join(sorted(methods))
                raise HarborError("UNSUPPORTED", status=405, headers={"Allow": allow})
            response = handler(request, **kwargs)
        except HarborError as error:
            return render(error)
        except waiting.WaitElsewhere:
            return HttpResponse(headers=waiting.location(request.META))
        except (OperationalError, InterfaceError) as error:
            return render(unavailable(error))
        except OSError as error:
            logger.error("storage error: %s", error)
            return render(
                HarborError("SERVICE_UNAVAILABLE", "the storage cannot be used", headers={"Retry-After": "5"})
            )
        except Exception:
            logger.exception("unexpected error in %s %s", request.method, request.path)
            return render(HarborError("UNKNOWN"))
        for name, value in API_VERSION.items():
            response.headers.setdefault(name, value)
        return response

    return functools.update_wrapper(view, next(iter(methods.values())), assigned=("__module__", "__doc__"))


def refuse_changes() -> None:
    """Raise DENIED while an administrator has made the system read-only."""
    if config_get("read_only"):
        raise HarborError("DENIED", "the system is in read-only mode")


def refuse_writes() -> None:
    """As :func:`refuse_changes`, and while storage is nearly full; what gives space back goes on then."""
    refuse_changes()
    if space.is_low():
        raise HarborError("DENIED", "the storage is nearly full; pushing is suspended, pulling goes on")


def single(query: QueryDict, name: str) -> str:
    """The parameter's value, empty when absent. Raises UNSUPPORTED when given twice: two readers could pick
    different ones."""
    values = query.getlist(name)
    if len(values) > 1:
        raise HarborError("UNSUPPORTED", f"the parameter {name} must not be given more than once")
    return values[0] if values else ""


def page_size(query: QueryDict, maximum: int = 1000) -> int:
    """``n`` of a listing (distribution spec, Listing Tags). Raises PAGINATION_NUMBER_INVALID."""
    text = single(query, "n")
    if not text:
        return maximum
    if not text.isascii() or not text.isdigit():
        raise HarborError("PAGINATION_NUMBER_INVALID", "n must be a whole number", detail=text[:100])
    return min(int(text[:10]), maximum)
