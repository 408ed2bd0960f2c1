"""What harbor_core.lib.tracing does while traces are wanted; imported then only.

The trace's id decides whether it is sampled, as in Harbor: every process comes to the same decision, and what a client
says about sampling counts for nothing. A collector that is away costs no request anything: spans wait in a bounded
queue, a thread sends them, and what does not fit is dropped.
"""

import atexit
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from harbor_core.env import env_str
from harbor_core.lib.trace_settings import Settings
from harbor_core.lib.wsgi import Finished

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
LAST_SPANS_SECONDS = 2.0  # at the end of the process, for what is still in the queue
STATEMENT_MAX = 1000  # characters of an SQL statement; its values are never in it
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_tracer = trace.get_tracer("harbor")
_format = TraceContextTextMapPropagator()
_begun: ContextVar[int] = ContextVar("trace_begun", default=0)
_started = False


class _Ids(RandomIdGenerator):
    """A trace that the gateway began has the id it gave."""

    def generate_trace_id(self) -> int:
        return _begun.get() or super().generate_trace_id()


def start(service: str, settings: Settings) -> None:
    """Send the spans of this process from now on. ``service``: its name unless OTEL_SERVICE_NAME says another."""
    global _started
    if _started:
        return
    _started = True
    names = {SERVICE_NAME: env_str("OTEL_SERVICE_NAME") or env_str("TRACE_SERVICE_NAME", service)}
    if settings.namespace:
        names[SERVICE_NAMESPACE] = settings.namespace
    # Without a sampler of Harbor's the library reads the standard variable.
    sampler: Sampler | None = None if env_str("OTEL_TRACES_SAMPLER") else TraceIdRatioBased(settings.rate)
    resource = Resource.create(settings.attributes | names)
    provider = TracerProvider(sampler=sampler, resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
    trace.set_tracer_provider(provider)
    connection_created.connect(_watch_database, dispatch_uid="tracing")
    _flush_at_exit(provider)


def _exporter(settings: Settings) -> OTLPSpanExporter:
    if not settings.endpoint:
        return OTLPSpanExporter()
    compression = Compression.Gzip if settings.gzip else None
    return OTLPSpanExporter(endpoint=settings.endpoint, timeout=settings.seconds, compression=compression)


def _flush_at_exit(provider: TracerProvider) -> None:
    """The last spans are sent, but a collector that is away does not hold up the end of the process: a thread that can
    be left behind waits for it. It is there from the start, since none can be made any more at the end."""
    ending, over = threading.Event(), threading.Event()

    def shut_down() -> None:
        ending.wait()
        provider.shutdown()
        over.set()

    def end() -> None:
        ending.set()
        over.wait(LAST_SPANS_SECONDS)

    threading.Thread(target=shut_down, name="tracing-end", daemon=True).start()
    atexit.register(end)


# ---------------------------------------------------------------------- requests
def traced(application: Application, early: Callable[[str], str]) -> Application:
    """A span per request. ``early``: the route of a path that no view of Django will name, else empty."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "_OTHER"
        route = early(environ["PATH_INFO"])
        given = _begun.set(_identifier(environ.get("HTTP_X_HARBOR_TRACE", "")))
        parent = _parent(environ.get("HTTP_TRACEPARENT", ""))
        attributes = {"http.request.method": method} | ({"http.route": route} if route else {})
        name = f"{method} {route}".strip()
        span = _tracer.start_span(name, parent, SpanKind.SERVER, attributes=attributes)
        _begun.reset(given)
        token = context.attach(trace.set_span_in_context(span))

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            _told(span, status, headers)
            return start_response(status, headers, *rest)

        def finish() -> None:
            context.detach(token)
            span.end()

        try:
            answer = application(environ, start)
        except BaseException:
            span.set_status(StatusCode.ERROR)
            finish()
            raise
        if isinstance(answer, list | environ.get("wsgi.file_wrapper", list)):
            finish()
            return answer
        return Finished(answer, finish)

    return wrapped


def _told(span: Span, status: str, headers: list[tuple[str, str]]) -> None:
    span.set_attribute("http.response.status_code", int(status[:3]))
    span.set_attribute("harbor.request_id", next((value for name, value in headers if name == "X-Request-Id"), ""))
    if status[0] == "5":
        span.set_status(StatusCode.ERROR)


def _identifier(text: str) -> int:
    """A trace id; 0 for what is none."""
    return int(text, 16) if _TRACE_ID.fullmatch(text) else 0


def _parent(traceparent: str) -> context.Context:
    return _format.extract({"traceparent": traceparent}, context.Context())


def named(method: str, route: str) -> None:
    """The route of the request under way."""
    span = trace.get_current_span()
    span.update_name(f"{method if method in _METHODS else '_OTHER'} {route}")
    span.set_attribute("http.route", route)


# ---------------------------------------------------------------------- anything else
def note(values: dict[str, Any]) -> None:
    trace.get_current_span().set_attributes(values)


def failed() -> None:
    trace.get_current_span().set_status(StatusCode.ERROR)


def carried() -> str:
    carrier: dict[str, str] = {}
    _format.inject(carrier)
    return carrier.get("traceparent", "")


def ids() -> tuple[str, str] | None:
    """(trace id, span id) of what is under way."""
    found = trace.get_current_span().get_span_context()
    return (trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)) if found.is_valid else None


@contextmanager
def continued(traceparent: str) -> Iterator[None]:
    token = context.attach(_parent(traceparent))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def task(name: str, traceparent: str, attributes: dict[str, Any]) -> Iterator[None]:
    with _entered(name, _parent(traceparent), SpanKind.CONSUMER, attributes):
        yield


@contextmanager
def span(name: str, attributes: dict[str, Any]) -> Iterator[None]:
    """A call that something under way makes; housekeeping makes none."""
    if not trace.get_current_span().is_recording():
        yield
        return
    with _entered(name, None, SpanKind.CLIENT, attributes):
        yield


@contextmanager
def _entered(name: str, parent: context.Context | None, kind: SpanKind, attributes: dict[str, Any]) -> Iterator[None]:
    """What an error says stays out of the span: it may hold what is nobody's to read."""
    found = _tracer.start_span(name, parent, kind, attributes=attributes)
    with trace.use_span(found, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except Exception:  # of whatever kind: it is only marked here, and goes on
            found.set_status(StatusCode.ERROR)
            raise


# ---------------------------------------------------------------------- what is called
def _watch_database(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_statement)


def _statement(execute: Callable[..., Any], sql: Any, params: Any, many: bool, under: dict[str, Any]) -> Any:
    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, under)
    text = str(sql).strip()
    operation = text.partition(" ")[0].partition("\n")[0].upper()
    attributes = {
        "db.system.name": under["connection"].vendor,
        "db.operation.name": operation,
        "db.query.text": text[:STATEMENT_MAX],
    }
    with span(operation, attributes):
        return execute(sql, params, many, under)


def watched_redis(client: Any) -> Any:
    """The client, with a span per command; keys and values are left out."""
    execute = client.execute_command

    def spanned(*args: Any, **options: Any) -> Any:
        with span(f"redis {args[0]}", {"db.system.name": "redis", "db.operation.name": str(args[0])}):
            return execute(*args, **options)

    client.execute_command = spanned
    return client


class Watched(httpx.BaseTransport):
    """Calls to other systems; they are told nothing of the trace."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attributes = {"http.request.method": request.method, "server.address": request.url.host}
        with span(f"call {request.method}", attributes):
            response = self._inner.handle_request(request)
            note({"http.response.status_code": response.status_code})
            return response

    def close(self) -> None:
        self._inner.close()
