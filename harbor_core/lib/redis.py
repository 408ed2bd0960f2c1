"""Where Redis is: one server, or a master that Sentinels name.

``redis://`` and ``rediss://host:port/db``, ``unix:///path``, and ``redis+sentinel://`` or
``rediss+sentinel://host:port,host:port/<master>[/db]``. User and password come with the URL or beside it, so that no
password has to stand in a URL.
"""

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import redis
from redis.sentinel import Sentinel

from harbor_core.lib import tracing

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class RedisServer:
    """``url`` holds the account; for Sentinel it is empty, and ``sentinels`` and ``master`` are set."""

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    database: int = 0
    username: str = ""
    password: str = ""
    tls: bool = False

    def client(self, **options: Any) -> "redis.Redis":
        """A client (and pool) of the server, or of whatever is master now."""
        if not self.sentinels:
            return tracing.watched_redis(redis.Redis.from_url(self.url, **options))
        account = {"username": self.username or None, "password": self.password or None, "ssl": self.tls}
        sentinel = Sentinel(list(self.sentinels), sentinel_kwargs=options | {"ssl": self.tls}, **options)
        return tracing.watched_redis(sentinel.master_for(self.master, db=self.database, **account, **options))

    @property
    def broker_url(self) -> str:
        """As Celery's transports take it."""
        if not self.sentinels:
            return self.url.replace("unix://", "redis+socket://", 1)
        account = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return ";".join(f"sentinel://{account}{host}:{port}/{self.database}" for host, port in self.sentinels)

    @property
    def broker_options(self) -> dict[str, Any]:
        """What goes into the transport's options besides."""
        if not self.sentinels:
            return {}
        return {"master_name": self.master} | ({"sentinel_kwargs": {"ssl": True}} if self.tls else {})

    @property
    def broker_ssl(self) -> dict[str, Any] | None:
        """Celery's ``broker_use_ssl``: its transports take no TLS from the scheme. What the URL says comes first."""
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED} if self.tls and "ssl_" not in urlsplit(self.url).query else None


def parse(url: str, username: str = "", password: str = "") -> RedisServer:
    """Raises ValueError with what is wrong."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ValueError(f"HARBOR_REDIS_URL must start with one of {', '.join(f'{known}://' for known in SCHEMES)}.")
    if not scheme.endswith("+sentinel"):
        return RedisServer(_with_account(url, username, password), tls=scheme == "rediss")
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    own_name, _, own_password = account.partition(":")
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError(
            "HARBOR_REDIS_URL must name the master after the Sentinels, as in redis+sentinel://a:26379,b:26379/mymaster."
        )
    return RedisServer(
        "",
        tuple(_address(item) for item in hosts.split(",") if item),
        master,
        int(database or 0),
        username or unquote(own_name),
        password or unquote(own_password),
        scheme == "rediss+sentinel",
    )


def _address(item: str) -> tuple[str, int]:
    host, _, port = item.rpartition(":") if ":" in item.rpartition("]")[2] else (item, "", "")
    return host.strip("[]"), int(port or SENTINEL_PORT)


def _with_account(url: str, username: str, password: str) -> str:
    parts = urlsplit(url)
    if not password or "@" in parts.netloc:
        return url
    return parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{parts.netloc}").geturl()
