"""What tests of replication do at both ends, over the API and the registry."""

import time
import uuid
from typing import Any

import httpx

from tests.support import oci

INDEX = oci.OCI_INDEX


def registry(api: httpx.Client, kind: str, url: str, login: tuple[str, str]) -> int:
    credential = {"type": "basic", "access_key": login[0], "access_secret": login[1]}
    body = {"name": uuid.uuid4().hex[:12], "type": kind, "url": url, "credential": credential}
    made = api.post("/api/v2.0/registries", json=body)
    assert made.status_code == 201, made.text
    return int(made.headers["Location"].rpartition("/")[2])


def policy(api: httpx.Client, **values: Any) -> int:
    body = {"name": uuid.uuid4().hex[:12], "enabled": True, "override": True, "dest_namespace_replace_count": 0}
    made = api.post("/api/v2.0/replication/policies", json=body | values)
    assert made.status_code == 201, made.text
    return int(made.headers["Location"].rpartition("/")[2])


def named(pattern: str, tag: str = "") -> list[dict[str, str]]:
    return [{"type": "name", "value": pattern}] + ([{"type": "tag", "value": tag}] if tag else [])


def ended(api: httpx.Client, path: str, seconds: float = 60) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (found := api.get(path).json())["status"] == "InProgress":
        assert time.monotonic() < until, (found, logs(api, path))
        time.sleep(0.1)
    return dict(found)


def logs(api: httpx.Client, path: str) -> str:
    tasks = api.get(f"{path}/tasks").json()
    return "\n".join(api.get(f"{path}/tasks/{task['id']}/log").text for task in tasks)


def ran(api: httpx.Client, policy_id: int, status: str = "Succeed") -> dict[str, Any]:
    started = api.post("/api/v2.0/replication/executions", json={"policy_id": policy_id})
    assert started.status_code == 201, started.text
    found = ended(api, started.headers["Location"])
    assert found["status"] == status, (found, logs(api, started.headers["Location"]))
    return found | {"path": started.headers["Location"]}


def project(api: httpx.Client) -> str:
    name = f"p{uuid.uuid4().hex[:10]}"
    assert api.post("/api/v2.0/projects", json={"project_name": name}).status_code == 201
    return name


def digest(client: httpx.Client, repository: str, reference: str) -> str:
    answer = client.head(
        f"/v2/{repository}/manifests/{reference}", headers={"Accept": f"{oci.OCI_MANIFEST}, {oci.OCI_INDEX}"}
    )
    return str(answer.headers["Docker-Content-Digest"]) if answer.status_code == 200 else ""


def push_index(client: httpx.Client, repository: str, tag: str) -> bytes:
    """Of two platforms, with a signature on it."""
    entries = []
    for architecture in ("amd64", "arm64"):
        child = oci.image(50_000, architecture=architecture)
        assert oci.push(client, repository, oci.digest_of(child.manifest), child).status_code == 201
        entry = oci.descriptor(child.manifest, oci.OCI_MANIFEST)
        entries.append(entry | {"platform": {"architecture": architecture, "os": "linux"}})
    index = oci.json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    assert oci.put_manifest(client, repository, tag, index, INDEX).status_code == 201
    signature = oci.image(300, subject=oci.descriptor(index, INDEX))
    assert oci.push(client, repository, oci.digest_of(signature.manifest), signature).status_code == 201
    return index
