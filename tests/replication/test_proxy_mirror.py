"""A proxy project as a transparent mirror: under a host name of its own, and by containerd's ``?ns=``."""

import re
import uuid
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.replication.test_proxy_cache import ANY, api, artifacts, far, proxy, there, upstream
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

__all__ = ["api", "far", "there", "upstream"]  # fixtures
KEY = "proxy_mirror_names"


@pytest.fixture(params=["stack", pytest.param("stack_s3", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest) -> Stack:
    """With the volume the gateway sends blobs by itself, without it core decides about each."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def names() -> tuple[str, str]:
    """A host name, and what containerd would call the other registry."""
    word = uuid.uuid4().hex[:8]
    return f"{word}.mirror.test", f"{word}.example:5000"


@pytest.fixture
def mirror(site: Stack, api: httpx.Client, upstream: Upstream, names: tuple[str, str]) -> str:
    """A public project of Docker Hub's kind under both names."""
    project = proxy(api, upstream, "docker-hub", public="true", **{KEY: ", ".join(names)})
    until_known(site, project, *names)
    return project


def until_known(site: Stack, project: str, *names: str) -> None:
    """Until every process leads these names to the public project, also those where requests wait for upstream."""
    asked = {"service": "harbor-registry", "scope": "repository:none/none:pull", "mirror": project}

    def are_known() -> bool:
        with site.client() as nobody:
            token = nobody.get("/service/token", params=asked).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            answers = [
                nobody.get("/v2/none/none/manifests/1", headers=headers | {"Host": name}).status_code
                for name in names
                for _ in range(12)
            ]
        return set(answers) == {404}

    wait_until(are_known, 30, "every process to know the names")


def challenge(api: httpx.Client, headers: dict[str, str], path: str = "/v2/") -> str:
    with httpx.Client(base_url=api.base_url, trust_env=False) as nobody:
        answer = nobody.get(path, headers=headers)
    assert answer.status_code == 401, answer.text
    return answer.headers["WWW-Authenticate"]


class Puller:
    """A client that finds its way by what it is told: challenge, token, redirects."""

    def __init__(self, site: Stack, headers: dict[str, str], query: str = "") -> None:
        self.client, self.headers, self.query = site.client(), ANY | headers, query
        self.realms: list[str] = []

    def __call__(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        url = f"{path}{('&' if '?' in path else '?') + self.query if self.query and 'ns=' not in path else ''}"
        answer = self.client.request(method, url, headers=self.headers | headers)
        if answer.status_code == 401:
            said = dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["WWW-Authenticate"]))
            self.realms.append(said["realm"])
            realm = urlsplit(said["realm"])
            asked = {name: values[0] for name, values in parse_qs(realm.query).items()}
            asked |= {"service": said["service"], "scope": said["scope"]}
            token = self.client.get(f"{realm.scheme}://{realm.netloc}{realm.path}", params=asked).json()["token"]
            self.headers = self.headers | {"Authorization": f"Bearer {token}"}
            answer = self.client.request(method, url, headers=self.headers | headers)
        if answer.status_code == 301:
            return self(answer.headers["Location"], method)
        if answer.status_code == 307:
            return httpx.get(answer.headers["Location"], trust_env=False)
        return answer


def pullers(site: Stack, names: tuple[str, str]) -> list[Puller]:
    host, namespace = names
    return [
        Puller(site, {"Host": host}),
        Puller(site, {"Host": f"{host}:{site.port}"}),
        Puller(site, {}, f"ns={namespace.replace(':', '%3A')}"),
    ]


def test_the_project_is_left_out(
    site: Stack, api: httpx.Client, there: httpx.Client, mirror: str, names: tuple[str, str]
) -> None:
    image, name = oci.image(), f"library/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, name, "1.0", image).status_code == 201
    assert oci.push(there, name, "2.0", oci.image()).status_code == 201
    blob = f"/v2/{name}/blobs/{oci.digest_of(image.layer)}"
    for pull in pullers(site, names):
        for _ in range(2):  # from upstream, then what is here
            assert pull(f"/v2/{name}/manifests/1.0").content == image.manifest
            assert pull(blob).content == image.layer
            assert pull(f"/v2/{name}/blobs/{oci.digest_of(image.config)}").content == image.config
        assert pull.realms and all(realm.endswith(f"/service/token?mirror={mirror}") for realm in pull.realms)
        assert pull(blob, "HEAD").headers["Docker-Content-Digest"] == oci.digest_of(image.layer)
        listed = pull(f"/v2/{name}/tags/list?n=1")
        assert listed.json() == {"name": name, "tags": ["1.0"]}
        following = listed.links["next"]["url"]
        assert following.startswith(f"/v2/{name}/tags/list?") and ("ns=" in following) == bool(pull.query)
        assert pull(following).json()["tags"] == ["2.0"]
        assert pull(f"/v2/{name}/manifests/none").status_code == 404
        assert pull(f"/v2/{name.removeprefix('library/')}/manifests/1.0").content == image.manifest
    kept = artifacts(api, f"{mirror}/{name}")
    assert image.digest in [row["digest"] for row in kept]


def test_nobody_pushes_and_nobody_sees_more(
    site: Stack, api: httpx.Client, there: httpx.Client, mirror: str, names: tuple[str, str]
) -> None:
    """A name leads to one project, and rights there are what they were."""
    name = f"{uuid.uuid4().hex[:8]}/app"
    assert oci.push(there, name, "1.0", oci.image()).status_code == 201
    host = {"Host": names[0]}
    refused = api.post(f"/v2/{name}/blobs/uploads/", headers=host)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    own, image = f"library/{uuid.uuid4().hex[:8]}", oci.image()
    assert oci.push(api, own, "1.0", image).status_code == 201
    path = f"/v2/{own}/manifests/1.0"
    assert api.get(path, headers=ANY | {"Host": f"other-{names[0]}"}).content == image.manifest  # bound to nothing
    assert api.get(f"{path}?ns=unknown.example", headers=ANY).content == image.manifest
    assert api.get(path, headers=ANY | host).status_code == 404
    blob = f"/v2/{own}/blobs/{oci.digest_of(image.layer)}"
    token = {"Authorization": f"Bearer {site.token(f'repository:{own}:pull')}"}
    with site.client() as client:
        for _ in range(2):
            assert client.get(blob, headers=token, follow_redirects=True).content == image.layer
            assert (
                client.get(blob, headers=token | host).status_code == 401
            )  # a decision of one host is none of another
    assert api.put(f"/api/v2.0/projects/{mirror}", json={"metadata": {"public": "false"}}).status_code == 200
    with site.client() as client:
        asked = {"service": "harbor-registry", "scope": f"repository:{name}:pull", "mirror": mirror}

        def denied() -> bool:
            told = client.get("/service/token", params=asked).json()["token"]
            return all(
                client.get(f"/v2/{name}/manifests/1.0", headers=host | {"Authorization": f"Bearer {told}"}).status_code
                == 401
                for _ in range(12)
            )

        wait_until(denied, 40, "the project to be private")


def test_names_are_bound_once_and_let_go(
    site: Stack, api: httpx.Client, upstream: Upstream, mirror: str, names: tuple[str, str]
) -> None:
    taken = api.put(f"/api/v2.0/projects/{proxy(api, upstream)}", json={"metadata": {KEY: names[0]}})
    assert (taken.status_code, taken.json()["errors"][0]["code"]) == (409, "CONFLICT")
    own = api.put(f"/api/v2.0/projects/{mirror}", json={"metadata": {KEY: f"localhost:{site.port}"}})
    assert own.status_code == 400 and "registry itself" in own.text
    assert api.delete(f"/api/v2.0/projects/{mirror}/metadatas/{KEY}").status_code == 200
    host = {"Host": names[0]}
    wait_until(lambda: not any("mirror=" in challenge(api, host) for _ in range(12)), 30, "the names to be let go")
    other = proxy(api, upstream, **{KEY: names[0]})
    wait_until(lambda: all(other in challenge(api, host) for _ in range(12)), 30, "the name to lead elsewhere")
