"""The chart: traces, and TLS between the pods, as the roles are told of them."""

from typing import Any

import pytest

from harbor_core.lib import trace_settings
from tests.packaging.helm import refusal, render
from tests.packaging.test_chart import CALLED, MATRIX, container, only, variables

pytestmark = pytest.mark.slow


def test_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the roles are told can be read by them."""
    objects = render(*MATRIX["traces"])
    names = {}
    for component, role in (("core", "core"), ("portal", "portal"), ("waiting", "waiting"), ("jobservice", "worker"),
                            ("jobservice", "beat"), ("exporter", "exporter")):  # fmt: skip
        told = variables(container(only(objects, "Deployment", f"harbor-harbor-{component}"), role))
        given = {name: value for name, value in told.items() if name.startswith("TRACE_")}
        names[component] = given.pop("TRACE_SERVICE_NAME", "")
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        found = trace_settings.read()
        assert found == trace_settings.Settings(
            "http://collector:4318/v1/traces", False, 10, 0.25, "ops", {"application": "harbor"}
        )
    assert [names[one] for one in ("core", "portal", "waiting")] == ["harbor-core", "harbor-portal", "harbor-waiting"]
    gateway = container(only(objects, "Deployment", "harbor-harbor-registry"), "gateway")
    assert variables(gateway)["TRACE_ENABLED"] == "true"
    assert "TRACE_" not in str(render())
    assert "/trace" in refusal("trace.enabled=true")
    assert "/trace/provider" in refusal("trace.enabled=true", "trace.otel.endpoint=c:4318", "trace.provider=jaeger")


def _internal(item: dict[str, Any]) -> dict[str, Any]:
    """The Secret between pods that a workload mounts."""
    (volume,) = [one for one in item["spec"]["template"]["spec"]["volumes"] if one["name"] == "internal-tls"]
    found: dict[str, Any] = volume["secret"]
    return found


def test_internal_tls_of_the_init_job() -> None:
    objects = render(*MATRIX["internal tls"])
    secret = "harbor-harbor-secrets-internal-tls"
    init = container(only(objects, "Job", "harbor-harbor-init-1"), "init")
    told = variables(init)
    assert told["INTERNAL_TLS_ENABLED"] == "true"
    assert told["HARBOR_INTERNAL_NAMES"].split(",") == [
        f"harbor-harbor-{name}" for name in ("core", "portal", "waiting", "registry", "exporter")
    ]
    assert secret in only(objects, "Role", "harbor-harbor-init")["rules"][1]["resourceNames"]
    for name in CALLED:
        item = only(objects, "Deployment", f"harbor-harbor-{name}")
        assert _internal(item)["secretName"] == secret
        assert {one["path"] for one in _internal(item)["items"]} == {"ca.crt", "tls.crt", "tls.key"}
        one = container(item, name)
        assert variables(one)["INTERNAL_TLS_KEY_PATH"] == "/internal-tls/tls.key"
        assert {one[probe]["httpGet"]["scheme"] for probe in one if probe.endswith("Probe")} == {"HTTPS"}
    for item in (
        only(objects, "Deployment", "harbor-harbor-jobservice"),
        only(objects, "Job", "harbor-harbor-migrate-1"),
        only(objects, "CronJob", "harbor-harbor-backup")["spec"]["jobTemplate"],
    ):
        assert [one["path"] for one in _internal(item)["items"]] == ["ca.crt"], "it only calls"
        for one in item["spec"]["template"]["spec"]["containers"]:
            assert variables(one)["INTERNAL_TLS_TRUST_CA_PATH"] == "/internal-tls/ca.crt"
    registry = only(objects, "Deployment", "harbor-harbor-registry")
    pod = registry["spec"]["template"]["spec"]
    assert pod["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["harbor-harbor-registry"]}]
    gateway = container(registry, "gateway")
    assert variables(gateway)["HARBOR_REGISTRY_URL"] == "http://harbor-harbor-registry:5000"
    assert variables(gateway)["HARBOR_TLS"] == "/internal-tls/tls.crt,/internal-tls/tls.key"
    assert gateway["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    annotations = only(objects, "Ingress", "harbor-harbor-ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    for item in objects:
        if item["kind"] == "ServiceMonitor":
            safe = not item["metadata"]["name"].endswith("-registry")
            for endpoint in item["spec"]["endpoints"]:
                assert (endpoint.get("scheme") == "https") == safe
                assert not safe or endpoint["tlsConfig"]["serverName"] == item["metadata"]["name"]
    assert "internal-tls" not in str([item for item in render() if item["kind"] != "Role"])


def test_internal_tls_of_ones_own() -> None:
    values = MATRIX["internal tls, given"]
    objects = render(*values)
    for name in CALLED:
        secret = f"harbor-harbor-{name}-internal-tls"
        assert _internal(only(objects, "Deployment", f"harbor-harbor-{name}"))["secretName"] == secret
        data = only(objects, "Secret", secret)["stringData"]
        assert data == {"ca.crt": "authority", "tls.crt": f"{name}-crt", "tls.key": f"{name}-key"}
    gateway = container(only(objects, "Deployment", "harbor-harbor-registry"), "gateway")
    assert variables(gateway)["HARBOR_TLS"] == "/tls/tls.crt,/tls/tls.key", "clients see the one that is for them"
    assert "internalTLS.waiting.key is missing" in refusal(*(one for one in values if "waiting.key" not in one))
    existing = ("internalTLS.enabled=true", "internalTLS.certSource=secret")
    named = [f"internalTLS.{name}.secretName=my-{name}" for name in CALLED]
    objects = render(*existing, *named)
    assert _internal(only(objects, "Deployment", "harbor-harbor-waiting"))["secretName"] == "my-waiting"
    assert _internal(only(objects, "Deployment", "harbor-harbor-jobservice"))["secretName"] == "my-core"
    assert "internalTLS.portal.secretName is missing" in refusal(
        *existing, *(one for one in named if "portal" not in one)
    )
    assert "/internalTLS/certSource" in refusal("internalTLS.enabled=true", "internalTLS.certSource=elsewhere")
