"""Traces (OpenTelemetry), where they are wanted: TRACE_ENABLED, docs/tracing.md.

While they are not, nothing that traces is imported, no request passes through anything more, and what is called
here does nothing. Names of spans and their attributes hold no path, no name of a project and no credential.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from harbor_core.env import ConfigError
from harbor_core.lib import trace_settings

if TYPE_CHECKING:
    import httpx

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
P = ParamSpec("P")
R = TypeVar("R")
TRACEPARENT_MAX = 55  # characters
_NOTHING = nullcontext()

try:
    _settings = trace_settings.read()
except ConfigError:  # settings read them again and say so
    _settings = None
ON = _settings is not None
if ON:
    from harbor_core.lib import otel


def start(service: str) -> None:
    """Send this process's spans to the collector from now on."""
    if _settings is not None:
        otel.start(service, _settings)


def traced(application: Application, early: Callable[[str], str]) -> Application:
    """The application with a span per request, going on with the client's trace or the one the gateway began.
    ``early``: the route of a path that no view of Django will name (see :func:`named`), else empty."""
    return otel.traced(application, early) if ON else application


def named(method: str, route: str) -> None:
    """The route of the request under way, as a template."""
    if ON:
        otel.named(method, route)


def note(**values: str | int | bool) -> None:
    """Attributes of what is under way; ``_`` in a name stands for a dot."""
    if ON:
        otel.note({f"harbor.{name.replace('_', '.')}": value for name, value in values.items()})


def acting(actor: Any) -> None:
    """Whose request it is (an auth.actor.Actor): of which kind and by what credential, without its name."""
    if ON:
        otel.note({"harbor.actor.kind": actor.kind.name.lower(), "harbor.actor.credential": str(actor.credential)})


def failed() -> None:
    """What is under way does not succeed."""
    if ON:
        otel.failed()


def carried() -> str:
    """What is under way, as W3C's traceparent, for :func:`continued` and :func:`task`; empty when nothing is."""
    return otel.carried() if ON else ""


def ids() -> tuple[str, str] | None:
    """(trace id, span id) of what is under way."""
    return otel.ids() if ON else None


def continued(traceparent: str) -> AbstractContextManager[None]:
    """What is done inside belongs to that trace; it has no span of its own."""
    return otel.continued(traceparent) if ON and traceparent else _NOTHING


def task(job_type: str, traceparent: str, **values: str | int) -> AbstractContextManager[None]:
    """The run of a job: part of the trace of what caused it, or a trace of its own."""
    if not ON:
        return _NOTHING
    attributes: dict[str, Any] = {f"harbor.job.{name}": value for name, value in values.items()}
    return otel.task(f"job {job_type}", traceparent, {"harbor.job.type": job_type} | attributes)


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """A call to something else, as part of what is under way."""
    return otel.span(name, attributes) if ON else _NOTHING


def spanned(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose calls are spans."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if not ON:
            return function

        @wraps(function)
        def wrapped(*args: P.args, **options: P.kwargs) -> R:
            with otel.span(name, {}):
                return function(*args, **options)

        return wrapped

    return decorate


def watched_redis(client: Any) -> Any:
    """The client, its commands being spans."""
    return otel.watched_redis(client) if ON else client


def watched_http(transport: "httpx.BaseTransport") -> "httpx.BaseTransport":
    """The transport, its calls being spans."""
    return otel.Watched(transport) if ON else transport
