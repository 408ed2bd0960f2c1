"""What gateways move: nginx tells of each request in a datagram (its own syslog log), and one process adds them up.

Blobs pass by core, so nothing but the gateway knows how many bytes clients fetched. A datagram costs it no waiting;
one that is lost is not counted. A line of it is ``<what> <status> <bytes received> <bytes sent> <proxied>``, see
docker/nginx/nginx.conf.template.
"""

import logging
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)
KINDS = ("blob", "upload", "manifest", "v2", "token", "api", "static", "portal")
_LINE = re.compile(rb"<\d{1,3}>[^\n]{0,80}: (%s) (\d{3}) (\d{1,18}) (\d{1,18}) ([01]?)\n?" % "|".join(KINDS).encode())
BIND_SECONDS = 1.0
_BUFFER = 4 * 1024 * 1024  # a burst waits in the kernel


class Meter(Collector):
    """Counts since the process started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._received: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._sent: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._cached = 0

    def take(self, datagram: bytes) -> None:
        """Count one; what is none is nothing."""
        match = _LINE.fullmatch(datagram)
        if match is None:
            return
        kind, status = match[1].decode(), match[2].decode()
        with self._lock:
            self._requests[kind, status] += 1
            self._received[kind] += int(match[3])
            self._sent[kind] += int(match[4])
            self._cached += kind == "blob" and status in ("200", "206", "304") and match[5] == b"1"

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            requests, received, sent = dict(self._requests), dict(self._received), dict(self._sent)
            cached = self._cached
        metric = Metric("harbor_gateway_requests", "Requests of clients", "counter")
        for (kind, status), number in sorted(requests.items()):
            metric.add_sample("harbor_gateway_requests_total", {"operation": kind, "code": status}, number)
        yield metric
        for name, about, values in (
            ("harbor_gateway_received_bytes", "Bytes of requests, headers included", received),
            ("harbor_gateway_sent_bytes", "Bytes of answers, without headers", sent),
        ):
            metric = Metric(name, about, "counter")
            for kind, number in values.items():
                metric.add_sample(f"{name}_total", {"operation": kind}, number)
            yield metric
        metric = Metric("harbor_gateway_proxy_cache_blobs", "Blobs of proxy projects sent from what is here", "counter")
        metric.add_sample("harbor_gateway_proxy_cache_blobs_total", {}, cached)
        yield metric


meter: Meter | None = None  # of this process, where it has one


def listen(address: str) -> None:
    """This process counts what arrives at the UDP ``address:port`` from now on; as soon as it is free, if another that
    is about to end still has it."""
    global meter
    meter = Meter()
    threading.Thread(target=_run, args=(address, meter), name="traffic", daemon=True).start()


def _run(address: str, meter: Meter) -> None:
    taker = _bound(address)
    while True:
        try:
            meter.take(taker.recv(2048))
        except OSError as exc:  # of one datagram: those behind it go on
            logger.warning("a gateway's datagram could not be read: %s", exc)


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    bare = host.strip("[]")
    taker = socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_DGRAM)
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    said = False
    while True:
        try:
            taker.bind((bare, int(port)))
            return taker
        except OSError as exc:
            if not said:
                logger.warning("cannot count what gateways move, %s is taken: %s", address, exc)
            said = True
            time.sleep(BIND_SECONDS)  # nothing tells when an address is free
