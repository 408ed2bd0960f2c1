"""A collector of traces (OTLP over HTTP), in a thread of the test."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """Ids are hexadecimal; ``parent`` is empty for the first of a trace. ``resource``: attributes of the process."""

    trace: str
    id: str
    parent: str
    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool

    @property
    def service(self) -> str:
        return str(self.resource["service.name"])


class Collector:
    """``spans`` that have arrived; ``raw`` is all that was sent, for what must not be in it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spans: list[Span] = []
        self.raw = bytearray()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def of(self, trace: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == trace]

    def take(self, body: bytes) -> None:
        self.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [
                    Span(
                        one.trace_id.hex(),
                        one.span_id.hex(),
                        one.parent_span_id.hex(),
                        one.name,
                        _values(one.attributes),
                        resource,
                        one.status.code == 2,
                    )
                    for one in scope.spans
                ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
