"""The chart, rendered by the real helm: what is in the objects, and that Kubernetes would take them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.packaging.helm import CHART, custom_schema, helm, refusal, render
from tests.support.stack import ROOT

pytestmark = pytest.mark.slow
SEED = Path(__file__).with_name("values-prod.yaml")
MANY = "persistence.persistentVolumeClaim.registry.accessMode=ReadWriteMany"
CALLED = ("core", "portal", "waiting", "registry", "exporter")  # they answer others
MATRIX: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "cluster ip, own tls": ("expose.type=clusterIP",),
    "node port, no tls": ("expose.type=nodePort", "expose.tls.enabled=false"),
    "load balancer, given certificate": (
        "expose.type=loadBalancer",
        "expose.tls.certSource=secret",
        "expose.tls.secret.secretName=mine",
    ),
    "gateway api": ("expose.type=route", "expose.route.parentRefs[0].name=front", "expose.route.hosts[0]=h.example"),
    "s3, several copies": (
        "persistence.imageChartStorage.type=s3",
        "persistence.imageChartStorage.s3.bucket=b",
        "persistence.imageChartStorage.s3.region=r",
        "persistence.imageChartStorage.s3.accesskey=a",
        "persistence.imageChartStorage.s3.secretkey=s",
        "core.replicas=3",
        "registry.replicas=2",
        "core.hpa.enabled=true",
        "core.pdb.enabled=true",
        "networkPolicy.enabled=true",
    ),
    "azure by secret": (
        "persistence.imageChartStorage.type=azure",
        "persistence.imageChartStorage.azure.existingSecret=x",
    ),
    "gcs": ("persistence.imageChartStorage.type=gcs", "persistence.imageChartStorage.gcs.encodedkey=e30="),
    "sentinel": (
        "redis.type=external",
        "redis.external.addr=a:26379\\,b:26379",
        "redis.external.sentinelMasterSet=mymaster",
        "redis.external.password=p",
    ),
    "metrics": (
        "metrics.enabled=true",
        "metrics.serviceMonitor.enabled=true",
        "metrics.serviceMonitor.additionalLabels.prometheus=main",
        "metrics.prometheusRule.enabled=true",
        "metrics.dashboard.enabled=true",
        "networkPolicy.enabled=true",
    ),
    "traces": (
        "trace.enabled=true",
        "trace.otel.endpoint=collector:4318",
        "trace.sample_rate=0.25",
        "trace.namespace=ops",
        "trace.attributes.application=harbor",
        "metrics.enabled=true",
    ),
    "internal tls": (
        "internalTLS.enabled=true",
        "metrics.enabled=true",
        "metrics.serviceMonitor.enabled=true",
        "networkPolicy.enabled=true",
        "backup.enabled=true",
    ),
    "internal tls, given": (
        "internalTLS.enabled=true",
        "internalTLS.certSource=manual",
        "internalTLS.trustCa=authority",
        *(f"internalTLS.{name}.{what}={name}-{what}" for name in CALLED for what in ("crt", "key")),
        "metrics.enabled=true",
        "expose.type=clusterIP",
    ),
    "backups": ("backup.enabled=true", "backup.content=false", "networkPolicy.enabled=true"),
    "no volumes": ("persistence.enabled=false",),
    "existing claims and secrets": (
        MANY,
        "persistence.persistentVolumeClaim.registry.existingClaim=mine",
        "existingSecretSecretKey=keys",
        "existingSecretAdminPassword=admin",
        "database.type=external",
        "database.external.host=db",
        "database.external.username=harbor",
        "database.external.existingSecret=db",
    ),
}
# Where the schemas of objects are that Kubernetes itself does not know: a Go module, its version, a file in it.
FOREIGN = {
    "HTTPRoute": (
        "sigs.k8s.io/gateway-api",
        "v1.2.1",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "ServiceMonitor": (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.79.2",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "PrometheusRule": (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.79.2",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}


def only(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    return found


def container(item: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in item["spec"]["template"]["spec"]["containers"] if one["name"] == name]
    return found


def variables(one: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in one.get("env", ())}


@pytest.fixture(scope="module")
def seed() -> list[dict[str, Any]]:
    return render(files=(SEED,))


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_kubernetes_takes_every_object(values: tuple[str, ...]) -> None:
    objects = render(*values)
    for item in objects:
        if item["kind"] in FOREIGN:
            jsonschema.validate(item, custom_schema(*FOREIGN[item["kind"]], item["apiVersion"]))
            continue
        for version in ("1.29", "1.33"):
            kubernetes_validate.validate(item, version, strict=True)
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(names) == len(set(names))


def test_lint() -> None:
    done = helm("lint", CHART, "--strict")
    assert done.returncode == 0, done.stdout


def test_rendering_twice_gives_the_same_bytes() -> None:
    first, second = (helm("template", "harbor", CHART, "--values", SEED).stdout for _ in range(2))
    assert first == second and first


def test_values_of_the_seed(seed: list[dict[str, Any]]) -> None:
    names = {item["metadata"]["name"] for item in seed if item["kind"] == "Deployment"}
    assert names == {f"harbor-harbor-{part}" for part in ("core", "portal", "waiting", "jobservice", "registry")}
    for item in seed:
        if item["kind"] == "Deployment":
            assert item["spec"]["template"]["metadata"]["labels"]["app"] == "harbor"
            assert item["spec"]["replicas"] == 1
    core = variables(container(only(seed, "Deployment", "harbor-harbor-core"), "core"))
    assert core["HARBOR_EXTERNAL_URL"] == "https://harbor.k8s.local"
    assert core["HARBOR_LOG_LEVEL"] == "debug"
    assert core["HARBOR_DATABASE_URL"].startswith(
        "postgres://gitlab@postgresql.kube-ops.svc.cluster.local:5432/harbor?"
    )
    assert core["HARBOR_REDIS_URL"] == "redis://redis.kube-ops.svc.cluster.local:6379/0"
    assert core["HARBOR_DATABASE_PASSWORD"] == {
        "secretKeyRef": {"name": "harbor-harbor-config", "key": "databasePassword"}
    }
    secret = only(seed, "Secret", "harbor-harbor-config")["stringData"]
    assert secret["databasePassword"] == "passw0rd" and secret["HARBOR_ADMIN_PASSWORD"] == "Harbor12345"
    claim = only(seed, "PersistentVolumeClaim", "harbor-harbor-registry")
    assert claim["spec"]["storageClassName"] == "nfs-client" and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    ingress = only(seed, "Ingress", "harbor-harbor-ingress")["spec"]
    assert ingress["ingressClassName"] == "nginx"
    assert ingress["rules"][0]["host"] == "harbor.k8s.local"
    assert ingress["tls"] == [{"hosts": ["harbor.k8s.local"], "secretName": "harbor-harbor-secrets-tls"}]


def test_no_password_stands_in_a_workload(seed: list[dict[str, Any]]) -> None:
    for item in seed:
        if item["kind"] != "Secret":
            assert "passw0rd" not in str(item) and "Harbor12345" not in str(item)


def test_every_container_is_locked_down(seed: list[dict[str, Any]]) -> None:
    for item in render():
        if item["kind"] not in ("Deployment", "Job", "StatefulSet"):
            continue
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for one in [*pod["containers"], *pod.get("initContainers", [])]:
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            if one["name"] != "database":
                assert one["securityContext"]["readOnlyRootFilesystem"] is True


def test_probes_ask_the_right_thing(seed: list[dict[str, Any]]) -> None:
    core = container(only(seed, "Deployment", "harbor-harbor-core"), "core")
    # A process that waits for a database that is away must not be killed for it.
    assert core["livenessProbe"]["httpGet"]["path"] == "/api/v2.0/ping"
    assert core["readinessProbe"]["httpGet"]["path"] == "/api/v2.0/systeminfo"
    own = render("expose.type=clusterIP")
    gateway = container(only(own, "Deployment", "harbor-harbor-registry"), "gateway")
    assert gateway["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert variables(gateway)["HARBOR_TLS"] == "/tls/tls.crt,/tls/tls.key"


def test_the_gateway_reads_the_volume_and_writes_nothing(seed: list[dict[str, Any]]) -> None:
    registry = only(seed, "Deployment", "harbor-harbor-registry")
    mounts = {
        one["name"]: {m["name"]: m for m in one["volumeMounts"]}
        for one in registry["spec"]["template"]["spec"]["containers"]
    }
    assert mounts["gateway"]["storage"]["readOnly"] is True
    assert mounts["registry"]["storage"]["readOnly"] is False


def test_several_copies_need_a_volume_that_can_be_shared() -> None:
    assert "/core/replicas" in refusal("core.replicas=2")
    assert "/registry/replicas" in refusal("registry.replicas=2")
    render("core.replicas=2", MANY)


def test_pods_that_share_a_single_node_volume_go_to_one_node() -> None:
    affinity = only(render(), "Deployment", "harbor-harbor-core")["spec"]["template"]["spec"]["affinity"]
    (rule,) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"]["component"] == "registry"
    assert "affinity" not in only(render(MANY), "Deployment", "harbor-harbor-core")["spec"]["template"]["spec"]


def test_the_init_job_may_touch_its_own_secrets_only(seed: list[dict[str, Any]]) -> None:
    rules = only(seed, "Role", "harbor-harbor-init")["rules"]
    assert [rule["verbs"] for rule in rules] == [["create"], ["get", "patch"]]
    assert all(name.startswith("harbor-harbor-secrets") for name in rules[1]["resourceNames"])
    for item in seed:
        if item["kind"] == "Deployment":
            assert item["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_metrics() -> None:
    """Every component that counts answers at a port of its own, and a monitor finds it by the service's labels."""
    objects = render(*MATRIX["metrics"])
    core = only(objects, "Deployment", "harbor-harbor-core")
    assert variables(container(core, "core"))["HARBOR_CORE_METRICS"] == "0.0.0.0:8001"
    registry = only(objects, "Deployment", "harbor-harbor-registry")
    assert variables(container(registry, "registry"))["HARBOR_REGISTRY_METRICS"] == "0.0.0.0:5001"
    exporter = container(only(objects, "Deployment", "harbor-harbor-exporter"), "exporter")
    assert exporter["args"] == ["exporter"]
    assert variables(exporter)["HARBOR_CORE_URL"] == "http://harbor-harbor-core:8000"
    services = [item for item in objects if item["kind"] == "Service"]
    monitors = {item["metadata"]["name"]: item for item in objects if item["kind"] == "ServiceMonitor"}
    assert set(monitors) == {f"harbor-harbor-{name}" for name in ("exporter", "core", "portal", "waiting", "registry")}
    for name, monitor in monitors.items():
        assert monitor["metadata"]["labels"]["prometheus"] == "main"
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [item for item in services if wanted.items() <= item["metadata"]["labels"].items()]
        assert service["metadata"]["name"] == name
        (port,) = [port for port in service["spec"]["ports"] if port["name"] == "metrics"]
        containers = only(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        ports = {one["name"]: one["containerPort"] for item in containers for one in item.get("ports", ())}
        assert ports[port["targetPort"]] == port["port"]
    queries = [one.get("params") for one in monitors["harbor-harbor-exporter"]["spec"]["endpoints"]]
    assert queries == [None, {"comp": ["jobservice"]}, {"comp": ["gateway"]}]
    (rules,) = [item for item in objects if item["kind"] == "PrometheusRule"]
    assert rules["spec"] == yaml.safe_load((CHART / "monitoring" / "alerts.yaml").read_text(encoding="utf-8"))
    board = only(objects, "ConfigMap", "harbor-harbor-dashboard")["data"]["harbor.json"]
    assert json.loads(board)["title"] == "Harbor"
    plain = render()
    assert "ServiceMonitor" not in {item["kind"] for item in plain} and "8001" not in str(plain)
    assert "ServiceMonitor" not in {item["kind"] for item in render("metrics.serviceMonitor.enabled=true")}


def test_network_policies_let_in_who_needs_to() -> None:
    """Whatever a pod is told to talk to lets it in: addresses in the environment against the policies."""
    objects = render(*MATRIX["metrics"])
    policies = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "NetworkPolicy"}
    for item in objects:
        if item["kind"] not in ("Deployment", "Job"):
            continue
        template = item["spec"]["template"]
        component = template["metadata"]["labels"]["component"]
        for one in template["spec"]["containers"]:
            text = " ".join(str(value) for value in variables(one).values())
            for target, port in re.findall(r"harbor-harbor-([a-z]+):(\d+)", text):
                rules = [rule for rule in policies[f"harbor-harbor-{target}"]["ingress"]
                         if int(port) in {entry["port"] for entry in rule["ports"]}]  # fmt: skip
                allowed = {
                    peer["podSelector"]["matchLabels"]["component"] for rule in rules for peer in rule.get("from", ())
                }
                # Told, but never called: the one writes the address down, the other only changes tables.
                needed = (component, target) not in {("init", "database"), ("migrate", "registry")}
                assert not needed or component in allowed, (component, target, port)


def test_backups() -> None:
    objects = render(*MATRIX["backups"])
    job = only(objects, "CronJob", "harbor-harbor-backup")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (one,) = pod["containers"]
    assert one["args"] == ["manage", "backup", "/backups", "--keep=14", "--without-content"]
    mounts = {mount["name"]: mount for mount in one["volumeMounts"]}
    assert mounts["storage"]["readOnly"] is True and mounts["backups"]["mountPath"] == "/backups"
    assert {"secrets", "token-keys"} <= mounts.keys() and one["securityContext"]["readOnlyRootFilesystem"] is True
    # It goes where the registry's volume is, and keeps what it made.
    assert pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    claim = only(objects, "PersistentVolumeClaim", "harbor-harbor-backup")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    (database,) = only(objects, "NetworkPolicy", "harbor-harbor-database")["spec"]["ingress"]
    assert "backup" in {peer["podSelector"]["matchLabels"]["component"] for peer in database["from"]}
    assert "CronJob" not in {item["kind"] for item in render()}


def test_settings_of_harbor_helm_reach_the_roles() -> None:
    objects = render(
        "jobservice.loggerSweeperDuration=30",
        "jobservice.notification.webhook_job_max_retry=5",
        "jobservice.serviceAccountName=jobs",
        "containerSecurityContext.seccompProfile.type=RuntimeDefault",
        'core.configureUserSettings=\\{"self_registration": false\\}',
    )
    jobs = only(objects, "Deployment", "harbor-harbor-jobservice")
    worker = container(jobs, "worker")
    assert variables(worker)["HARBOR_JOB_LOG_DAYS"] == "30"
    assert variables(worker)["JOBSERVICE_WEBHOOK_JOB_MAX_RETRY"] == "5"
    assert jobs["spec"]["template"]["spec"]["serviceAccountName"] == "jobs"
    assert worker["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert worker["securityContext"]["readOnlyRootFilesystem"] is True
    core = container(only(objects, "Deployment", "harbor-harbor-core"), "core")
    assert json.loads(variables(core)["CONFIG_OVERWRITE_JSON"]) == {"self_registration": False}


def test_sentinel() -> None:
    core = variables(container(only(render(*MATRIX["sentinel"]), "Deployment", "harbor-harbor-core"), "core"))
    assert core["HARBOR_REDIS_URL"] == "redis+sentinel://a:26379,b:26379/mymaster/0"
    assert core["HARBOR_REDIS_PASSWORD"] == {"secretKeyRef": {"name": "harbor-harbor-config", "key": "redisPassword"}}


@pytest.mark.parametrize("value", ["externalURL=harbor.lan", "externalURL=https://h/path", "expose.type=hostPort"])
def test_wrong_values_are_refused(value: str) -> None:
    assert value.partition("=")[0].replace(".", "/") in refusal(value)


def test_the_readme_is_made_from_the_values() -> None:
    subprocess.run([sys.executable, ROOT / "helm" / "readme.py", "--check"], check=True)
