"""A proxy project whose upstream refuses, fails, is slow, lies, forgets, or is gone."""

import time
import uuid

import httpx
import pytest

from tests.replication.test_proxy_cache import ANY, api, artifacts, far, get, proxy, pull, site, there, upstream
from tests.support import oci
from tests.support.services import wait_until
from tests.support.stack import Stack
from tests.support.upstream import Upstream

__all__ = ["api", "far", "site", "there", "upstream"]  # fixtures


def named() -> str:
    return f"apps/{uuid.uuid4().hex[:8]}"


def answered(api: httpx.Client, repository: str) -> str:
    return api.get(f"/v2/{repository}/manifests/2.0", headers=ANY).text


def told(api: httpx.Client, repository: str) -> list[dict[str, str]]:
    """What the audit log says of its tags, the newest first: each change once, however many saw it."""
    query = {"q": f"resource_type=upstream-tag,resource=~{repository}", "sort": "-op_time"}
    answer = api.get("/api/v2.0/auditlog-exts", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def note(answer: httpx.Response) -> str:
    return answer.headers["X-Harbor-Cache"].partition(";")[0]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_is_cached_is_served_when_upstream_refuses(
    api: httpx.Client, there: httpx.Client, upstream: Upstream, status: int
) -> None:
    image, name = oci.image(), named()
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{name}"
    pull(api, cache, "1.0", image)
    upstream.fail(status, "/v2/", **({"WWW_Authenticate": 'Basic realm="x"'} if status == 401 else {}))
    stale = get(api, cache, "1.0")
    assert (note(stale), stale.content) == ("stale", image.manifest)
    assert "reason=" in stale.headers["X-Harbor-Cache"]
    pull(api, cache, "1.0", image)
    assert [(row["operation"], row["resource"]) for row in told(api, cache)] == [("stale", f"{cache}:1.0")]
    upstream.behave()
    if status != 429:  # it is left alone for a while
        assert note(get(api, cache, "1.0")) == "hit"


def test_what_is_not_cached_gets_an_honest_answer(api: httpx.Client, upstream: Upstream) -> None:
    cache = proxy(api, upstream)
    assert get(api, f"{cache}/{named()}", "1.0", 404).json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    for status in (403, 500, 503):
        upstream.fail(status)
        answer = get(api, f"{cache}/{named()}", "1.0", 502)
        assert (answer.json()["errors"][0]["code"], str(status) in answer.text) == ("UPSTREAM_FAILED", True)
    upstream.fail(429, Retry_After="7")
    answer = get(api, f"{cache}/{named()}", "1.0", 429)
    assert (answer.headers["Retry-After"], answer.json()["errors"][0]["code"]) == ("7", "TOOMANYREQUESTS")
    asked = len(upstream.asked)
    get(api, f"{cache}/{named()}", "1.0", 429)
    assert len(upstream.asked) <= asked + 1  # a process that was told to wait does so
    other = proxy(api, upstream) if upstream.behave() is None else ""
    digest = oci.digest_of(b"nothing")
    assert api.get(f"/v2/{other}/app/blobs/{digest}").json()["errors"][0]["code"] == "BLOB_UNKNOWN"
    upstream.close()
    assert api.get(f"/v2/{other}/app/blobs/{digest}").status_code == 502
    assert api.head(f"/v2/{other}/app/blobs/{digest}").status_code == 502
    get(api, f"{other}/app", "1.0", 502)


def test_a_token_service_that_is_asked_too_often_is_no_404(api: httpx.Client, upstream: Upstream) -> None:
    cache = proxy(api, upstream)
    realm = f'Bearer realm="{upstream.url}/token",service="x"'

    def answer(handler) -> bool:
        if handler.path.startswith("/token"):
            handler.reply(429, b"slow down", Retry_After="9")
        else:
            handler.reply(401, b"{}", WWW_Authenticate=realm)
        return True

    upstream.answer = answer
    assert get(api, f"{cache}/app", "1.0", 429).json()["errors"][0]["code"] == "TOOMANYREQUESTS"


def test_garbage_is_not_kept(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    image, name = oci.image(), named()
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{name}"

    def page(handler) -> bool:
        if "/manifests/" in handler.path:
            handler.reply(200, b"<html>Sign in</html>", Content_Type="text/html")
        elif "/blobs/" in handler.path:
            handler.reply(200, b"not what was asked for", Content_Type="application/octet-stream")
        else:
            return False
        return True

    upstream.answer = page
    assert "garbage" in get(api, cache, "1.0", 502).text
    assert "garbage" in get(api, cache, image.digest, 502).text
    with pytest.raises(httpx.HTTPError):
        api.get(f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}")
    upstream.behave()
    pull(api, cache, "1.0", image)
    assert len(artifacts(api, cache)) == 1


def test_a_connection_that_breaks_is_gone_on_with(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    image, name = oci.image(1_000_000), named()
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{name}"
    upstream.cut = 400_000
    pull(api, cache, "1.0", image)
    assert upstream.times("GET", oci.digest_of(image.layer)) == 3, upstream.asked
    assert len(artifacts(api, cache)) == 1


def test_a_tag_that_moves_is_followed_and_kept_when_it_is_gone(
    api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    old, new, name = oci.image(), oci.image(), named()
    assert oci.push(there, name, "1.0", old).status_code == 201
    cache = f"{proxy(api, upstream)}/{name}"
    pull(api, cache, "1.0", old)
    assert oci.push(there, name, "1.0", new).status_code == 201
    assert get(api, cache, "1.0").content == new.manifest
    upstream.close()
    half = get(api, cache, "1.0")  # the new one has no layers here
    assert (note(half), half.content) == ("stale", old.manifest)
    upstream.behave()
    wait_until(lambda: note(get(api, cache, "1.0")) != "stale", 20, "upstream to be asked again")
    pull(api, cache, "1.0", new)
    assert there.delete(f"/v2/{name}/manifests/{new.digest}").status_code == 202
    gone = get(api, cache, "1.0")
    assert (note(gone), gone.content) == ("gone", new.manifest)
    assert [row["operation"] for row in told(api, cache)] == ["gone", "stale"]
    project = cache.partition("/")[0]
    kept = api.post(f"/api/v2.0/projects/{project}/metadatas/", json={"proxy_cache_local_on_not_found": "false"})
    assert kept.status_code in (200, 201), kept.text
    wait_until(lambda: api.get(f"/v2/{cache}/manifests/1.0", headers=ANY).status_code == 404, 20, "the setting")
    assert {row["digest"] for row in artifacts(api, cache)} == {old.digest, new.digest}
    assert oci.push(there, name, "1.0", old).status_code == 201
    back = get(api, cache, "1.0")
    assert (note(back), back.content) == ("moved", old.manifest)


def test_freshness_and_offline(api: httpx.Client, there: httpx.Client, upstream: Upstream) -> None:
    old, new, name = oci.image(), oci.image(), named()
    assert oci.push(there, name, "1.0", old).status_code == 201
    caches = {value: f"{proxy(api, upstream, proxy_cache_freshness=value)}/{name}" for value in ("never", "3600", "2")}
    for cache in caches.values():
        pull(api, cache, "1.0", old)
    assert oci.push(there, name, "1.0", new).status_code == 201
    upstream.forget()
    assert get(api, caches["never"], "1.0").content == old.manifest
    assert get(api, caches["3600"], "1.0").content == old.manifest
    assert not upstream.asked
    wait_until(lambda: get(api, caches["2"], "1.0").content == new.manifest, 20, "what is not fresh any more")
    offline = caches["2"].partition("/")[0]
    body = {"metadata": {"proxy_cache_offline": "true"}}
    assert api.put(f"/api/v2.0/projects/{offline}", json=body).status_code == 200
    wait_until(lambda: all("offline" in answered(api, caches["2"]) for _ in range(12)), 30, "every process to see it")
    upstream.forget()
    assert note(get(api, caches["2"], "1.0")) == "hit"
    assert "offline" in get(api, caches["2"], "2.0", 502).text
    assert api.get(f"/v2/{offline}/apps/x/blobs/{new.digest}").status_code == 502
    assert not upstream.asked


@pytest.mark.slow
def test_what_clients_left_out_is_fetched_later(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, name = oci.image(200_000), named()
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream)}/{name}"
    get(api, cache, "1.0")
    assert artifacts(api, cache) == []
    wait_until(lambda: len(artifacts(api, cache)) == 1, 200, "the clock to complete it")
    upstream.close()
    pull(api, cache, "1.0", image)


def test_limits_of_speed_and_connections(
    site: Stack, api: httpx.Client, there: httpx.Client, upstream: Upstream
) -> None:
    image, name = oci.image(400_000), named()
    assert oci.push(there, name, "1.0", image).status_code == 201
    cache = f"{proxy(api, upstream, proxy_speed_kb='200', max_upstream_conn='1')}/{name}"
    began = time.monotonic()
    with site.api() as other, api.stream("GET", f"/v2/{cache}/blobs/{oci.digest_of(image.layer)}") as slow:
        next(slow.iter_raw(1024))
        assert get(other, cache, "1.0").content == image.manifest  # its turn comes when the layer is there
        assert time.monotonic() - began > 1.2
