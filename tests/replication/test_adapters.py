"""One contract for every kind of registry, against servers on loopback that speak the documented protocols."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from harbor_core.lib.http import Answer
from replication.adapters import (
    ADAPTERS,
    adapter,
    adapter_class,
    ali_acr,
    aws_ecr,
    docker_hub,
    harbor,
    huawei_swr,
    jfrog_artifactory,
    tencent_tcr,
)
from replication.adapters.ali_acr import Alibaba
from replication.adapters.aws_ecr import AmazonEcr, Place
from replication.adapters.base import Endpoint, UnhealthyError
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.huawei_swr import Huawei
from replication.client import Client, RemoteError
from tests.support.double import LOGIN, PAGE, Asked, Double, Reply, digest_of

HELD = ["docker-local/a", "docker-local/b", "docker-local/c", "team/d", "team/e"]
NEW = "fresh/app"
REGION, ACCOUNT = "eu-central-1", "123456789012"
OAUTH = "oauth-4711"
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
Patch = pytest.MonkeyPatch


@dataclass
class Site:
    """A registry of one kind. ``made``: what its API was asked to make. ``listed``: what an account is shown there."""

    kind: str
    double: Double
    endpoint: Endpoint
    listed: list[str] = field(default_factory=lambda: list(HELD))
    made: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    clouds: list[Double] = field(default_factory=list)  # APIs at other hosts than the registry's

    @property
    def adapter(self) -> DockerRegistry:
        found = adapter(self.kind, self.endpoint)
        assert isinstance(found, DockerRegistry)
        return found

    def client(self) -> closing[Client]:
        return closing(Client(self.adapter, self.pauses.append))


# ---------------------------------------------------------------------- what the kinds have beside /v2/
def _hub(site: Site, patch: Patch, amazon: str) -> None:
    """The account's own repositories are shown, nothing else."""
    site.listed = [f"{LOGIN[0]}/{name}" for name in ("a", "b", "c")]

    def api(asked: Asked) -> Reply | None:
        if asked.path == "/v2/auth/token":
            sent = json.loads(asked.body)
            return Reply(200, {"access_token": OAUTH}) if tuple(sent.values()) == LOGIN else Reply(401)
        if asked.path != f"/v2/namespaces/{LOGIN[0]}/repositories":
            return None
        if asked.headers.get("authorization") != f"Bearer {OAUTH}":
            return Reply(401)
        start = int(asked.query.get("page", "0"))
        page = [{"name": name} for name in ("a", "b", "c")[start : start + PAGE]]
        more = f"{site.double.url}{asked.path}?page={start + PAGE}" if start + PAGE < 3 else None
        return Reply(200, {"results": page, "next": more})

    patch.setattr(docker_hub, "HOSTS", ("127.0.0.1",))
    patch.setattr(docker_hub, "HUB", site.double.url)
    patch.setattr(docker_hub, "REGISTRY", site.double.url)
    site.double.has_catalog = False
    site.double.routes.append(api)


def _quay(site: Site, patch: Patch, amazon: str) -> None:
    name, password = LOGIN
    document = {"account_name": name, "docker_cli_password": password, "oauth2_token": OAUTH}
    site.endpoint = replace(site.endpoint, access_key="json_file", access_secret=json.dumps(document))

    def api(asked: Asked) -> Reply | None:
        if not asked.path.startswith("/api/v1/"):
            return None
        if asked.headers.get("authorization") != f"Bearer {OAUTH}":
            return Reply(401)
        if asked.path == "/api/v1/user/":
            return Reply(200, {"username": "docker-local", "organizations": [{"name": "team"}]})
        assert asked.path == "/api/v1/repository"
        space, start = asked.query["namespace"], int(asked.query.get("next_page", "0"))
        names = [held.partition("/")[2] for held in HELD if held.startswith(f"{space}/")]
        page = [{"namespace": space, "name": held} for held in names[start : start + PAGE]]
        more = {"next_page": str(start + PAGE)} if len(names) > start + PAGE else {}
        return Reply(200, {"repositories": page} | more)

    site.double.has_catalog = False
    site.double.routes.append(api)


def _github(site: Site, patch: Patch, amazon: str) -> None:
    site.double.has_catalog = False
    site.listed = []


def _gitlab(site: Site, patch: Patch, amazon: str) -> None:
    projects = {3: HELD[:2], 4: [], 5: HELD[2:]}  # number 4 has no registry

    def api(asked: Asked) -> Reply | None:
        if not asked.path.startswith("/api/v4/"):
            return None
        if asked.headers.get("private-token") != LOGIN[1]:
            return Reply(401)
        if asked.path == "/api/v4/projects":
            assert asked.query["membership"] == "true"
            page = site.double.page(asked, [str(number) for number in projects])
            return replace(page, content=[{"id": int(number)} for number in page.content])
        number = int(asked.path.split("/")[4])
        assert asked.path.endswith("/registry/repositories")
        page = site.double.page(asked, projects[number])
        return replace(page, content=[{"path": name} for name in page.content]) if projects[number] else Reply(403)

    site.double.realm, site.double.has_catalog = "/jwt/auth", False
    site.double.routes.append(api)


def _artifactory(site: Site, patch: Patch, amazon: str) -> None:
    keys = ["docker-local", "team"]

    def api(asked: Asked) -> Reply | None:
        if not asked.path.startswith("/artifactory/api/"):
            return None
        if asked.basic != LOGIN:
            return Reply(401)
        path = asked.path.removeprefix("/artifactory/api/")
        if path == "system/ping":
            return Reply(200, b"OK")
        if path == "repositories":
            assert asked.query == {"packageType": "docker"}
            return Reply(200, [{"key": key, "type": "LOCAL"} for key in keys])
        key = path.split("/")[1]
        if asked.method == "PUT":
            assert json.loads(asked.body) == {"key": key, "rclass": "local", "packageType": "docker"}
            keys.append(key)
            site.made.append(key)
            return Reply(200, b"created")
        names = [name.partition("/")[2] for name in HELD if name.startswith(f"{key}/")]
        page = site.double.page(asked, names, "repositories", int(asked.query["n"]))
        return replace(page, headers={"Link": '</v2/_catalog>; rel="next"'})  # as behind a proxy that rewrites nothing

    patch.setattr(jfrog_artifactory, "PAGE", PAGE)
    site.double.has_catalog = False
    site.double.is_made = lambda name: name.partition("/")[0] in keys
    site.double.routes.append(api)


def _dtr(site: Site, patch: Patch, amazon: str) -> None:
    spaces, names = ["docker-local", "team"], list(HELD)

    def api(asked: Asked) -> Reply | None:
        if not asked.path.startswith(("/api/v0/", "/enzi/v0/")):
            return None
        if asked.basic != LOGIN:
            return Reply(401)
        parts = asked.path.split("/")[4:]
        if asked.method == "POST":
            made = json.loads(asked.body)
            if asked.path == "/enzi/v0/accounts":
                assert made == {"name": "fresh", "isOrg": True}
                spaces.append(made["name"])
            else:
                assert parts[0] in spaces and made["visibility"] == "private"
                names.append(f"{parts[0]}/{made['name']}")
                site.made.append(names[-1])
            return Reply(201, made)
        if asked.path.startswith("/enzi/"):
            return Reply(200 if parts[0] in spaces else 404)
        if parts:
            return Reply(200 if "/".join(parts) in names else 404)
        start = int(asked.query.get("pageStart") or "0")
        page = [dict(zip(("namespace", "name"), name.split("/"), strict=True)) for name in names[start : start + PAGE]]
        more = {"X-Next-Page-Start": str(start + PAGE)} if len(names) > start + PAGE else {}
        return Reply(200, {"repositories": page}, more)

    site.double.has_catalog = False
    site.double.is_made = lambda name: name in names
    site.double.routes.append(api)


def _ecr(site: Site, patch: Patch, amazon: str) -> None:
    """Its API is moto's; the registry behind it takes the token moto gives out."""
    api = boto3.client("ecr", REGION, endpoint_url=amazon, aws_access_key_id=LOGIN[0], aws_secret_access_key=LOGIN[1])
    names = {row["repositoryName"] for row in api.describe_repositories()["repositories"]}
    for name in names - set(HELD):
        api.delete_repository(repositoryName=name)
    for name in set(HELD) - names:
        api.create_repository(repositoryName=name)

    def is_made(name: str) -> bool:
        site.made[:] = {row["repositoryName"] for row in api.describe_repositories()["repositories"]} - set(HELD)
        return name in HELD or name in site.made

    patch.setattr(AmazonEcr, "place", Place(amazon, REGION))
    patch.setattr(AmazonEcr, "registry_url", site.double.url)
    site.double.dance, site.double.has_catalog = False, False
    site.double.login = ("AWS", f"{ACCOUNT}-auth-token")
    site.double.is_made = is_made


def _google(site: Site, patch: Patch, amazon: str) -> None:
    """The key of a service account is enough: its name is always the same."""
    site.double.login = ("_json_key", '{"type": "service_account"}')
    site.endpoint = replace(site.endpoint, access_key="", access_secret=site.double.login[1])


def _harbor(site: Site, patch: Patch, amazon: str) -> None:
    def api(asked: Asked) -> Reply | None:
        path = asked.path.removeprefix("/api/v2.0/")
        if path == "ping":
            return Reply(200, b"Pong")
        if path == "systeminfo":
            return Reply(200, {"harbor_version": "v2"} if asked.basic == LOGIN else {})
        if path == "repositories":
            start = (int(asked.query["page"]) - 1) * PAGE
            return Reply(200, [{"name": name} for name in HELD[start : start + PAGE]])
        return Reply(200, [{"name": "prod"}]) if path == "labels" else None

    patch.setattr(harbor, "PAGE", PAGE)
    site.double.routes.append(api)


def _tencent(site: Site, patch: Patch, amazon: str) -> None:
    """With an access key; refusals come with status 200."""
    keys, held = ("AKIDsomebody", LOGIN[1]), {name.partition("/")[0] for name in HELD}
    cloud = Double()
    site.clouds.append(cloud)

    def answer(asked: Asked) -> dict[str, Any]:
        action, wanted, names = asked.headers["x-tc-action"], json.loads(asked.body), sorted(HELD)
        sent = tencent_tcr.signed(keys, asked.headers["host"], asked.body, int(asked.headers["x-tc-timestamp"]))
        if asked.headers["authorization"] != sent["Authorization"]:
            return {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "no"}}
        if action == "DescribeInstances":
            assert wanted["AllRegion"] and asked.headers["x-tc-region"] == "ap-guangzhou"
            every = [f"instance-{number}.tencentcloudcr.com" for number in range(3)] + ["127.0.0.1"]
            part = every[wanted["Offset"] : wanted["Offset"] + wanted["Limit"]]
            rows = [{"RegistryId": f"tcr-{name}", "PublicDomain": name, "RegionName": "ap-beijing"} for name in part]
            return {"Registries": rows}
        assert (wanted["RegistryId"], asked.headers["x-tc-region"]) == ("tcr-127.0.0.1", "ap-beijing")
        if action == "CreateInstanceToken":
            name, password = site.double.login
            return {"Username": name, "Token": password, "ExpTime": int(time.time() + 3600) * 1000}
        if action == "DescribeRepositories":
            start = (wanted["Offset"] - 1) * wanted["Limit"]
            part = names[start : start + wanted["Limit"]]
            return {"RepositoryList": [{"Name": name, "Namespace": name.partition("/")[0]} for name in part]}
        if action == "DescribeNamespaces":
            return {"NamespaceList": [{"Name": name} for name in held if wanted["NamespaceName"] in name]}
        assert action == "CreateNamespace" and wanted["IsPublic"] is False
        held.add(wanted["NamespaceName"])
        site.made.append(wanted["NamespaceName"])
        return {}

    cloud.routes.append(lambda asked: Reply(200, {"Response": answer(asked) | {"RequestId": "1"}}))
    patch.setattr(tencent_tcr, "API", cloud.url)
    patch.setattr(tencent_tcr, "PAGE", PAGE)
    site.endpoint = Endpoint(site.double.url, *keys)
    site.double.login, site.double.has_catalog = ("100012345678", "for-an-hour"), False
    site.double.is_made = lambda name: name.partition("/")[0] in held


def _alibaba(site: Site, patch: Patch, amazon: str) -> None:
    """With an access key."""
    keys, held = ("LTAIsomebody", LOGIN[1]), {name.partition("/")[0] for name in HELD}
    cloud = Double()
    site.clouds.append(cloud)

    def api(asked: Asked) -> Reply:
        told = {name: value for name, value in asked.headers.items() if name.startswith("x-acs-")}
        query = ali_acr.encoded(asked.query)
        sent = ali_acr.signed(keys, asked.headers["host"], query, told)
        if asked.headers["authorization"] != sent["authorization"]:
            return Reply(400, {"Code": "SignatureDoesNotMatch"})
        action, wanted = asked.headers["x-acs-action"], asked.query
        if action == "ListInstance":
            names = {"cri-1": "others", "cri-2": "ours"}
            return Reply(200, {"Instances": [{"InstanceId": key, "InstanceName": name} for key, name in names.items()]})
        assert wanted["InstanceId"] == "cri-2"
        if action == "GetAuthorizationToken":
            name, password = site.double.login
            until = int(time.time() + 3600) * 1000
            return Reply(200, {"TempUsername": name, "AuthorizationToken": password, "ExpireTime": until})
        if action == "ListRepository":
            start = (int(wanted["PageNo"]) - 1) * int(wanted["PageSize"])
            pairs = [name.partition("/") for name in sorted(HELD)[start : start + int(wanted["PageSize"])]]
            return Reply(200, {"Repositories": [{"RepoNamespaceName": a, "RepoName": b} for a, _, b in pairs]})
        if action == "ListNamespace":
            return Reply(200, {"Namespaces": [{"NamespaceName": name} for name in held]})
        assert (action, wanted["AutoCreateRepo"], wanted["DefaultRepoType"]) == ("CreateNamespace", "true", "PRIVATE")
        site.made.append(wanted["NamespaceName"])
        held.add(site.made[-1])
        return Reply(200, {"IsSuccess": True})

    cloud.routes.append(api)
    patch.setattr(Alibaba, "place", (cloud.url, "ours"))
    patch.setattr(ali_acr, "PAGE", PAGE)
    site.endpoint = Endpoint(site.double.url, *keys)
    site.double.login, site.double.has_catalog = ("cr_temp_user", "for-a-while"), False
    site.double.is_made = lambda name: name.partition("/")[0] in held


def _huawei(site: Site, patch: Patch, amazon: str) -> None:
    """With an access key."""
    keys, held = ("EXAMPLEACCESSKEY0001", LOGIN[1]), {name.partition("/")[0] for name in HELD}
    cloud = Double()
    site.clouds.append(cloud)

    def api(asked: Asked) -> Reply:
        moment = datetime.strptime(asked.headers["x-sdk-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        where = f"http://{asked.headers['host']}{asked.path}"
        sent = huawei_swr.signed(keys, asked.method, where, asked.body, moment, asked.query)
        if asked.headers["authorization"] != sent["Authorization"]:
            return Reply(401, {"error_code": "APIGW.0301"})
        path = asked.path.removeprefix("/v2/manage/")
        if (asked.method, path) == ("POST", "utils/secret"):
            login = base64.b64encode(":".join(site.double.login).encode()).decode()
            return Reply(200, {"auths": {"swr.cn-north-4.myhuaweicloud.com": {"auth": login}}})
        if (asked.method, path) == ("GET", "repos"):
            start = int(asked.query["offset"])
            part = sorted(HELD)[start : start + int(asked.query["limit"])]
            pairs = [name.partition("/") for name in part]
            return Reply(200, [{"namespace": namespace, "name": name} for namespace, _, name in pairs])
        if asked.method == "GET":
            name = path.removeprefix("namespaces/")
            return Reply(200, {"id": 7, "name": name}) if name in held else Reply(404, {})
        assert (asked.method, path) == ("POST", "namespaces")
        site.made.append(json.loads(asked.body)["namespace"])
        held.add(site.made[-1])
        return Reply(201, {})

    cloud.routes.append(api)
    patch.setattr(Huawei, "api", cloud.url)
    patch.setattr(huawei_swr, "PAGE", PAGE)
    site.endpoint = Endpoint(site.double.url, *keys)
    site.double.login, site.double.has_catalog = (f"cn-north-4@{keys[0]}", "for-a-while"), False
    site.double.is_made = lambda name: name.partition("/")[0] in held


def _plain(site: Site, patch: Patch, amazon: str) -> None:
    """Nothing but what the distribution spec and Docker's token protocol say."""


KINDS: dict[str, Callable[[Site, Patch, str], None]] = {
    "harbor": _harbor,
    "docker-hub": _hub,
    "docker-registry": _plain,
    "quay": _quay,
    "github-ghcr": _github,
    "gitlab": _gitlab,
    "jfrog-artifactory": _artifactory,
    "google-gcr": _google,
    "azure-acr": _plain,
    "dtr": _dtr,
    "aws-ecr": _ecr,
    "ali-acr": _alibaba,
    "huawei-SWR": _huawei,
    "tencent-tcr": _tencent,
    "volcengine-cr": _plain,
}


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """Address of moto's server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        running.hold(*HELD, tags=("1.0", "1.1", "latest"))
        yield running


@pytest.fixture(params=KINDS)
def site(request: Any, double: Double, amazon: str, monkeypatch: Patch) -> Iterator[Site]:
    found = _site(request.param, double, amazon, monkeypatch)
    yield found
    for cloud in found.clouds:
        cloud.__exit__()


def _site(kind: str, double: Double, amazon: str, patch: Patch) -> Site:
    found = Site(kind, double, Endpoint(double.url, *LOGIN))
    KINDS[kind](found, patch, amazon)
    return found


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
    site = _site("tencent-tcr", double, amazon, monkeypatch)
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
    site = _site(kind, double, amazon, monkeypatch)
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
    site = _site("quay", double, amazon, monkeypatch)
    site.double.has_catalog = True
    site.endpoint = Endpoint(double.url, *LOGIN)
    with site.client() as client:
        assert list(client.repositories()) == HELD
    assert not [path for path in double.paths("GET") if path.startswith("/api/")]


def test_docker_hub_lists_nothing_for_nobody(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = _site("docker-hub", double, amazon, monkeypatch)
    site.endpoint = Endpoint(double.url)
    with site.client() as client, pytest.raises(RemoteError, match="exact name") as raised:
        list(client.repositories())
    assert (raised.value.status, double.asked) == (404, [])


def test_a_mirror_of_docker_hub_has_a_catalog(double: Double) -> None:
    with Site("docker-hub", double, Endpoint(double.url, *LOGIN)).client() as client:
        assert list(client.repositories()) == HELD


def test_gitlab_that_fails_is_no_gitlab_without_repositories(double: Double, amazon: str, monkeypatch: Patch) -> None:
    site = _site("gitlab", double, amazon, monkeypatch)
    double.routes.insert(0, lambda asked: Reply(503) if "/registry/" in asked.path else None)
    with site.client() as client, pytest.raises(RemoteError, match="answers 503") as raised:
        list(client.repositories())
    assert raised.value.status == 503
    double.realm = "/token"
    with site.client() as client, pytest.raises(RemoteError, match="as the registry of a GitLab does"):
        list(client.repositories())


def test_a_list_does_not_lead_elsewhere(double: Double, amazon: str, monkeypatch: Patch) -> None:
    """The token would go along."""
    site = _site("gitlab", double, amazon, monkeypatch)
    away = {"Link": '<http://localhost:1/projects>; rel="next"'}
    double.routes.insert(0, lambda asked: Reply(200, [], away) if asked.path.endswith("/projects") else None)
    with site.client() as client, pytest.raises(RemoteError, match="another host"):
        list(client.repositories())


@pytest.mark.parametrize("name", ["app", "a/b/c"])
def test_a_trusted_registry_has_names_of_two_parts(double: Double, amazon: str, monkeypatch: Patch, name: str) -> None:
    site = _site("dtr", double, amazon, monkeypatch)
    with site.client() as client, pytest.raises(RemoteError, match="two parts"):
        client.open_upload(name)
    assert double.asked == []


@pytest.mark.parametrize("kind", ["jfrog-artifactory", "dtr"])
def test_who_may_not_make_a_repository_is_told(double: Double, amazon: str, monkeypatch: Patch, kind: str) -> None:
    site = _site(kind, double, amazon, monkeypatch)
    refusal = Reply(403, {"errors": []})
    double.routes.insert(0, lambda asked: refusal if asked.method in ("PUT", "POST") else None)
    with site.client() as client, pytest.raises(RemoteError, match="answers 403 to a new repository") as raised:
        client.open_upload(NEW)
    assert raised.value.status == 403


# ---------------------------------------------------------------------- Amazon
@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://api.ecr.us-east-1.amazonaws.com", Place("https://api.ecr.us-east-1.amazonaws.com", "us-east-1")),
        (
            f"https://{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn",
            Place("https://api.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", ACCOUNT),
        ),
        ("http://api.ecr.us-east-1.amazonaws.com", None),
        ("https://api.ecr.us-east-1.amazonaws.com.example", None),
        ("https://registry.example/api.ecr.us-east-1.amazonaws.com", None),
    ],
)
def test_the_address_says_the_region(address: str, place: Place | None) -> None:
    found = AmazonEcr(Endpoint(address, *LOGIN))
    if place is not None:
        assert found.place == place
        return
    with pytest.raises(UnhealthyError, match="no address of Amazon ECR"):
        found.check()


def test_every_address_that_is_offered_is_one() -> None:
    for region, address in adapter_class("aws-ecr").endpoints.items():
        assert AmazonEcr(Endpoint(address)).place.region == region


def test_where_the_registry_is_comes_with_the_token(amazon: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(AmazonEcr, "place", Place(amazon, REGION))
    with closing(Client(AmazonEcr(Endpoint(amazon, *LOGIN)))) as client:
        assert client.base == f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


class Api:
    """Of Amazon, on a double: ``answers`` by action; what was asked is kept."""

    def __init__(self, double: Double, monkeypatch: Patch) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Reply] = {}
        double.routes.append(self.answer)
        double.dance = False
        monkeypatch.setattr(AmazonEcr, "place", Place(double.url, REGION, ACCOUNT))
        self.adapter = AmazonEcr(Endpoint(double.url, *LOGIN))
        self.grant(3600)

    def grant(self, seconds: float) -> None:
        until = time.time() + seconds
        token = {"authorizationToken": "dG9rZW4=", "proxyEndpoint": "https://x.example", "expiresAt": until}
        self.answers["GetAuthorizationToken"] = Reply(200, {"authorizationData": [token]})

    def answer(self, asked: Asked) -> Reply | None:
        if asked.path != "/":
            return None
        action = asked.headers["x-amz-target"].partition(".")[2]
        self.asked.append((action, json.loads(asked.body)))
        return self.answers[action]

    def refuse(self, action: str, code: str) -> None:
        self.answers[action] = Reply(400, {"__type": f"com.amazonaws.ecr#{code}", "message": "no"})


@pytest.fixture
def api(double: Double, monkeypatch: Patch) -> Api:
    return Api(double, monkeypatch)


def test_a_token_is_kept_until_shortly_before_its_end(api: Api) -> None:
    assert [api.adapter.standing_authorization() for _ in range(3)] == ["Basic dG9rZW4="] * 3
    assert len(api.asked) == 1
    api.grant(aws_ecr.EARLY - 1)
    api.adapter.authorization(Answer(401, {}, b""))  # the registry does not take it any more
    assert len(api.asked) == 2
    api.adapter.standing_authorization()
    assert len(api.asked) == 3, "the one just given would end too soon"


def test_calls_are_signed_for_the_region(api: Api, double: Double) -> None:
    """What arrives is what was signed: the signature is made again here, by the rules of Signature Version 4."""
    api.adapter.standing_authorization()
    headers = double.asked[0].headers
    day = headers["x-amz-date"][:8]
    scope, names = f"{day}/{REGION}/ecr/aws4_request", "content-type;host;x-amz-date;x-amz-target"
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    request = "\n".join(["POST", "/", "", *lines, "", names, sha256(double.asked[0].body).hexdigest()])
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"AWS4{LOGIN[1]}".encode()
    for part in (day, REGION, "ecr", "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = f"Credential={LOGIN[0]}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    assert headers["authorization"] == f"AWS4-HMAC-SHA256 {signed}"


def test_a_repository_of_another_account_is_asked_for_there(api: Api) -> None:
    api.answers["DescribeRepositories"] = Reply(200, {"repositories": [{"repositoryName": "team/app"}]})
    assert list(api.adapter.repositories()) == ["team/app"]
    api.adapter.make_repository("team/app")
    assert [(action, body["registryId"]) for action, body in api.asked] == [("DescribeRepositories", ACCOUNT)] * 2


def test_its_list_has_pages(api: Api) -> None:
    page = {"repositories": [{"repositoryName": "a"}], "nextToken": "more"}
    api.answers["DescribeRepositories"] = Reply(200, page)
    listed = api.adapter.repositories()
    assert next(listed) == "a"
    api.answers["DescribeRepositories"] = Reply(200, {"repositories": [{"repositoryName": "b"}]})
    assert list(listed) == ["b"]
    assert [body.get("nextToken") for _, body in api.asked] == [None, "more"]


def test_who_makes_it_at_the_same_time_does_no_harm(api: Api) -> None:
    api.refuse("DescribeRepositories", "RepositoryNotFoundException")
    api.refuse("CreateRepository", "RepositoryAlreadyExistsException")
    api.adapter.make_repository("team/app")
    assert [action for action, _ in api.asked] == ["DescribeRepositories", "CreateRepository"]
    api.refuse("CreateRepository", "LimitExceededException")
    with pytest.raises(UnhealthyError, match="LimitExceededException to CreateRepository"):
        api.adapter.make_repository("team/app")


@pytest.mark.parametrize(("code", "status"), [("UnrecognizedClientException", 400), ("ThrottlingException", 429)])
def test_a_refusal_says_whether_to_come_back(api: Api, code: str, status: int) -> None:
    api.refuse("GetAuthorizationToken", code)
    with pytest.raises(UnhealthyError, match=f"Amazon answers {code} to GetAuthorizationToken") as raised:
        api.adapter.check()
    assert raised.value.status == status


@pytest.mark.parametrize("content", [b"<html>", [], {"authorizationData": [{}]}, {"authorizationData": "x"}])
def test_an_answer_without_a_token_is_noticed(api: Api, content: Any) -> None:
    api.answers["GetAuthorizationToken"] = Reply(200, content)
    with pytest.raises(UnhealthyError, match=r"does not answer with (JSON|a token)"):
        api.adapter.check()
