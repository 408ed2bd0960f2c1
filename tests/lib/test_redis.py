"""Where Redis is, and a master that Sentinels name."""

import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from harbor_core.lib.redis import parse
from tests.support.services import clean_environment, find, free_port


def test_urls() -> None:
    assert parse("unix:///run/redis.sock").broker_url == "redis+socket:///run/redis.sock"
    assert parse("redis://r:6379/2").url == "redis://r:6379/2"
    assert parse("redis://r:6379/2", "me", "p@ss").url == "redis://me:p%40ss@r:6379/2"
    assert parse("redis://a:b@r:6379/2", "me", "p@ss").url == "redis://a:b@r:6379/2"  # its own account counts
    found = parse("rediss+sentinel://s1:5000,[::1]:5001,s3/mymaster/4", password="x/y")
    assert found.sentinels == (("s1", 5000), ("::1", 5001), ("s3", 26379))
    assert (found.master, found.database, found.tls) == ("mymaster", 4, True)
    assert found.broker_url.split(";")[0] == "sentinel://:x%2Fy@s1:5000/4"
    assert found.broker_options == {"master_name": "mymaster", "sentinel_kwargs": {"ssl": True}}
    assert found.broker_ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    plain = parse("redis+sentinel://s1/mymaster")
    assert (plain.broker_options, plain.broker_ssl) == ({"master_name": "mymaster"}, None)
    assert parse("rediss://r?ssl_cert_reqs=none").broker_ssl is None, "what the URL says comes first"


@pytest.mark.parametrize("url", ["", "http://x", "redis+sentinel://s1:5000", "redis+sentinel://s1:5000/m/x"])
def test_what_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse(url)


def test_the_client_follows_a_failover(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(5)]
    servers, sentinels = ports[:2], ports[2:]
    processes = [_server(tmp_path, servers[0]), _server(tmp_path, servers[1], f"--replicaof 127.0.0.1 {servers[0]}")]
    try:
        for port in sentinels:
            file = tmp_path / f"sentinel-{port}.conf"
            file.write_text(
                f'port {port}\nbind 127.0.0.1\ndir {tmp_path}\nlogfile ""\n'
                f"sentinel monitor mymaster 127.0.0.1 {servers[0]} 2\n"
                "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
            )
            processes.append(_start(find("redis-server"), str(file), "--sentinel"))
        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        client = parse(f"redis+sentinel://{hosts}/mymaster/0").client(socket_timeout=1, socket_connect_timeout=1)
        _until(lambda: client.set("before", "1"))
        _until(lambda: client.info("replication")["connected_slaves"] == 1)
        _until(lambda: client.wait(1, 1000) == 1)
        _until(lambda: _knows_replica(sentinels[0]))
        processes[0].kill()
        _until(lambda: client.set("after", "1"))
        assert client.get("before") == b"1"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _knows_replica(port: int) -> bool:
    with redis.Redis(port=port) as sentinel:
        master = sentinel.sentinel_master("mymaster")
        return bool(master["num-slaves"] == 1 and master["num-other-sentinels"] == 2)


def _server(folder: Path, port: int, extra: str = "") -> subprocess.Popen[bytes]:
    options = f"--port {port} --bind 127.0.0.1 --dir {folder} --save --repl-diskless-sync-delay 0 {extra}".split()
    return _start(find("redis-server"), *options)


def _start(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _until(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < end
        time.sleep(0.1)
