"""What a registry may have of its own: client certificate, proxy, time limit, further credentials; and which registries
the operator lets be used at all. Against docker-registry processes."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import call_command
from django.db import connection

from harbor_core.standalone.tls import ensure_certificate
from replication.adapters import adapter
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.docker_registry import DockerRegistry
from replication.client import Client, RemoteError
from replication.models import Registry
from replication.selectors.registries import endpoint_of
from tests.cast import World
from tests.support.double import LOGIN, Asked, Double, Reply
from tests.support.remote import RemoteRegistry
from tests.support.services import Service, connects, find, free_port

PROXY_LOGIN = ("walker", "Through-pass-1")
CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/storage}}}}
http:
  addr: 127.0.0.1:{port}
  tls: {{certificate: {folder}/server.crt, key: {folder}/server.key, clientcas: [{folder}/client.crt]}}
"""


def pair(name: str) -> tuple[str, str]:
    """A certificate that signed itself, and its key: PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class Guarded(Service):
    """A docker-registry that lets in who shows the certificate ``client``."""

    def __init__(self) -> None:
        super().__init__("guarded")
        self.port, self.client = free_port(), pair("client")
        ensure_certificate(self.folder, [])
        self.authority = (self.folder / "ca.crt").read_text()
        self.url = f"https://127.0.0.1:{self.port}"
        (self.folder / "client.crt").write_text(self.client[0])
        path = self.folder / "registry.yml"
        path.write_text(CONFIG.format(folder=self.folder, port=self.port))
        self.spawn([find("docker-registry"), "serve", str(path)], lambda: connects(("127.0.0.1", self.port)))


class Walk:
    """An HTTP proxy for CONNECT that asks for a password. ``through`` are the places it connected to."""

    def __init__(self) -> None:
        self.through: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        lines = head.decode().split("\r\n")
        _, place, _ = lines[0].split(" ")
        wanted = "Basic " + base64.b64encode(":".join(PROXY_LOGIN).encode()).decode()
        if not any(line.lower() == f"proxy-authorization: {wanted}".lower() for line in lines):
            client.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        self.through.append(place)
        host, _, port = place.partition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Yes\r\n\r\n")
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # one side has left
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    registry = Guarded()
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def open_registry() -> Iterator[RemoteRegistry]:
    registry = RemoteRegistry()
    yield registry
    registry.stop()


@pytest.fixture
def walk() -> Iterator[Walk]:
    with closing(Walk()) as made:
        yield made


def body(guarded: Guarded, **more: Any) -> dict[str, Any]:
    certificate, key = guarded.client
    return {
        "name": "guarded",
        "type": "docker-registry",
        "url": guarded.url,
        "ca_certificate": guarded.authority,
        "client_certificate": certificate,
        "client_key": key,
        **more,
    }


def message(response: Any) -> str:
    return str(response.json()["errors"][0]["message"])


# ---------------------------------------------------------------------- who connects, and how
def test_a_client_certificate_is_shown(world: World, guarded: Guarded) -> None:
    without = world.api("sysadmin", "POST", "registries", body(guarded, client_certificate="", client_key=""))
    assert without.status_code == 400 and "unhealthy" in message(without)
    stranger = dict(zip(("client_certificate", "client_key"), pair("stranger"), strict=True))
    assert world.api("sysadmin", "POST", "registries", body(guarded, **stranger)).status_code == 400
    made = world.api("sysadmin", "POST", "registries", body(guarded, timeout=20, speed=5000))
    assert made.status_code == 201, made.content
    seen = world.api("sysadmin", "GET", made["Location"]).json()
    assert (seen["client_key"], seen["client_certificate"]) == ("*****", guarded.client[0])
    assert (seen["timeout"], seen["speed"]) == (20, 5000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM harbor_replication_registry")
        assert guarded.client[1].splitlines()[1] not in repr(cursor.fetchall())
    assert world.api("sysadmin", "PUT", made["Location"], {"client_key": "*****", "insecure": False}).status_code == 200
    row = Registry.objects.get()
    found = adapter(row.type, endpoint_of(row))
    assert isinstance(found, DockerRegistry)
    with closing(Client(found)) as client:
        assert list(client.repositories()) == []
    gone = {"client_certificate": "", "client_key": ""}
    assert world.api("sysadmin", "PUT", made["Location"], gone).status_code == 400, "it is tried first"


def test_a_proxy_of_its_own(world: World, guarded: Guarded, walk: Walk) -> None:
    name, password = PROXY_LOGIN
    wrong = world.api("sysadmin", "POST", "registries", body(guarded, proxy=f"http://{name}:wrong@{walk.address}"))
    assert wrong.status_code == 400
    proxy = f"http://{name}:{password}@{walk.address}"
    made = world.api("sysadmin", "POST", "registries", body(guarded, proxy=proxy))
    assert made.status_code == 201, made.content
    assert walk.through == [f"127.0.0.1:{guarded.port}"]
    shown = world.api("sysadmin", "GET", made["Location"]).json()["proxy"]
    assert shown == f"http://{name}:*****@{walk.address}"
    row = Registry.objects.get()
    assert password not in row.proxy + row.proxy_password and endpoint_of(row).proxy == proxy
    assert world.api("sysadmin", "PUT", made["Location"], {"proxy": shown, "timeout": 5}).status_code == 200
    assert endpoint_of(Registry.objects.get()).proxy == proxy
    elsewhere = world.api("sysadmin", "PUT", made["Location"], {"proxy": f"http://{name}:*****@other.example:3128"})
    assert elsewhere.status_code == 400 and "password again" in message(elsewhere)
    assert world.api("sysadmin", "PUT", made["Location"], {"proxy": ""}).status_code == 200
    assert endpoint_of(Registry.objects.get()).proxy == ""


def test_another_proxy_needs_the_secrets_again(world: World, open_registry: RemoteRegistry) -> None:
    row = Registry.objects.create(name="r", type="docker-registry", url=open_registry.url)
    path = f"registries/{row.pk}"
    credentials = {
        "access_key": "a",
        "access_secret": "b",
        "more_credentials": [{"access_key": "c", "access_secret": "d"}],
    }
    assert world.api("sysadmin", "PUT", path, credentials).status_code == 200
    refused = world.api("sysadmin", "PUT", path, {"proxy": "http://127.0.0.1:9"})
    assert refused.status_code == 400 and "access_secret" in message(refused)
    refused = world.api("sysadmin", "PUT", path, {"proxy": "http://127.0.0.1:9", "access_secret": "b"})
    assert refused.status_code == 400 and "more_credentials" in message(refused)


@pytest.mark.parametrize(
    "change",
    [
        {"client_key": ""},
        {"client_certificate": ""},
        {"client_certificate": "nonsense"},
        {"client_key": "nonsense"},
        {"client_key": pair("other")[1]},
        {"proxy": "ftp://127.0.0.1:1"},
        {"proxy": "http://127.0.0.1"},
        {"proxy": "http://127.0.0.1:99999"},
        {"proxy": "http://127.0.0.1:1/path"},
        {"timeout": -1},
        {"timeout": 3601},
        {"speed": -1},
        {"more_credentials": [{"access_key": "a", "access_secret": ""}]},
        {"more_credentials": [{"access_key": "a", "access_secret": "b"}] * 21},
    ],
)
def test_what_is_refused(world: World, guarded: Guarded, change: dict[str, Any]) -> None:
    assert world.api("sysadmin", "POST", "registries", body(guarded, **change)).status_code == 400
    assert not Registry.objects.exists()


def test_a_time_limit_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        began = time.monotonic()
        with pytest.raises(UnhealthyError):
            adapter("docker-registry", endpoint).check()
        assert time.monotonic() - began < 5


# ---------------------------------------------------------------------- several credentials
@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as made:
        made.hold("team/app")
        yield made


def test_each_of_the_credentials_is_tried(world: World, double: Double) -> None:
    credential = {"type": "basic", "access_key": LOGIN[0], "access_secret": LOGIN[1]}
    values = {"name": "x", "type": "docker-registry", "url": double.url, "credential": credential}
    wrong = [{"access_key": "somebody", "access_secret": "wrong"}]
    assert world.api("sysadmin", "POST", "registries", values | {"more_credentials": wrong}).status_code == 400
    right = [{"access_key": LOGIN[0], "access_secret": LOGIN[1]}]
    made = world.api("sysadmin", "POST", "registries", values | {"more_credentials": right})
    assert made.status_code == 201, made.content
    seen = world.api("sysadmin", "GET", made["Location"]).json()["more_credentials"]
    assert seen == [{"access_key": LOGIN[0], "access_secret": "*****"}]
    assert LOGIN[1] not in json.dumps(Registry.objects.get().more_credentials)
    call_command("reencrypt_secrets")
    assert world.api("sysadmin", "PUT", made["Location"], {"more_credentials": seen, "timeout": 9}).status_code == 200
    assert endpoint_of(Registry.objects.get()).more == (LOGIN,)
    assert world.api("sysadmin", "PUT", made["Location"], {"more_credentials": []}).status_code == 200
    assert endpoint_of(Registry.objects.get()).more == ()


def client(double: Double, pauses: list[float], *more: tuple[str, str]) -> Client:
    found = adapter("docker-registry", Endpoint(double.url, *LOGIN, more=more))
    assert isinstance(found, DockerRegistry)
    return Client(found, pauses.append)


def test_the_next_is_used_before_anybody_waits(double: Double) -> None:
    """Of three accounts two are at their limit."""
    double.dance, used = False, []

    def limits(asked: Asked) -> Reply | None:
        if not asked.basic[0]:
            return None
        used.append(asked.basic[0])
        if asked.basic[0] != "third":
            return Reply(429, {"errors": []}, {"Retry-After": "7"})
        return Reply(200, {"tags": ["1.0"]})

    double.routes.append(limits)
    pauses: list[float] = []
    with closing(client(double, pauses, ("second", "x"), ("third", "x"))) as several:
        assert list(several.tags("team/app")) == ["1.0"]
        assert pauses == [] and used[-1] == "third" and len(used) <= 3
        used.clear()
        assert list(several.tags("team/app")) == ["1.0"]
        assert used == ["third"], "it stays with what works"


def test_when_all_are_limited_it_waits(double: Double) -> None:
    double.dance, answered = False, []

    def limits(asked: Asked) -> Reply | None:
        if not asked.basic[0]:
            return None
        answered.append(asked.basic[0])
        return Reply(429, {}, {"Retry-After": "7"}) if len(answered) <= 2 else Reply(200, {"tags": []})

    double.routes.append(limits)
    pauses: list[float] = []
    with closing(client(double, pauses, ("second", "x"))) as several:
        list(several.tags("team/app"))
    assert pauses == [7.0] and len(set(answered[:2])) == 2


def test_one_that_was_taken_away_is_passed_over(double: Double) -> None:
    with closing(client(double, [], ("gone", "x"))) as several:
        for _ in range(2):
            several._turn(several._at)
            assert list(several.tags("team/app")) == ["1.0"]


@pytest.mark.parametrize(("value", "seconds"), [("120", 120), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("soon", 0)])
def test_what_asks_for_a_long_time_is_not_waited_for(double: Double, value: str, seconds: int) -> None:
    double.dance = False
    double.routes.append(lambda asked: Reply(429, {}, {"Retry-After": value}) if asked.basic[0] else None)
    pauses: list[float] = []
    with closing(client(double, pauses)) as only, pytest.raises(RemoteError) as refused:
        list(only.tags("team/app"))
    assert (refused.value.status, refused.value.retry_after) == (429, seconds)
    assert bool(pauses) is (seconds < 60)


# ---------------------------------------------------------------------- what may be used at all
def test_types_that_are_not_on_the_list(world: World, open_registry: RemoteRegistry, settings: Any) -> None:
    row = Registry.objects.create(name="r", type="docker-registry", url=open_registry.url)
    settings.REPLICATION_ADAPTERS = ["harbor", "docker-hub"]
    assert world.api("sysadmin", "GET", "replication/adapters").json() == ["harbor", "docker-hub"]
    assert set(world.api("sysadmin", "GET", "replication/adapterinfos").json()) == {"harbor", "docker-hub"}
    values = {"name": "other", "type": "docker-registry", "url": open_registry.url}
    refused = world.api("sysadmin", "POST", "registries", values)
    assert refused.status_code == 400 and "not allowed here" in message(refused)
    assert world.api("sysadmin", "POST", "registries/ping", {"id": row.pk}).status_code == 400
    settings.REPLICATION_ADAPTERS = []
    assert world.api("sysadmin", "POST", "registries/ping", {"id": row.pk}).status_code == 200


def test_the_private_network_can_be_closed(world: World, open_registry: RemoteRegistry, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    values = {"name": "other", "type": "docker-registry", "url": open_registry.url}
    settings.REGISTRIES_MAY_BE_PRIVATE = False
    refused = world.api("sysadmin", "POST", "registries", values)
    assert refused.status_code == 400 and "not an address of the public internet" in message(refused)
    found = adapter("docker-registry", Endpoint(open_registry.url))
    assert isinstance(found, DockerRegistry)
    with closing(Client(found)) as client, pytest.raises(RemoteError, match="public internet"):
        client.has_blob("team/app", f"sha256:{'0' * 64}")
    settings.OUTBOUND_ALLOWED = ["127.0.0.0/8"]
    assert world.api("sysadmin", "POST", "registries", values).status_code == 201


@pytest.mark.parametrize("url", ["http://169.254.169.254", "http://[fe80::1]", "http://[::ffff:169.254.169.254]"])
def test_link_local_addresses_are_never_called(world: World, settings: Any, url: str) -> None:
    settings.OUTBOUND_ALLOWED = []
    values = {"name": "cloud", "type": "docker-registry", "url": url}
    refused = world.api("sysadmin", "POST", "registries", values)
    assert refused.status_code == 400 and "link-local" in message(refused), message(refused)
