"""A proxy project in front of a docker-registry: what is fetched, once, and what is kept."""

import http.client
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.replication.ends import INDEX, push_index
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

ANY = {"Accept": f"{INDEX}, {oci.OCI_MANIFEST}"}


@pytest.fixture(
    scope="module",
    params=[
        ("postgres", "filesystem"),
        pytest.param(("sqlite", "filesystem"), marks=pytest.mark.slow),
        pytest.param(("postgres", "s3"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def site(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """What matters most is tried on SQLite with S3 as well: test_proxy_storage."""
    database, storage = request.param
    with Stack() as stack:
        yield stack.start(database=database, storage=storage)


@pytest.fixture(scope="module")
def far() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(far: Upstream) -> Iterator[Upstream]:
    far.behave()
    yield far
    far.behave()


@pytest.fixture
def api(site: Stack) -> Iterator[httpx.Client]:
    """Follows redirects: object storage sends blobs itself."""
    with site.api() as client:
        client.follow_redirects = True
        yield client


@pytest.fixture
def there(upstream: Upstream) -> Iterator[httpx.Client]:
    with upstream.client() as client:
        yield client


def proxy(api: httpx.Client, upstream: Upstream, kind: str = "docker-registry", **metadata: str) -> str:
    """A proxy project; its name."""
    made = api.post("/api/v2.0/registries", json={"name": uuid.uuid4().hex[:12], "type": kind, "url": upstream.url})
    assert made.status_code == 201, made.text
    name = f"c{uuid.uuid4().hex[:10]}"
    body = {"project_name": name, "registry_id": int(made.headers["Location"].rpartition("/")[2])}
    assert api.post("/api/v2.0/projects", json=body | {"metadata": metadata}).status_code == 201
    return name


def get(api: httpx.Client, repository: str, reference: str, status: int = 200) -> httpx.Response:
    answer = api.get(f"/v2/{repository}/manifests/{reference}", headers=ANY)
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer


def pull(api: httpx.Client, repository: str, reference: str, image: oci.Image) -> None:
    """As a client does: the manifest, then what it names, each by digest."""
    assert get(api, repository, reference).content == image.manifest
    for content in (image.config, image.layer):
        answer = api.get(f"/v2/{repository}/blobs/{oci.digest_of(content)}")
        assert (answer.status_code, answer.content == content) == (200, True), answer.text[:300]


def artifacts(api: httpx.Client, repository: str) -> list[dict[str, Any]]:
    project, _, name = repository.partition("/")
    path = name.replace("/", "%252F")
    answer = api.get(f"/api/v2.0/projects/{project}/repositories/{path}/artifacts?with_tag=true")
    return list(answer.json()) if answer.status_code == 200 else []


def test_an_image_is_fetched_once_and_becomes_an_artifact(
    api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, far = oci.image(300_000), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    first = get(api, cache, "1.0")
    assert (first.content, first.headers["X-Harbor-Cache"]) == (image.manifest, "miss")
    assert first.headers["Docker-Content-Digest"] == image.digest
    assert artifacts(api, cache) == []
    pull(api, cache, "1.0", image)
    found = artifacts(api, cache)
    assert [(row["digest"], [tag["name"] for tag in row["tags"]]) for row in found] == [(image.digest, ["1.0"])]
    pull(api, cache, "1.0", image)
    pull(api, cache, image.digest, image)
    for part in ("/manifests/1.0", oci.digest_of(image.config), oci.digest_of(image.layer)):
        assert upstream.times("GET", part) == 1, upstream.asked
    wait_until(lambda: artifacts(api, cache)[0]["pull_time"] > "2020", 20, "the pull to be counted")
    project, _, name = cache.partition("/")
    row = f"/api/v2.0/projects/{project}/repositories/{name.replace('/', '%252F')}"
    wait_until(lambda: api.get(row).json()["pull_count"] == 4, 20, "all pulls to be counted")


def test_heads_store_nothing_and_the_tag_is_known_all_the_same(
    api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, far = oci.image(), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    head = api.head(f"/v2/{cache}/manifests/1.0", headers=ANY)
    assert head.headers["Docker-Content-Digest"] == image.digest
    assert int(head.headers["Content-Length"]) == len(image.manifest)
    layer = api.head(f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}")
    assert (layer.status_code, int(layer.headers["Content-Length"])) == (200, len(image.layer))
    assert upstream.times("GET", far) == 0
    pull(api, cache, image.digest, image)
    upstream.close()
    assert get(api, cache, "1.0").headers["X-Harbor-Cache"].startswith("stale; since=")
    assert api.head(f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}").status_code == 200


def test_an_index_stays_as_it_is_and_its_children_come_when_asked_for(
    api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    far = f"apps/{uuid.uuid4().hex[:8]}"
    index = push_index(there, far, "1.0")
    cache = f"{proxy(api, upstream)}/{far}"
    assert get(api, cache, "1.0").content == index
    assert [row["digest"] for row in artifacts(api, cache)] == [oci.digest_of(index)]
    children = [entry["digest"] for entry in oci.json.loads(index)["manifests"]]
    assert upstream.times("GET", "/manifests/") == 1
    plain = api.get(f"/v2/{cache}/manifests/1.0", headers={"Accept": oci.OCI_MANIFEST})
    assert plain.headers["Docker-Content-Digest"] == children[0]
    document = oci.json.loads(plain.content)
    for entry in (document["config"], *document["layers"]):
        assert api.get(f"/v2/{cache}/blobs/{entry['digest']}").status_code == 200
    row = artifacts(api, cache)[0]
    assert [entry["child_digest"] for entry in row["references"]] == children
    assert row["size"] > 50_000
    upstream.close()
    assert get(api, cache, children[0]).content == plain.content
    assert "does not answer" not in get(api, cache, children[1], 502).text


def test_a_hundred_cold_pulls_ask_upstream_once(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, far = oci.image(2_000_000), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    upstream.speed = 4_000_000

    headers = ANY | {"Authorization": f"Bearer {site.token(f'repository:{cache}:pull')}"}
    wanted = {f"blobs/{oci.digest_of(content)}": content for content in (image.config, image.layer)}

    def client(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=300)
        for path, content in ({"manifests/1.0": image.manifest} | wanted).items():
            connection.request("GET", f"/v2/{cache}/{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 307:
                body = httpx.get(answer.headers["Location"], trust_env=False).raise_for_status().content
            assert (answer.status in (200, 307), body == content) == (True, True), body[:300]
        connection.close()

    with ThreadPoolExecutor(100) as pool:
        list(pool.map(client, range(100)))
    for part in ("/manifests/1.0", oci.digest_of(image.config), oci.digest_of(image.layer)):
        assert upstream.times("GET", part) == 1, upstream.asked
    assert len(artifacts(api, cache)) == 1


def test_first_bytes_come_before_the_last_are_there(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, far = oci.image(3_000_000), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    get(api, cache, "1.0")
    upstream.speed = 1_000_000
    path = f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}"
    with api.stream("GET", path) as leader, site.api() as other:
        pieces = leader.iter_raw(1024)
        received = next(pieces)
        with other.stream("GET", path, follow_redirects=True) as follower:
            watched = follower.iter_raw(1024)
            early = next(watched)
            if site.s3 is None:  # from object storage nobody can read what has not wholly arrived
                assert artifacts(api, cache) == []
            assert early + b"".join(watched) == image.layer
        assert received + b"".join(pieces) == image.layer
    assert upstream.times("GET", oci.digest_of(image.layer)) == 1


def test_a_client_that_goes_away_does_not_end_the_fetch(
    api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, far = oci.image(3_000_000), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    get(api, cache, "1.0")
    assert api.get(f"/v2/{cache}/blobs/{oci.digest_of(image.config)}").status_code == 200
    upstream.speed = 2_000_000
    with api.stream("GET", f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}") as leader:
        next(leader.iter_raw(1024))
    wait_until(lambda: len(artifacts(api, cache)) == 1, 20, "the layer to be stored")
    assert upstream.times("GET", oci.digest_of(image.layer)) == 1


def test_nothing_can_be_pushed(api: httpx.Client, upstream: Upstream) -> None:
    cache = f"{proxy(api, upstream)}/app"
    image = oci.image()
    assert api.post(f"/v2/{cache}/blobs/uploads/").status_code == 403
    refused = oci.put_manifest(api, cache, "1.0", image.manifest)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")


def test_docker_hub_keeps_single_names_in_its_library(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, name = oci.image(), f"n{uuid.uuid4().hex[:8]}"
    assert oci.push(there, f"library/{name}", "1.0", image).status_code == 201
    cache = proxy(api, upstream, "docker-hub")
    sent = api.get(f"/v2/{cache}/{name}/manifests/1.0", headers=ANY, follow_redirects=False)
    assert (sent.status_code, sent.headers["Location"]) == (301, f"/v2/{cache}/library/{name}/manifests/1.0")
    token = site.token(f"repository:{cache}/{name}:pull")
    with site.client() as client:
        client.headers.update(ANY | {"Authorization": f"Bearer {token}"})
        client.follow_redirects = True
        assert client.get(f"/v2/{cache}/{name}/manifests/1.0").content == image.manifest
        for content in (image.config, image.layer):
            assert client.get(f"/v2/{cache}/{name}/blobs/{oci.digest_of(content)}").content == content
        assert client.get(f"/v2/{cache}/library/other/manifests/1.0").status_code == 401
    assert [row["digest"] for row in artifacts(api, f"{cache}/library/{name}")] == [image.digest]


def test_tags_of_both_are_listed(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    image, far = oci.image(), f"apps/{uuid.uuid4().hex[:8]}"
    for tag in ("a", "b", "c"):
        assert oci.push(there, far, tag, image).status_code == 201
    cache = f"{proxy(api, upstream)}/{far}"
    pull(api, cache, "b", image)
    assert there.delete(f"/v2/{far}/manifests/{image.digest}").status_code == 202
    for tag in ("c", "d"):
        assert oci.push(there, far, tag, oci.image()).status_code == 201
    assert api.get(f"/v2/{cache}/tags/list").json()["tags"] == ["b", "c", "d"]
    page = api.get(f"/v2/{cache}/tags/list?n=2")
    assert (page.json()["tags"], page.links["next"]["url"]) == (["b", "c"], f"/v2/{cache}/tags/list?n=2&last=c")
    assert api.get(f"/v2/{cache}/tags/list?n=2&last=c").json()["tags"] == ["d"]
    assert api.get(f"/v2/{cache}-none/tags/list").status_code == 404


def test_referrers_are_fetched_where_the_project_asks_for_them(api: httpx.Client, site: Stack) -> None:
    """Upstream is this registry itself: a plain docker-registry has no referrers."""
    far = f"s{uuid.uuid4().hex[:10]}"
    assert api.post("/api/v2.0/projects", json={"project_name": far}).status_code == 201
    index = push_index(api, f"{far}/app", "1.0")
    credential = {"type": "basic", "access_key": site.admin[0], "access_secret": site.admin[1]}
    body = {"name": uuid.uuid4().hex[:12], "type": "harbor", "url": site.url, "credential": credential}
    made = api.post("/api/v2.0/registries", json=body)
    name = f"c{uuid.uuid4().hex[:10]}"
    values = {"project_name": name, "registry_id": int(made.headers["Location"].rpartition("/")[2])}
    asked = {"metadata": {"proxy_referrer_api": "true"}}
    assert api.post("/api/v2.0/projects", json=values | asked).status_code == 201
    rows = api.get(f"/v2/{name}/{far}/app/referrers/{oci.digest_of(index)}").json()["manifests"]
    assert rows == api.get(f"/v2/{far}/app/referrers/{oci.digest_of(index)}").json()["manifests"] != []
    assert get(api, f"{name}/{far}/app", rows[0]["digest"]).headers["X-Harbor-Cache"] == "miss"


def test_patterns_say_what_comes_in(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    image = oci.image()
    for name in ("base/app", "base/secret", "other/app"):
        assert oci.push(there, name, "1.0", image).status_code == 201
    cache = proxy(api, upstream, proxy_cache_filter_pattern="base/**", proxy_cache_deny_pattern="**/secret")
    pull(api, f"{cache}/base/app", "1.0", image)
    upstream.forget()
    for name in ("base/secret", "other/app"):
        get(api, f"{cache}/{name}", "1.0", 404)
        assert api.get(f"/v2/{cache}/{name}/blobs/{oci.digest_of(image.layer)}").status_code == 404
    assert not upstream.asked


def test_over_quota_it_is_passed_on_and_not_kept(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    image, far = oci.image(300_000), f"apps/{uuid.uuid4().hex[:8]}"
    assert oci.push(there, far, "1.0", image).status_code == 201
    project = proxy(api, upstream)
    quota = api.get("/api/v2.0/quotas", params={"reference": "project", "page_size": 100}).json()
    mine = next(row["id"] for row in quota if row["ref"]["name"] == project)
    assert api.put(f"/api/v2.0/quotas/{mine}", json={"hard": {"storage": 10_000}}).status_code == 200
    for _ in range(2):
        pull(api, f"{project}/{far}", "1.0", image)
    assert artifacts(api, f"{project}/{far}") == []
    assert upstream.times("GET", oci.digest_of(image.layer)) == 2
