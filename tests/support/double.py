"""A registry that speaks a documented protocol: token dance, pages by Link, rate limits, repositories that have to be
made first. What it holds is in memory; what a kind of registry has beside ``/v2/`` is added by path."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

LOGIN = ("somebody", "Secret-4711")
TOKEN = "token-of-the-double"
PAGE = 2  # entries a page has, whatever was asked for: clients must follow


@dataclass
class Asked:
    """One request. ``query`` has the last value of each name; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def basic(self) -> tuple[str, str]:
        """Name and password, empty where none were sent."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return "", ""
        name, _, password = base64.b64decode(value).decode().partition(":")
        return name, password


@dataclass
class Reply:
    status: int
    content: Any = None  # bytes as they are, anything else as JSON
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Asked], Reply | None]


class Double:
    """``login`` is what it takes, ``repositories`` what it holds: tags and digests by name of the repository.

    ``is_made`` says whether a repository can be pushed to; ``has_catalog``, ``dance`` (tokens; otherwise
    Basic at once), ``realm`` (path of the token service) say how it behaves. ``routes`` are asked first.
    ``limited`` requests to ``/v2/`` are answered with 429 before it goes on.
    """

    def __init__(self) -> None:
        self.login = LOGIN
        self.repositories: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.blobs: dict[str, bytes] = {}
        self.is_made: Callable[[str], bool] = lambda name: True
        self.has_catalog = True
        self.dance = True
        self.realm = "/token"
        self.routes: list[Route] = []
        self.limited = 0
        self.asked: list[Asked] = []
        self._uploads: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hold(self, *names: str, tags: tuple[str, ...] = ("1.0",)) -> None:
        """Repositories with a manifest behind each tag."""
        for name in names:
            content = json.dumps({"schemaVersion": 2, "of": name}).encode()
            entries = dict.fromkeys(tags, ("application/vnd.oci.image.manifest.v1+json", content))
            self.repositories[name] = {**entries, digest_of(content): next(iter(entries.values()))}

    def paths(self, method: str) -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]

    # ------------------------------------------------------------------ answers
    def answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            for route in self.routes:
                reply = route(asked)
                if reply is not None:
                    return reply
            if asked.path == self.realm:
                return self._token(asked)
            return self._registry(asked) if asked.path.startswith("/v2/") else Reply(404)

    def _token(self, asked: Asked) -> Reply:
        return Reply(200, {"token": TOKEN}) if asked.basic == self.login else Reply(401)

    def _registry(self, asked: Asked) -> Reply:
        wanted = asked.headers.get("authorization", "")
        if wanted != f"Bearer {TOKEN}" if self.dance else asked.basic != self.login:
            challenge = f'Bearer realm="{self.url}{self.realm}",service="double"' if self.dance else 'Basic realm="x"'
            return Reply(401, {"errors": []}, {"WWW-Authenticate": challenge})
        if self.limited:
            self.limited -= 1
            return Reply(429, {"errors": []}, {"Retry-After": "7"})
        if asked.path == "/v2/":
            return Reply(200, {})
        if asked.path == "/v2/_catalog":
            return self.page(asked, list(self.repositories), "repositories") if self.has_catalog else Reply(404)
        found = re.fullmatch(r"/v2/(.+)/(tags/list|manifests|blobs/uploads|blobs)(?:/([^/]*))?", asked.path)
        if found is None:
            return Reply(404)
        name, what, last = found[1], found[2], found[3] or ""
        if what == "tags/list":
            tags = [tag for tag in self.repositories.get(name, {}) if ":" not in tag]
            return self.page(asked, tags, "tags") if tags else Reply(404)
        if asked.method in ("POST", "PATCH", "PUT") and not self.is_made(name):
            return Reply(404, {"errors": [{"code": "NAME_UNKNOWN"}]})
        return {"manifests": self._manifest, "blobs": self._blob, "blobs/uploads": self._upload}[what](
            asked, name, last
        )

    def page(self, asked: Asked, names: list[str], key: str = "", size: int = PAGE) -> Reply:
        """The part of a list that comes after ``last``, with a Link to the next."""
        names = sorted(names)
        start = names.index(asked.query["last"]) + 1 if asked.query.get("last") in names else 0
        part, more = names[start : start + size], len(names) > start + size
        headers = {}
        if more:
            query = urlencode(asked.query | {"n": size, "last": part[-1]})
            headers["Link"] = f'<{asked.path}?{query}>; rel="next"'
        return Reply(200, {key: part} if key else part, headers)

    def _manifest(self, asked: Asked, name: str, reference: str) -> Reply:
        if asked.method == "PUT":
            entry = (asked.headers["content-type"], asked.body)
            held = self.repositories.setdefault(name, {})
            held[reference] = held[digest_of(asked.body)] = entry
            return Reply(201)
        found = self.repositories.get(name, {}).get(reference)
        if found is None:
            return Reply(404)
        media_type, content = found
        return Reply(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)})

    def _blob(self, asked: Asked, name: str, digest: str) -> Reply:
        return Reply(200, self.blobs[digest]) if digest in self.blobs else Reply(404)

    def _upload(self, asked: Asked, name: str, number: str) -> Reply:
        if asked.method == "POST":
            number = str(len(self._uploads))
            self._uploads[number] = b""
        self._uploads[number] += asked.body
        if asked.method == "PUT":
            content, digest = self._uploads[number], asked.query["digest"]
            if digest_of(content) != digest:
                return Reply(400)
            self.blobs[digest] = content
            return Reply(201)
        return Reply(202, None, {"Location": f"/v2/{name}/blobs/uploads/{number}"})


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _handler(double: Double) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):  # clients leave when they have what they want
                super().handle()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            reply = double.answer(Asked(self.command, parts.path, query, headers, body))
            content = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler
