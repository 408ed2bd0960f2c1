"""What every kind of registry has beside /v2/, spoken by servers on loopback as the vendors document it."""

import base64
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from replication.adapters import (
    adapter,
    ali_acr,
    docker_hub,
    harbor,
    huawei_swr,
    jfrog_artifactory,
    tencent_tcr,
)
from replication.adapters.ali_acr import Alibaba
from replication.adapters.aws_ecr import AmazonEcr, Place
from replication.adapters.base import Endpoint
from replication.adapters.docker_registry import DockerRegistry
from replication.adapters.huawei_swr import Huawei
from replication.client import Client
from tests.support.double import LOGIN, PAGE, Asked, Double, Reply

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


def made_site(kind: str, double: Double, amazon: str, patch: Patch) -> Site:
    found = Site(kind, double, Endpoint(double.url, *LOGIN))
    KINDS[kind](found, patch, amazon)
    return found
