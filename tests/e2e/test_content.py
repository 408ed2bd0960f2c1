"""Content through the front door: copies that are pulled, tags that do not move, a chart by Helm's media types."""

import gzip
import io
import json
import tarfile
from typing import Any

import httpx

from tests.e2e import people
from tests.support import oci
from tests.support.stack import Stack

CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def rule(tags: str) -> dict[str, Any]:
    return {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tags}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }


def registry(stack: Stack, repository: str, who: people.Account, actions: str = "pull,push,delete") -> httpx.Client:
    token = stack.token(f"repository:{repository}:{actions}", auth=who)
    client = stack.client()
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_copy_is_pulled(stack: Stack) -> None:
    """Layers of a copy are the repository's own: readable with a token for it alone, also when the source is gone."""
    source, target = people.project(stack), people.project(stack)
    who = people.account(stack)
    for name in (source, target):
        people.member(stack, name, who, people.Role.PROJECT_ADMIN)
    image = oci.image(100_000)
    with registry(stack, f"{source}/app", who) as client:
        assert oci.push(client, f"{source}/app", "1.0", image).status_code == 201
    with stack.client(auth=who) as api:
        path = f"/api/v2.0/projects/{target}/repositories/a%252Fb/artifacts"
        made = api.post(path, params={"from": f"{source}/app:1.0"})
        assert (made.status_code, made.headers["Location"]) == (201, f"{path}/{image.digest}")
        assert api.delete(f"/api/v2.0/projects/{source}/repositories/app").status_code == 200
    with registry(stack, f"{target}/a/b", who, "pull") as client:
        pulled = client.get(f"/v2/{target}/a/b/manifests/1.0")
        assert (pulled.content, pulled.headers["Docker-Content-Digest"]) == (image.manifest, image.digest)
        for content in (image.config, image.layer):
            digest = oci.digest_of(content)
            assert client.head(f"/v2/{target}/a/b/blobs/{digest}").status_code == 200
            assert client.get(f"/v2/{target}/a/b/blobs/{digest}").content == content
        assert client.get(f"/v2/{source}/app/blobs/{oci.digest_of(image.layer)}").status_code == 401


def test_an_immutable_tag_by_the_registry(stack: Stack) -> None:
    project, who = people.project(stack), people.account(stack)
    people.member(stack, project, who, people.Role.PROJECT_ADMIN)
    name, first, second = f"{project}/app", oci.image(), oci.image()
    with stack.client(auth=who) as api, registry(stack, name, who) as client:
        assert oci.push(client, name, "v1", first).status_code == 201
        made = api.post(f"/api/v2.0/projects/{project}/immutabletagrules", json=rule("v*"))
        assert made.status_code == 201
        refused = [
            oci.push(client, name, "v1", second),
            client.delete(f"/v2/{name}/manifests/v1"),
            client.delete(f"/v2/{name}/manifests/{first.digest}"),
        ]
        for answer in refused:
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (412, "PRECONDITION"), answer.text
        assert client.get(f"/v2/{name}/manifests/v1").headers["Docker-Content-Digest"] == first.digest
        assert oci.put_manifest(client, name, "v1", first.manifest).status_code == 201  # the same again moves nothing
        assert oci.push(client, name, "v2", second).status_code == 201
        assert oci.push(client, name, "latest", second).status_code == 201
        assert client.delete(f"/v2/{name}/manifests/latest").status_code == 202
        assert api.delete(made.headers["Location"]).status_code == 200
        assert oci.put_manifest(client, name, "v1", second.manifest).status_code == 201


def test_a_chart(stack: Stack) -> None:
    project, who = people.project(stack), people.account(stack)
    people.member(stack, project, who, people.Role.DEVELOPER)
    name, buffer = f"{project}/web", io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in (("web/Chart.yaml", b"name: web\nversion: 1.0.0\n"), ("web/README.md", b"# Web\n")):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    config, layer = b'{"name":"web","version":"1.0.0"}', gzip.compress(buffer.getvalue())
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": oci.descriptor(config, CHART_CONFIG),
            "layers": [oci.descriptor(layer, CHART_LAYER)],
        }
    ).encode()
    with registry(stack, name, who) as client:
        for content in (config, layer):
            assert oci.push_blob(client, name, content).status_code == 201
        assert oci.put_manifest(client, name, "1.0.0", manifest).status_code == 201
    with stack.client(auth=who) as api:
        chart = api.get(f"/api/v2.0/projects/{project}/repositories/web/artifacts/1.0.0").json()
        assert (chart["type"], chart["extra_attrs"]) == ("CHART", {"name": "web", "version": "1.0.0"})
        assert api.get(chart["addition_links"]["readme.md"]["href"]).text == "# Web\n"
    with stack.client() as anybody:
        assert anybody.get(f"/api/v2.0/icons/{chart['icon']}").json()["content-type"] == "image/png"
