"""PostgreSQL and Redis elsewhere: with TLS and passwords, through Sentinel, behind PgBouncer."""

import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from harbor_core.standalone.tls import ensure_certificate
from tests.e2e.test_jobs import purge
from tests.support import oci
from tests.support.services import Postgres, Service, connects, find, free_port, temp_folder, wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.slow
PASSWORD = "s:cret/1"


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    folder = temp_folder("harbor-certificates")
    ensure_certificate(folder, ["https://localhost"])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def postgres(certificates: Path) -> Iterator[Postgres]:
    server = Postgres(certificates=certificates)
    server.url("harbor")
    yield server
    server.stop()


class TlsRedis(Service):
    """Answers with TLS only; as a Sentinel it watches ``master``."""

    def __init__(self, certificates: Path, master: int = 0) -> None:
        super().__init__("redis-tls")
        self.port = free_port()
        lines = ["port 0", f"tls-port {self.port}", "bind 127.0.0.1", "tls-auth-clients no", f"dir {self.folder}"]
        lines += [f"tls-cert-file {certificates / 'server.crt'}", f"tls-key-file {certificates / 'server.key'}"]
        lines += [f"tls-ca-cert-file {certificates / 'ca.crt'}", "tls-replication yes"]
        if master:
            lines += [f"sentinel monitor mymaster 127.0.0.1 {master} 1", f'sentinel auth-pass mymaster "{PASSWORD}"']
        else:
            lines += [f'requirepass "{PASSWORD}"', 'save ""']
        path = self.folder / "redis.conf"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        argv = [find("redis-server"), str(path), *(["--sentinel"] if master else [])]
        self.spawn(argv, lambda: connects(("127.0.0.1", self.port)))


@pytest.fixture(params=["redis", "sentinel"])
def redis_url(request: pytest.FixtureRequest, certificates: Path) -> Iterator[str]:
    server = TlsRedis(certificates)
    running: list[Service] = [server]
    url = f"rediss://127.0.0.1:{server.port}/0"
    if request.param == "sentinel":
        sentinel = TlsRedis(certificates, server.port)
        running.append(sentinel)
        url = f"rediss+sentinel://127.0.0.1:{sentinel.port}/mymaster/0"
    yield url
    for service in running:
        service.stop()


def works(client: httpx.Client) -> None:
    """A push, a pull, and a job, whose bell rings through Redis."""
    image = oci.image()
    assert oci.push(client, "library/app", "1.0", image).status_code == 201
    assert client.get("/v2/library/app/manifests/1.0").content == image.manifest
    run = purge(client, "Manual").headers["Location"]
    wait_until(lambda: client.get(run).json()["job_status"] == "Success", 20, "the job to end")


def test_tls_to_everything(certificates: Path, postgres: Postgres, redis_url: str) -> None:
    authority = str(certificates / "ca.crt")
    database = f"postgres://harbor@localhost:{postgres.port}/harbor?sslmode=verify-full&sslrootcert={authority}"
    with Stack() as stack:
        stack.start(
            database="sqlite",
            HARBOR_DATABASE_URL=database,
            HARBOR_REDIS_URL=redis_url,
            HARBOR_REDIS_PASSWORD=PASSWORD,
            SSL_CERT_FILE=authority,
        )
        with stack.api() as client:
            works(client)
        with psycopg.connect(f"host={postgres.folder} port={postgres.port} user=harbor dbname=harbor") as connection:
            rows = connection.execute(
                "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'harbor'"
            ).fetchall()
        assert rows and all(encrypted for (encrypted,) in rows)


class PgBouncer(Service):
    """Transactions of many clients on few connections."""

    def __init__(self, postgres: Postgres) -> None:
        super().__init__("pgbouncer")
        self.port = free_port()
        account = pwd.getpwnam("postgres")
        path = self.folder / "pgbouncer.ini"
        path.write_text(
            f"[databases]\nharbor = host={postgres.folder} port={postgres.port} user=harbor\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 200\n"
            "ignore_startup_parameters = extra_float_digits\n",
            encoding="ascii",
        )
        shutil.chown(self.folder, account.pw_uid, account.pw_gid)
        argv = [find("pgbouncer"), str(path)]
        self.spawn(argv, lambda: connects(("127.0.0.1", self.port)), user="postgres")


def test_behind_pgbouncer() -> None:
    server = Postgres()
    server.url("harbor")
    pool = PgBouncer(server)
    try:
        with Stack() as stack:
            url = f"postgres://harbor@127.0.0.1:{pool.port}/harbor?prepare_threshold=none"
            stack.start(database="sqlite", HARBOR_DATABASE_URL=url)
            with stack.api() as client:
                works(client)
            assert "0 violations" in stack.manage("verify", "--deep")
    finally:
        pool.stop()
        server.stop()
