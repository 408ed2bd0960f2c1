"""``/metrics``: what Prometheus reads (docs/metrics.md). Names are Harbor's where it has them (contract 2.16)."""

from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver
from prometheus_client import CONTENT_TYPE_LATEST, Metric
from prometheus_client.registry import Collector

from harbor_core.api.health import components
from harbor_core.lib import traffic
from harbor_core.lib.metrics import exposition
from harbor_core.services.config import config_get
from jobservice.models import Schedule, Task
from jobservice.selectors import monitor
from jobservice.states import Status
from projects.selectors.metrics import Family, backlog, content
from replication import ratelimits
from replication.models import Registry

BACKLOG_SECONDS = 300  # it looks at every blob


class _Families(Collector):
    def __init__(self, families: list[Family], kind: str = "gauge") -> None:
        self._families, self._kind = families, kind

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name.removesuffix("_total") if self._kind == "counter" else family.name,
                            family.about, self._kind)  # fmt: skip
            for values, number in family.values:
                metric.add_sample(family.name, dict(zip(family.labels, values, strict=True)), number)
            yield metric


def _kept(name: str, seconds: int, read: Callable[[], list[Family]]) -> list[Family]:
    known: list[Family] | None = cache.get(f"metrics:{name}")
    if known is None:
        known = read()
        cache.set(f"metrics:{name}", known, seconds)
    return known


def _system() -> list[Family]:
    found = components()
    info = (config_get("auth_mode"), settings.VERSION, str(config_get("self_registration")).lower())
    return [
        Family("harbor_health", "Are all components well", (), [((), all(found.values()))]),
        Family("harbor_up", "Does the component answer", ("component",), [((name,), up) for name, up in found.items()]),
        Family("harbor_system_info", "What runs", ("auth_mode", "harbor_version", "self_registration"), [(info, 1)]),
        *_queues(),
        *_upstreams(),
        *content(),
    ]


def _upstreams() -> list[Family]:
    """Limits of requests, as other registries tell them."""
    registries = list(Registry.objects.order_by("pk"))
    limits = ratelimits.known(registries)
    told = [(registry.name, limits[registry.pk]) for registry in registries if registry.pk in limits]
    return [
        Family("harbor_registry_rate_limit", "Requests a registry lets us make", ("registry",),
               [((name,), limit.limit) for name, limit in told]),
        Family("harbor_registry_rate_limit_remaining", "Of those, how many are left", ("registry",),
               [((name,), limit.remaining) for name, limit in told]),
    ]  # fmt: skip


def _queues() -> list[Family]:
    queues = monitor.queue_list()
    at_work = Task.objects.filter(status=Status.RUNNING).order_by().values_list("job_type", "worker")
    return [
        Family("harbor_task_queue_size", "Tasks that wait", ("type",), [((q.job_type,), q.count) for q in queues]),
        Family("harbor_task_queue_latency", "Seconds the first of them has waited", ("type",),
               [((q.job_type,), q.latency) for q in queues]),
        Family("harbor_task_queue_paused", "Is the queue paused", ("type",),
               [((q.job_type,), q.paused) for q in queues]),
        Family("harbor_task_concurrency", "Tasks that run", ("type", "pool"),
               [((job_type, pool), number) for job_type, pool, number in at_work.annotate(number=Count("pk"))]),
        Family("harbor_task_scheduled_total", "Schedules", (), [((), Schedule.objects.count())]),
    ]  # fmt: skip


def _jobs() -> tuple[list[Family], list[Family]]:
    """Gauges and counters of the job service; the counters are the database's, of all workers ever."""
    pools, totals = monitor.pool_list(), monitor.totals()
    labels = ("type", "status")
    gauges = [
        Family("harbor_jobservice_info", "Worker processes", ("node", "pool", "workers"),
               [((pool.host, pool.pk, str(pool.concurrency)), 1) for pool in pools]),
    ]  # fmt: skip
    counters = [
        Family("harbor_jobservice_task_total", "Tasks that ended", labels,
               [((total.job_type, total.status), total.tasks) for total in totals]),
        Family("harbor_jobservice_task_process_time_seconds_total", "Seconds they ran", labels,
               [((total.job_type, total.status), total.seconds) for total in totals]),
    ]  # fmt: skip
    return gauges, counters


def metrics(request: HttpRequest) -> HttpResponse:
    """Query: ``comp``: ``core`` (requests), ``jobservice`` (tasks), ``gateway`` (bytes, where this process counts
    them); else what there is and how it is."""
    component = request.GET.get("comp", "exporter") if settings.METRICS or settings.CORE_METRICS else ""
    if component == "core":
        text = exposition(requests=True)
    elif component == "jobservice":
        gauges, counters = _jobs()
        text = exposition([_Families(gauges), _Families(counters, "counter")])
    elif component == "gateway" and traffic.meter is not None:
        text = exposition([traffic.meter])
    elif component == "exporter":
        system = _kept("system", settings.METRICS_CACHE_SECONDS, _system)
        text = exposition([_Families(system), _Families(_kept("backlog", BACKLOG_SECONDS, backlog))])
    else:
        missing = {"code": "NOT_FOUND", "message": "there are no such metrics"}
        return JsonResponse({"errors": [missing]}, status=404)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def resources() -> frozenset[str]:
    """First words of the paths below /api/v2.0."""
    from harbor_core.api.urls import v2  # it leads to every view there is

    def first(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
        for found in patterns:
            word = str(found.pattern).partition("/")[0]
            if word:
                yield word
            elif isinstance(found, URLResolver):
                yield from first(found.url_patterns)

    return frozenset(first(v2))
