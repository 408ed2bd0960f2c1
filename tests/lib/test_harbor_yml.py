"""Harbor's configuration file becomes the environment of the compose file."""

from typing import Any

import pytest

from harbor_core.env import database_config
from harbor_core.lib import redis
from harbor_core.lib.harbor_yml import HarborYmlError, lines, translate

WHOLE: dict[str, Any] = {
    "hostname": "reg.example.com",
    "http": {"port": 80},
    "https": {"port": 8443, "certificate": "/certs/a.crt", "private_key": "/certs/a.key"},
    "harbor_admin_password": "Passw0rd-1",
    "data_volume": "/data",
    "external_database": {
        "harbor": {"host": "db", "port": 5433, "db_name": "reg", "username": "me", "password": "p@ss/word",
                   "ssl_mode": "require"}
    },
    "external_redis": {"host": "a:26379,b:26379", "password": "s:cret", "sentinel_master_set": "mymaster"},
    "storage_service": {"s3": {"bucket": "b", "region": "r", "secure": False, "keyid": None},
                        "redirect": {"disable": True}},
    "log": {"level": "fatal", "local": {"rotate_count": 50}},
    "jobservice": {"max_job_workers": 7, "logger_sweeper_duration": 3, "job_loggers": ["FILE"]},
    "notification": {"webhook_job_max_retry": 3},
    "proxy": {"http_proxy": "http://proxy:3128", "no_proxy": ".local", "components": ["core"]},
    "metric": {"enabled": True, "port": 9091, "path": "/metrics"},
    "something": 1,
}  # fmt: skip


def test_a_whole_file() -> None:
    found = translate(WHOLE)
    settings = found.settings
    assert settings["HARBOR_EXTERNAL_URL"] == "https://reg.example.com:8443" and settings["HARBOR_HTTP_PORT"] == "8443"
    assert settings["HARBOR_TLS_CERTIFICATE"] == "/certs/a.crt"
    database = database_config(settings["HARBOR_DATABASE_URL"])
    assert (database["PASSWORD"], database["NAME"], database["PORT"]) == ("p@ss/word", "reg", "5433")
    assert database["OPTIONS"]["sslmode"] == "require"
    server = redis.parse(settings["HARBOR_REDIS_URL"])
    assert (server.master, server.password, len(server.sentinels)) == ("mymaster", "s:cret", 2)
    assert found.storage == {
        "HARBOR_STORAGE_S3_BUCKET": "b",
        "HARBOR_STORAGE_S3_REGION": "r",
        "HARBOR_STORAGE_S3_SECURE": "false",
    }
    assert settings["HARBOR_STORAGE_DRIVER"] == "s3" and settings["HARBOR_STORAGE_REDIRECT"] == "false"
    assert settings["HARBOR_LOG_LEVEL"] == "critical" and settings["HARBOR_WORKER_THREADS"] == "7"
    assert settings["NO_PROXY"].startswith(".local,core")
    assert set(found.files) == {"compose.tls.yaml", "compose.metrics.yaml"}
    told = {note.partition(":")[0] for note in found.notes}
    assert {
        "data_volume",
        "something",
        "log.local",
        "jobservice.job_loggers",
        "proxy.components",
        "metric.path",
    } <= told
    assert "HARBOR_HTTP_PORT=8443\n" in lines(settings)


def test_traces() -> None:
    trace = {"enabled": True, "sample_rate": 0.5, "namespace": "ops", "attributes": {"a": "b c"}, "jaeger": {}}
    otel = {
        "endpoint": "collector:4318",
        "url_path": "/v1/traces",
        "compression": False,
        "insecure": True,
        "timeout": 5,
    }
    found = translate({"hostname": "reg.local", "trace": trace | {"otel": otel}})
    settings = {name: value for name, value in found.settings.items() if name.startswith("TRACE_")}
    assert settings == {
        "TRACE_ENABLED": "true",
        "TRACE_SAMPLE_RATE": "0.5",
        "TRACE_NAMESPACE": "ops",
        "TRACE_ATTRIBUTES": '{"a": "b c"}',
        "TRACE_OTEL_ENDPOINT": "collector:4318",
        "TRACE_OTEL_URL_PATH": "/v1/traces",
        "TRACE_OTEL_COMPRESSION": "false",
        "TRACE_OTEL_INSECURE": "true",
        "TRACE_OTEL_TIMEOUT": "5",
    }
    assert found.notes == ["trace.jaeger: not used"]
    assert not translate({"hostname": "reg.local", "trace": {"enabled": False, "jaeger": {}}}).notes
    with pytest.raises(HarborYmlError, match=r"otel\.endpoint"):
        translate({"hostname": "reg.local", "trace": trace})


def test_tls_between_the_roles() -> None:
    found = translate({"hostname": "reg.local", "internal_tls": {"enabled": True, "dir": "/etc/harbor/tls"}})
    assert found.settings["INTERNAL_TLS_ENABLED"] == "true"
    assert [note.partition(":")[0] for note in found.notes] == ["internal_tls.dir"]
    assert "INTERNAL_TLS_ENABLED" not in translate({"hostname": "r.local", "internal_tls": {"enabled": False}}).settings


def test_the_least_there_can_be() -> None:
    found = translate({"hostname": "reg.local", "http": {"port": 8080}})
    assert found.settings == {"HARBOR_EXTERNAL_URL": "http://reg.local:8080", "HARBOR_HTTP_PORT": "8080"}
    assert found.notes == [] and found.files == []


def test_behind_a_proxy_of_ones_own() -> None:
    found = translate({"hostname": "inside", "external_url": "https://reg.example.com/"})
    assert found.settings["HARBOR_EXTERNAL_URL"] == "https://reg.example.com"
    assert found.settings["HARBOR_PUBLIC_URLS"] == "http://inside"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (None, "map"),
        ({}, "hostname"),
        ({"hostname": "h", "https": {"port": 443}}, "certificate"),
        ({"hostname": "h", "log": {"level": "loud"}}, "log.level"),
        ({"hostname": "h", "storage_service": {"s3": {}, "gcs": {}}}, "s3 and gcs"),
        ({"hostname": "h", "storage_service": "s3"}, "storage_service"),
        ({"hostname": "h", "external_database": {"harbor": {"host": "db"}}}, "db_name"),
        ({"hostname": "h", "external_redis": {}}, "external_redis.host"),
    ],
)
def test_what_cannot_be(document: Any, place: str) -> None:
    with pytest.raises(HarborYmlError, match=place):
        translate(document)


def test_values_are_taken_as_they_are() -> None:
    """Nothing of an env file's own grammar, comments and variables, reaches into a value."""
    settings = translate({"hostname": "h", "harbor_admin_password": "a $b #c 'd'"}).settings
    assert r"HARBOR_ADMIN_PASSWORD='a $b #c \'d\''" in lines(settings).splitlines()


def test_no_value_brings_another_line() -> None:
    with pytest.raises(HarborYmlError, match="one line"):
        lines(translate({"hostname": "h", "harbor_admin_password": "a\nHARBOR_TLS=off"}).settings)
