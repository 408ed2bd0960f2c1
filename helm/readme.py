"""Write ``harbor/README.md`` from the comments of ``harbor/values.yaml``: ``python helm/readme.py [--check]``."""

import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent / "harbor"
INTRO = """# Harbor

The whole registry in one release: gateway and registry, core, portal, job service, and, unless they are external,
PostgreSQL and Redis.

    helm upgrade --install harbor . -f values-prod.yaml -n kube-ops
    kubectl get pods -n kube-ops -l app=harbor

What nobody has to choose (signing keys, secrets, the certificate) is made once by the init job and kept in the Secrets
`<release>-harbor-secrets*`, also after an uninstall: back them up with the database. The migrate job brings the schema
up to date at every upgrade; pods of the new release wait for it while those of the old one go on serving.

## Volumes

Core, job service and the registry's pod share the registry's volume. With `ReadWriteOnce` they run on one node and in
one copy; more copies need `ReadWriteMany` or object storage, and other values are refused.

## Pull secret

    kubectl create secret docker-registry harbor --docker-server=harbor.k8s.local \\
      --docker-username='robot+library+kubelet' --docker-password=… -n <namespace>

and `imagePullSecrets: [{name: harbor}]` in the pod, or in the namespace's default service account.

## Values
"""
# Values of other charts that are taken and do nothing, and why.
MEANINGLESS = (
    ("chartmuseum.*", "charts are stored with images"),
    ("persistence.persistentVolumeClaim.chartmuseum.*", "charts are stored with images"),
    ("notary.*, expose.ingress.hosts.notary, database.external.notary*Database", "signatures are artifacts"),
    ("trivy.*, persistence.persistentVolumeClaim.trivy.*", "scanners are registered by address"),
    ("persistence.persistentVolumeClaim.redis.*", "nothing in Redis outlives it"),
    ("metrics.{core,registry,jobservice,exporter}.*", "paths and ports are fixed"),
    ("nginx.*", "the gateway runs in the registry's pod: registry.gateway"),
    ("cache.*", "what is worth caching is cached"),
    (
        "internalTLS.{jobservice,trivy}.*, internalTLS.strong_ssl_ciphers",
        "nobody calls it; ciphers are strong",
    ),
    ("trace.jaeger.*", "Jaeger takes what trace.otel sends, at its port 4318"),
    (
        "core.{secret,secretName,xsrfKey,tokenKey,tokenCert,existingSecret,existingXsrfSecret}",
        "made by the init job",
    ),
    ("{jobservice,registry}.{secret,existingSecret}, registry.credentials", "existingSecretSecretKey brings own ones"),
    (
        "core.{gdpr,quotaUpdateProvider,artifactPullAsyncFlushDuration}",
        "quotas are exact; pulls come in seconds",
    ),
    ("jobservice.reaper", "a task whose worker died is taken up within a minute"),
    ("registry.{relativeurls,middleware,upload_purging}", "core owns uploads and hands out addresses"),
    ("database.{maxIdleConns,maxOpenConns}", "a connection per thread, kept"),
    ("redis.external.{jobservice,registry,trivyAdapter,harbor,cacheLayer}DatabaseIndex", "one: coreDatabaseIndex"),
    ("*.automountServiceAccountToken", "no pod but the init job's talks to the cluster"),
)
OUTRO = """
## Accepted without meaning

| value | why |
|---|---|
""" + "".join(f"| `{name}` | {why} |\n" for name, why in MEANINGLESS)


def rows(lines: list[str], values: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(dotted name, default, comment) of every value that has a comment ``# --``, in the file's order."""
    found: list[tuple[str, str, str]] = []
    path: list[tuple[int, str]] = []
    comment = ""
    for line in lines:
        text = line.strip()
        if text.startswith("# -- "):
            comment = text[5:]
        elif text and not text.startswith(("#", "-")) and ":" in text:
            indent, key = len(line) - len(line.lstrip()), text.partition(":")[0]
            path = [item for item in path if item[0] < indent] + [(indent, key)]
            if comment:
                names = [name for _, name in path]
                found.append((".".join(names), _short(_look_up(values, names)), comment))
            comment = ""
    return found


def _look_up(values: Any, names: list[str]) -> Any:
    for name in names:
        values = values[name]
    return values


def _short(value: Any) -> str:
    return (
        "" if isinstance(value, dict) else "`" + (str(value).lower() if isinstance(value, bool) else str(value)) + "`"
    )


def readme() -> str:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    table = ["| value | default | meaning |", "|---|---|---|"]
    table += [
        f"| `{name}` | {default} | {comment} |"
        for name, default, comment in rows(text.splitlines(), yaml.safe_load(text))
    ]
    return (
        INTRO
        + "\nAll others are in [values.yaml](values.yaml), under the names of harbor-helm.\n\n"
        + "\n".join(table)
        + "\n"
        + OUTRO
    )


if __name__ == "__main__":
    target = CHART / "README.md"
    if "--check" in sys.argv:
        sys.exit(0 if target.read_text(encoding="utf-8") == readme() else "helm/harbor/README.md is not current")
    target.write_text(readme(), encoding="utf-8")
