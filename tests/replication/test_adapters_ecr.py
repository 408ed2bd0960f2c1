"""Amazon's registry: its address, its tokens, its API."""

import hmac
import json
import time
from contextlib import closing
from hashlib import sha256
from typing import Any

import pytest

from harbor_core.lib.http import Answer
from replication.adapters import (
    adapter_class,
    aws_ecr,
)
from replication.adapters.aws_ecr import AmazonEcr, Place
from replication.adapters.base import Endpoint, UnhealthyError
from replication.client import Client
from tests.replication.sites import ACCOUNT, REGION, Patch
from tests.support.double import LOGIN, Asked, Double, Reply


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
