"""A repository of charts as a source: its index is read, and each version becomes what ``helm push`` would make."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import yaml

from replication.adapters import adapter
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.helm_hub import HelmRepository
from replication.client import RemoteError
from replication.services.charts import CONFIG, LAYER, Charts
from tests.replication.ends import digest, logs, named, policy, project, ran
from tests.support import oci
from tests.support.stack import Stack

LOGIN = ("somebody", "Secret-4711")


def chart(name: str, version: str, /, **files: str) -> bytes:
    """An archive as ``helm package`` makes it."""
    made = io.BytesIO()
    content = {
        "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version, "home": "https://x"})
    }
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in (content | files).items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(made.getvalue(), mtime=0)


class Shelf:
    """A web server with charts. ``files`` by path; ``asked`` counts what was fetched; ``moved`` sends elsewhere."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.moved: dict[str, str] = {}
        self.login: tuple[str, str] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/charts"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def put(self, *charts: tuple[str, str], **changes: object) -> None:
        entries: dict[str, list[dict[str, object]]] = {}
        for name, version in charts:
            archive, path = chart(name, version), f"{name}-{version}.tgz"
            self.files[f"/charts/{path}"] = archive
            row = {
                "name": name,
                "version": version,
                "urls": [path],
                "digest": hashlib.sha256(archive).hexdigest(),
                "created": "2026-01-02T03:04:05Z",
            }
            entries.setdefault(name, []).append({**row, **changes})
        self.files["/charts/index.yaml"] = yaml.safe_dump({"apiVersion": "v1", "entries": entries}).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("Authorization", "")
            shelf.asked.append((self.path, sent))
            wanted = Endpoint("", *shelf.login).basic if shelf.login else sent
            status = 401 if sent != wanted else 302 if self.path in shelf.moved else 200
            content = shelf.files.get(self.path, b"") if status == 200 else b""
            self.send_response(status if content or status != 200 else 404)
            if status == 302:
                self.send_header("Location", shelf.moved[self.path])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.stop()


def source(shelf: Shelf, *login: str) -> Charts:
    found = adapter("helm-hub", Endpoint(shelf.url, *login))
    assert isinstance(found, HelmRepository)
    return Charts(found)


# ---------------------------------------------------------------------- what is read
def test_versions_are_tags(shelf: Shelf) -> None:
    shelf.put(("app", "1.0.0"), ("app", "1.1.0+build.7"), ("db", "0.1.0"))
    charts = source(shelf)
    charts.adapter.check()
    assert list(charts.repositories()) == ["app", "db"]
    assert list(charts.tags("app")) == ["1.0.0", "1.1.0_build.7"]
    assert list(charts.tags("none")) == []
    info = charts.adapter.info()
    assert (info.type, info.triggers) == ("helm-hub", ("manual", "scheduled"))


def test_a_version_becomes_what_helm_makes_of_it(shelf: Shelf) -> None:
    shelf.put(("app", "1.0.0"))
    content, media_type = source(shelf).manifest("app", "1.0.0")
    assert content == source(shelf).manifest("app", "1.0.0")[0], "the same each time"
    document = json.loads(content)
    assert (media_type, document["config"]["mediaType"]) == (oci.OCI_MANIFEST, CONFIG)
    archive = shelf.files["/charts/app-1.0.0.tgz"]
    assert document["layers"] == [{"mediaType": LAYER, "digest": oci.digest_of(archive), "size": len(archive)}]
    assert document["annotations"]["org.opencontainers.image.created"] == "2026-01-02T03:04:05Z"
    charts = source(shelf)
    charts.manifest("app", "1.0.0")
    with charts.blob("app", document["config"]["digest"]) as config:
        assert json.loads(b"".join(config))["version"] == "1.0.0"
    with charts.blob("app", document["layers"][0]["digest"], 5) as layer:
        assert b"".join(layer) == archive[5:]
    assert charts.digest("app", "9.9.9") == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "is no YAML"),
        (b"a: " + b"[" * 5000, "is no YAML"),
        (b"entries: 7", "is no index of charts"),
        (b"- 1", "is no index of charts"),
        (b"<html>", "is no index of charts"),
    ],
)
def test_what_is_no_index(shelf: Shelf, content: bytes, said: str) -> None:
    shelf.files["/charts/index.yaml"] = content
    with pytest.raises(UnhealthyError, match=said):
        source(shelf).adapter.check()


def test_rows_that_cannot_be_artifacts_are_left_out(shelf: Shelf) -> None:
    rows = [7, {}, {"urls": 1}, {"urls": ["x.tgz"], "version": "not a tag"}, {"urls": ["x.tgz"], "version": "1"}]
    entries = {"app": rows, "Upper": rows, "none": None}
    shelf.files["/charts/index.yaml"] = yaml.safe_dump({"entries": entries}).encode()
    charts = source(shelf)
    assert list(charts.repositories()) == ["app"] and list(charts.tags("app")) == ["1"]


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"", "answers 404"),
        (b"nonsense", "cannot be read"),
        (gzip.compress(b"nonsense"), "cannot be read|has no Chart.yaml"),
        (gzip.compress(bytes(70_000_000)), "cannot be read|has no Chart.yaml"),
        (chart("app", "1.0.0")[:60], "cannot be read"),
    ],
    ids=["gone", "no gzip", "no tar", "large", "cut off"],
)
def test_archives_that_are_none(shelf: Shelf, archive: bytes, said: str) -> None:
    shelf.put(("app", "1.0.0"), digest="")
    shelf.files["/charts/app-1.0.0.tgz"] = archive
    with pytest.raises(RemoteError, match=said):
        source(shelf).manifest("app", "1.0.0")


def test_an_archive_is_what_the_index_says(shelf: Shelf) -> None:
    shelf.put(("app", "1.0.0"), digest="0" * 64)
    with pytest.raises(RemoteError, match="not what the index says"):
        source(shelf).manifest("app", "1.0.0")


def test_credentials_stay_at_their_host(shelf: Shelf) -> None:
    elsewhere = Shelf()
    shelf.login = LOGIN
    shelf.put(("app", "1.0.0"))
    elsewhere.files["/kept.tgz"] = shelf.files["/charts/app-1.0.0.tgz"]
    shelf.moved["/charts/app-1.0.0.tgz"] = elsewhere.url.replace("/charts", "/kept.tgz")
    with pytest.raises(UnhealthyError, match="credentials"):
        source(shelf, LOGIN[0], "wrong").adapter.check()
    source(shelf, *LOGIN).manifest("app", "1.0.0")
    elsewhere.stop()
    assert elsewhere.asked == [("/kept.tgz", "")]


# ---------------------------------------------------------------------- what is copied
def test_charts_are_copied_once(api: httpx.Client, shelf: Shelf, near: Stack) -> None:
    shelf.put(("app", "1.0.0"), ("app", "2.0.0"), ("db", "0.1.0"))
    name = project(api)
    made = api.post("/api/v2.0/registries", json={"name": name, "type": "helm-hub", "url": shelf.url})
    assert made.status_code == 201, made.text
    remote = int(made.headers["Location"].rpartition("/")[2])
    refused = api.post(
        "/api/v2.0/replication/policies", json={"name": "to charts", "dest_registry": {"id": remote}, "enabled": True}
    )
    assert refused.status_code == 400 and "nothing can be copied to" in refused.text
    used = policy(api, src_registry={"id": remote}, filters=named("app"), dest_namespace=name)
    ran(api, used)
    assert digest(api, f"{name}/app", "1.0.0") and digest(api, f"{name}/app", "2.0.0")
    assert not digest(api, f"{name}/db", "0.1.0")
    artifact = api.get(f"/api/v2.0/projects/{name}/repositories/app/artifacts/1.0.0").json()
    assert (artifact["type"], artifact["extra_attrs"]["version"]) == ("CHART", "1.0.0")
    layer = oci.digest_of(shelf.files["/charts/app-1.0.0.tgz"])
    assert api.get(f"/v2/{name}/app/blobs/{layer}").content == shelf.files["/charts/app-1.0.0.tgz"]
    shelf.asked.clear()
    again = ran(api, used)
    assert "is copied" not in logs(api, again["path"])
    assert {path for path, _ in shelf.asked} == {"/charts/index.yaml"}, "the index tells what is there"
