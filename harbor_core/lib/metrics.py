"""Numbers of this process for Prometheus, added up over all processes of the component when they are asked for.

Without HARBOR_METRICS nothing is counted and nothing is in the way of a request.
"""

import os
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

from harbor_core.env import env_address, env_str

ON = bool(env_address("HARBOR_METRICS") or env_address("HARBOR_CORE_METRICS", 8001))
if ON:  # has to be known before the library is imported
    _data = env_str("HARBOR_DATA_DIR", str(Path(__file__).resolve().parent.parent.parent / "var"))
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", f"{env_str('HARBOR_RUN_DIR', f'{_data}/run')}/metrics")
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest  # noqa: E402 - see above
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402 - see above
from prometheus_client.registry import Collector  # noqa: E402 - see above

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_EXACT = {
    "/service/token": "token",
    "/_authz/blob": "authorize_blob",
    "/_authz/upload": "authorize_upload",
    "/_denied": "denial",
}
# The first that is in a path below /v2.
_PARTS = (("/blobs/uploads", "upload"), ("/manifests/", "manifest"), ("/blobs/", "blob"), ("/tags/list", "tags"),
          ("/referrers/", "referrers"))  # fmt: skip
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_registry = CollectorRegistry()
_requests = Counter(
    "harbor_core_http_request", "Requests answered", ["method", "code", "operation"], registry=_registry
)
_seconds = Histogram(
    "harbor_core_http_request_duration_seconds",
    "Time until the answer began",
    ["method", "operation"],
    buckets=_BUCKETS,
    registry=_registry,
)
_inflight = Gauge(
    "harbor_core_http_inflight_requests", "Requests under way", multiprocess_mode="livesum", registry=_registry
)
_uploaded = Counter("harbor_core_uploaded_bytes", "Bytes of blobs whose upload was committed", registry=_registry)
_proxied = Counter(
    "harbor_core_proxy_cache", "Requests for content of proxy projects", ["kind", "result"], registry=_registry
)
_fetched = Counter("harbor_core_proxy_cache_fetched_bytes", "Bytes of blobs that upstreams sent", registry=_registry)
PROXY_RESULTS = ("hit", "moved", "miss", "stale", "gone", "unknown", "failed")
if ON:  # they exist from the start, at zero: what is not there has no rate
    for _kind in ("manifest", "blob"):
        for _result in PROXY_RESULTS:
            _proxied.labels(_kind, _result)
# What labels() looks up under a lock; few, because labels come from fixed sets.
_known: dict[tuple[str, str, str], tuple[Any, Any]] = {}


def uploaded(count: int) -> None:
    """So many bytes of a blob have arrived."""
    if ON:
        _uploaded.inc(count)


def proxied(kind: str, result: str) -> None:
    """A ``manifest`` or ``blob`` of a proxy project was asked for; ``result`` is one of PROXY_RESULTS."""
    if ON:
        _proxied.labels(kind, result).inc()


def fetched(count: int) -> None:
    """So many bytes of a blob have come from an upstream."""
    if ON:
        _fetched.inc(count)


def counted(application: Application, resources: Container[str]) -> Application:
    """The application, with its requests counted. ``resources`` are the first words of paths below /api/v2.0."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        code = "500"

        def start(status: str, *rest: Any) -> Any:
            nonlocal code
            code = status[:3]
            return start_response(status, *rest)

        began = perf_counter()
        _inflight.inc()
        try:
            return application(environ, start)
        finally:
            _inflight.dec()
            method = environ["REQUEST_METHOD"]
            _count(method if method in _METHODS else "other", code, operation(environ["PATH_INFO"], resources), began)

    return wrapped


def by_port(port: int, numbers: Application, other: Application) -> Application:
    """``numbers`` answers what comes in at this TCP port. On a unix socket, where the server takes the port from the
    client's Host header and the peer has none, it is never meant."""
    wanted = str(port)

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        meant = environ["SERVER_PORT"] == wanted and "REMOTE_PORT" in environ
        return (numbers if meant else other)(environ, start_response)

    return wrapped


def _count(method: str, code: str, named: str, began: float) -> None:
    key = (method, code, named)
    found = _known.get(key)
    if found is None:
        found = _known[key] = _requests.labels(*key), _seconds.labels(method, named)
    found[0].inc()
    found[1].observe(perf_counter() - began)


def operation(path: str, resources: Container[str]) -> str:
    """What a request is about: one of a small fixed set, whatever clients send."""
    if path in _EXACT:
        return _EXACT[path]
    if path.startswith("/v2"):
        return next((name for part, name in _PARTS if part in path), "v2")
    if path.startswith("/api/v2.0/"):
        first = path[len("/api/v2.0/") :].partition("/")[0]
        return first if first in resources else "api"
    return "api" if path.startswith("/api/") else "portal"


def exposition(collectors: Iterable[Collector] = (), *, requests: bool = False) -> bytes:
    """In Prometheus' text format; ``requests``: with what all processes of the component counted."""
    registry = CollectorRegistry()
    if requests and ON:
        _forget_the_dead(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        MultiProcessCollector(registry)
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """A process that was killed has no request under way any more."""
    for file in folder.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            mark_process_dead(int(pid), str(folder))
