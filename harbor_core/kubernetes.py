"""Secrets of the own namespace, through the cluster's API with the pod's service account.

Only what making secrets once needs: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
"""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from harbor_core.env import ConfigError, env_str

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 15


def read_secret(name: str) -> dict[str, bytes]:
    """Its values; empty when there is no such Secret. Raises ConfigError."""
    found = _call("GET", f"/secrets/{name}", missing=None)
    return {key: base64.b64decode(value) for key, value in ((found or {}).get("data") or {}).items()}


def add_to_secret(name: str, values: dict[str, bytes], labels: dict[str, str], kind: str = "Opaque") -> None:
    """Create the Secret, or add what it lacks; what is there stays. Raises ConfigError."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels, "annotations": {"helm.sh/resource-policy": "keep"}},
        "type": kind,
        "data": data,
    }
    if _call("POST", "/secrets", body, missing=None, taken=None) is not None:
        return
    lacking = {key: data[key] for key in data.keys() - read_secret(name).keys()}
    if lacking:
        _call("PATCH", f"/secrets/{name}", {"data": lacking})


def put_secret(name: str, values: dict[str, bytes], labels: dict[str, str], kind: str = "Opaque") -> None:
    """Create the Secret, or give it these values. Raises ConfigError."""
    add_to_secret(name, values, labels, kind)
    there = read_secret(name)
    changed = {key: base64.b64encode(value).decode() for key, value in values.items() if there.get(key) != value}
    if changed:
        _call("PATCH", f"/secrets/{name}", {"data": changed})


_RAISE: Any = object()


def _call(method: str, path: str, body: Any = None, *, missing: Any = _RAISE, taken: Any = _RAISE) -> Any:
    host, port = env_str("KUBERNETES_SERVICE_HOST"), env_str("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("KUBERNETES_SERVICE_HOST is not set; this runs inside a cluster only.")
    folder = Path(env_str("HARBOR_SERVICE_ACCOUNT_DIR", str(ACCOUNT)))
    namespace = (folder / "namespace").read_text(encoding="ascii").strip()
    request = urllib.request.Request(
        f"https://{f'[{host}]' if ':' in host else host}:{port}/api/v1/namespaces/{namespace}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={
            "Authorization": f"Bearer {(folder / 'token').read_text(encoding='ascii').strip()}",
            "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
            "Accept": "application/json",
        },
    )
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=context) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        allowed = {404: missing, 409: taken}.get(error.code, _RAISE)
        if allowed is not _RAISE:
            return allowed
        detail = error.read(500).decode(errors="replace")
        raise ConfigError(f"the cluster answered {error.code} to {method} {path}: {detail}") from error
    except OSError as error:
        raise ConfigError(f"the cluster's API cannot be reached: {error}") from error
