"""``init_secrets``: what every role shares is made once, in a folder or in a cluster's Secrets."""

import base64
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from harbor_core.standalone.tls import ensure_certificate
from tests.support.services import clean_environment
from tests.support.stack import ROOT

TOKEN = "account-token"


class Cluster:
    """The part of a Kubernetes API that keeps Secrets. ``secrets``: name -> key -> value."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets: dict[str, dict[str, bytes]] = {}
        self.types: dict[str, str] = {}
        self.port = 0

    def answer(self, method: str, name: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            name = body["metadata"]["name"]
            if name in self.secrets:
                return 409, {}
            self.secrets[name], self.types[name] = {}, body["type"]
        elif name not in self.secrets:
            return 404, {}
        if body is not None:
            self.secrets[name] |= {key: base64.b64decode(value) for key, value in body["data"].items()}
        return 200, {"data": {key: base64.b64encode(value).decode() for key, value in self.secrets[name].items()}}

    def init(self, folder: Path, *argv: str, **settings: str) -> None:
        environment = clean_environment() | {
            "HARBOR_BUILD": "1",
            "KUBERNETES_SERVICE_HOST": "localhost",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "HARBOR_SERVICE_ACCOUNT_DIR": str(self.folder),
        }
        command = [sys.executable, "manage.py", "init_secrets", "--folder", str(folder), *argv]
        done = subprocess.run(
            command, cwd=ROOT, env=environment | settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "account"
    ensure_certificate(folder, ["https://localhost"])
    (folder / "namespace").write_text("kube-ops", encoding="ascii")
    (folder / "token").write_text(TOKEN, encoding="ascii")
    made = Cluster(folder)
    with _serving(made):
        yield made


@contextmanager
def _serving(cluster: Cluster) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            prefix, _, name = self.path.partition("/secrets")
            assert prefix == "/api/v1/namespaces/kube-ops"
            length = int(self.headers.get("Content-Length") or 0)
            status, found = cluster.answer(self.command, name.strip("/"), json.loads(self.rfile.read(length) or "null"))
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.folder / "server.crt", cluster.folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    cluster.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def names(certificate: bytes) -> set[str]:
    found = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in found.value}


def test_a_cluster_keeps_everything_from_the_first_time(cluster: Cluster, tmp_path: Path) -> None:
    """Every run starts with an empty folder, as the job of the chart does."""
    both = {
        "HARBOR_TLS": "self-signed",
        "HARBOR_EXTERNAL_URL": "https://reg.example.com",
        "INTERNAL_TLS_ENABLED": "true",
        "HARBOR_INTERNAL_NAMES": "h-core,h-registry",
    }
    cluster.init(tmp_path / "1", "--kubernetes", "h", **both)
    assert set(cluster.secrets) == {"h", "h-token-keys", "h-tls", "h-internal-tls"}
    assert cluster.types["h-tls"] == cluster.types["h-internal-tls"] == "kubernetes.io/tls"
    assert "reg.example.com" in names(cluster.secrets["h-tls"]["tls.crt"])
    assert {"h-core", "h-registry"} <= names(cluster.secrets["h-internal-tls"]["tls.crt"])
    assert "ca.key" not in cluster.secrets["h-tls"].keys() | cluster.secrets["h-internal-tls"].keys()
    before = {name: dict(values) for name, values in cluster.secrets.items()}
    cluster.init(tmp_path / "2", "--kubernetes", "h", **both)
    assert cluster.secrets == before

    cluster.init(
        tmp_path / "3", "--kubernetes", "h", **both | {"HARBOR_INTERNAL_NAMES": "h-core,h-registry,h-exporter"}
    )
    after = cluster.secrets["h-internal-tls"]
    assert "h-exporter" in names(after["tls.crt"])
    assert after["ca.crt"] == before["h-internal-tls"]["ca.crt"], "what the roles believe goes on working"
    assert cluster.secrets["h-tls"] == before["h-tls"] and cluster.secrets["h"] == before["h"]


def test_nothing_is_made_that_is_not_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    cluster.init(tmp_path / "1", "--kubernetes", "h")
    assert set(cluster.secrets) == {"h", "h-token-keys"}
    assert not [key for key in cluster.secrets["h"] if "tls" in key]


def test_the_certificate_of_the_roles_lives_as_long_as_its_authority(cluster: Cluster, tmp_path: Path) -> None:
    cluster.init(tmp_path / "1", INTERNAL_TLS_ENABLED="true")
    folder = tmp_path / "1" / "internal-tls"
    server, authority = (
        x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in ("server.crt", "ca.crt")
    )
    assert abs((server.not_valid_after_utc - authority.not_valid_after_utc).total_seconds()) < 60
    assert {"core", "waiting", "registry", "exporter"} <= names((folder / "server.crt").read_bytes())
