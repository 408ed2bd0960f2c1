"""One contract for every kind of registry, against servers on loopback that speak the documented protocols."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from replication.adapters import (
    ADAPTERS,
    ali_acr,
    huawei_swr,
    tencent_tcr,
)
from replication.adapters.ali_acr import Alibaba
from replication.adapters.base import Endpoint, UnhealthyError
from replication.client import RemoteError
from tests.replication.sites import HELD, KINDS, MEDIA_TYPE, NEW, Patch, Site, made_site
from tests.support.double import LOGIN, Double, Reply, digest_of


@pytest.fixture(params=KINDS)
def site(request: Any, double: Double, amazon: str, monkeypatch: Patch) -> Iterator[Site]:
    found = made_site(request.param, double, amazon, monkeypatch)
    yield found
    for cloud in found.clouds:
        cloud.__exit__()


# ---------------------------------------------------------------------- the contract
def test_every_kind_is_held_to_it() -> None:
    assert [*KINDS, "helm-hub"] == list(ADAPTERS)  # which is no registry: test_charts.py


def test_it_says_what_it_is(site: Site) -> None:
    found, info = site.adapter, site.adapter.info()
    assert (found.kind, info.type, info.description) == (site.kind, site.kind, found.title)
    assert {"name", "tag", "resource"} <= {item.type for item in info.filters}
    assert info.triggers == ("manual", "scheduled")
    assert all(address.startswith("https://") for address in found.endpoints.values())


def test_it_is_healthy(site: Site) -> None:
    site.adapter.check()
    assert not [asked for asked in site.double.asked if asked.method not in ("GET", "HEAD")], "a check changes nothing"


def test_wrong_credentials_are_noticed(site: Site) -> None:
    secret = "not-the-secret"
    if site.kind == "aws-ecr":  # moto takes any key: so the registry does not take the token
        site.double.login = ("AWS", "another-token")
    elif site.kind == "quay":
        site.endpoint = replace(
            site.endpoint, access_secret=json.dumps({"account_name": "x", "docker_cli_password": secret})
        )
    else:
        site.endpoint = replace(site.endpoint, access_secret=secret)
    with pytest.raises(UnhealthyError, match="does not accept the credentials") as raised:
        site.adapter.check()
    assert secret not in str(raised.value) and secret not in repr(site.adapter.endpoint)


def test_what_is_no_registry_is_noticed(site: Site) -> None:
    site.double.routes.insert(0, lambda asked: Reply(200, b"<html>", {"Content-Type": "text/html"}))
    with pytest.raises(UnhealthyError):
        site.adapter.check()


def test_all_pages_of_the_list_are_read(site: Site) -> None:
    with site.client() as client:
        if site.listed:
            assert sorted(client.repositories()) == site.listed
            return
        with pytest.raises(RemoteError, match="give the exact name") as raised:
            list(client.repositories())
        assert raised.value.status == 404, "a task does not try again"


def test_all_pages_of_tags_are_read(site: Site) -> None:
    with site.client() as client:
        assert list(client.tags(HELD[0])) == ["1.0", "1.1", "latest"]
        assert list(client.tags("team/none")) == []


def test_a_registry_that_is_asked_too_often_is_left_alone(site: Site) -> None:
    site.double.limited = 2
    with site.client() as client:
        assert client.digest(HELD[0], "1.0").startswith("sha256:")
    assert site.pauses == [7.0, 14.0]  # what it asked for, then twice that


def test_what_is_pushed_comes_back(site: Site) -> None:
    """Into a repository that is not there: it is made once, where a push does not make it."""
    blob, manifest = b"layer", b'{"schemaVersion":2}'
    with site.client() as client:
        assert client.digest(NEW, "1.0") == ""
        location = client.open_upload(NEW)
        location = client.append(NEW, location, 0, iter([blob]), len(blob))
        client.commit(NEW, location, digest_of(blob))
        client.put_manifest(NEW, "1.0", manifest, MEDIA_TYPE)
        assert client.has_blob(NEW, digest_of(blob))
        assert client.manifest(NEW, "1.0") == (manifest, MEDIA_TYPE)
        assert client.digest(NEW, "1.0") == digest_of(manifest)
    wanted = {
        "jfrog-artifactory": ["fresh"],
        "dtr": [NEW],
        "aws-ecr": [NEW],
        "tencent-tcr": ["fresh"],
        "huawei-SWR": ["fresh"],
        "ali-acr": ["fresh"],
    }
    assert site.made == wanted.get(site.kind, [])
    with site.client() as client:
        client.put_manifest(NEW, "1.1", manifest, MEDIA_TYPE)
    assert site.made == wanted.get(site.kind, []), "it is there"


# ---------------------------------------------------------------------- single kinds
@pytest.mark.parametrize(
    ("kind", "login"),
    [
        ("huawei-SWR", ("cn-north-4@EXAMPLEACCESSKEY0001", "login-key")),
        ("tencent-tcr", ("100012345678", "long-term")),
        ("ali-acr", ("somebody@1234567890", "fixed")),
    ],
)
def test_with_the_login_of_docker_they_are_plain_registries(double: Double, kind: str, login: tuple[str, str]) -> None:
    double.login = login
    with Site(kind, double, Endpoint(double.url, *login)).client() as client:
        assert list(client.repositories()) == HELD
        assert client.digest(HELD[0], "1.0")
        client.open_upload(NEW)


def test_signatures_are_those_of_the_vendors_own_kits() -> None:
    """What tencentcloud-sdk-python-common 3.1.195 and huaweicloudsdkcore 3.1.219 make of the same."""
    content = b'{"RegistryId": "tcr-xxx", "Limit": 100}'
    keys = ("AKIDEXAMPLE", "ExampleSecretKey4711")
    sent = tencent_tcr.signed(keys, "tcr.tencentcloudapi.com", content, 1765000000)
    assert sent["Authorization"] == (
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2025-12-06/tcr/tc3_request, SignedHeaders=content-type;host, "
        "Signature=d7cedfaa51d76061fa70e9945bf1521955efa6042ff3e77b6c8e561598f9080e"
    )
    keys, now = ("EXAMPLEACCESSKEY0001", "ExampleSecretKey4711"), datetime(2025, 12, 6, 5, 46, 40, tzinfo=UTC)
    base = "https://swr-api.cn-north-4.myhuaweicloud.com/v2/manage"
    listed = huawei_swr.signed(keys, "GET", f"{base}/repos", b"", now, {"limit": "100", "offset": "200"})
    made = huawei_swr.signed(keys, "POST", f"{base}/namespaces", b'{"namespace": "fresh"}', now, {})
    assert [each["Authorization"].rpartition("=")[2] for each in (listed, made)] == [
        "3afaa21a229862dff7a8c7a7d06f78b54aafebf305f49da20bdfffdf821197da",
        "738a2ab55ac333d4f5d90667b958602e426acb841b33e809c1f26eaff3dedde9",
    ]


def test_where_the_api_of_huawei_is() -> None:
    known = huawei_swr.Huawei(Endpoint("https://swr.cn-east-3.myhuaweicloud.com", "EXAMPLEACCESSKEY0001", "secret"))
    assert known.api == "https://swr-api.cn-east-3.myhuaweicloud.com"
    for url, key in (
        (known.endpoint.url, "cn-east-3@QTW"),
        ("https://swr.example.com", "QTW"),
        (known.endpoint.url, ""),
    ):
        assert huawei_swr.Huawei(Endpoint(url, key, "secret")).api == ""


def test_an_instance_of_tencent_that_the_account_has_not(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = made_site("tencent-tcr", double, amazon, monkeypatch)
    site.endpoint = replace(site.endpoint, url=double.url.replace("127.0.0.1", "localhost"))
    with site.client() as client, pytest.raises(RemoteError, match="no instance with the address localhost"):
        list(client.repositories())
    site.clouds[0].__exit__()


def test_where_the_api_of_alibaba_is() -> None:
    """Of the Enterprise Edition; the signature is that of the example in the documentation."""
    known = Alibaba(Endpoint("https://ours-registry.cn-hangzhou.cr.aliyuncs.com", "LTAIsomebody", "secret"))
    assert known.place == ("https://cr.cn-hangzhou.aliyuncs.com", "ours")
    for url, key in ((known.endpoint.url, "user@1"), ("https://registry.cn-hangzhou.aliyuncs.com", "LTAIsomebody")):
        assert Alibaba(Endpoint(url, key, "secret")).place == ("", "")
    query = ali_acr.encoded(
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}
    )
    told = {
        "x-acs-action": "RunInstances",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    sent = ali_acr.signed(("YourAccessKeyId", "YourAccessKeySecret"), "ecs.cn-shanghai.aliyuncs.com", query, told)
    signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert sent["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("kind", ["tencent-tcr", "huawei-SWR", "ali-acr"])
def test_a_login_for_a_while_is_got_once(double: Double, amazon: str, monkeypatch: Patch, kind: str) -> None:
    site = made_site(kind, double, amazon, monkeypatch)
    with site.client() as client:
        for name in HELD:
            assert client.digest(name, "1.0")
    [cloud] = site.clouds
    asked = [
        each
        for each in cloud.asked
        if b"temp" in each.body
        or each.path.endswith("/utils/secret")
        or each.headers.get("x-acs-action") == "GetAuthorizationToken"
    ]
    assert len(asked) == 1 and double.paths("GET") == ["/token"] * len(HELD)
    cloud.__exit__()


def test_quay_without_a_token_for_its_api_shows_its_catalog(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = made_site("quay", double, amazon, monkeypatch)
    site.double.has_catalog = True
    site.endpoint = Endpoint(double.url, *LOGIN)
    with site.client() as client:
        assert list(client.repositories()) == HELD
    assert not [path for path in double.paths("GET") if path.startswith("/api/")]


def test_docker_hub_lists_nothing_for_nobody(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = made_site("docker-hub", double, amazon, monkeypatch)
    site.endpoint = Endpoint(double.url)
    with site.client() as client, pytest.raises(RemoteError, match="exact name") as raised:
        list(client.repositories())
    assert (raised.value.status, double.asked) == (404, [])


def test_a_mirror_of_docker_hub_has_a_catalog(double: Double) -> None:
    with Site("docker-hub", double, Endpoint(double.url, *LOGIN)).client() as client:
        assert list(client.repositories()) == HELD


def test_gitlab_that_fails_is_no_gitlab_without_repositories(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = made_site("gitlab", double, amazon, monkeypatch)
    double.routes.insert(0, lambda asked: Reply(503) if "/registry/" in asked.path else None)
    with site.client() as client, pytest.raises(RemoteError, match="answers 503") as raised:
        list(client.repositories())
    assert raised.value.status == 503
    double.realm = "/token"
    with site.client() as client, pytest.raises(RemoteError, match="as the registry of a GitLab does"):
        list(client.repositories())


def test_a_list_does_not_lead_elsewhere(double: Double, amazon: str, monkeypatch: Patch) -> None:
    """The token would go along."""
    site = made_site("gitlab", double, amazon, monkeypatch)
    away = {"Link": '<http://localhost:1/projects>; rel="next"'}
    double.routes.insert(0, lambda asked: Reply(200, [], away) if asked.path.endswith("/projects") else None)
    with site.client() as client, pytest.raises(RemoteError, match="another host"):
        list(client.repositories())


@pytest.mark.parametrize("name", ["app", "a/b/c"])
def test_a_trusted_registry_has_names_of_two_parts(double: Double, amazon: str, monkeypatch: Patch, name: str) -> None:
    site = made_site("dtr", double, amazon, monkeypatch)
    with site.client() as client, pytest.raises(RemoteError, match="two parts"):
        client.open_upload(name)
    assert double.asked == []


@pytest.mark.parametrize("kind", ["jfrog-artifactory", "dtr"])
def test_who_may_not_make_a_repository_is_told(double: Double, amazon: str, monkeypatch: Patch, kind: str) -> None:
    site = made_site(kind, double, amazon, monkeypatch)
    refusal = Reply(403, {"errors": []})
    double.routes.insert(0, lambda asked: refusal if asked.method in ("PUT", "POST") else None)
    with site.client() as client, pytest.raises(RemoteError, match="answers 403 to a new repository") as raised:
        client.open_upload(NEW)
    assert raised.value.status == 403
