"""Robots that trust another issuer, and how its tokens are handed in."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from auth import credentials, federation
from auth.federation import UntrustedError
from auth.models import Robot, RobotTrust
from tests.support.issuer import AUDIENCE, Issuer

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
SUBJECT = "repo:octo/app"


def trust(robot: Robot, server: Issuer, /, **values: Any) -> RobotTrust:
    fields = {
        "name": "ci",
        "issuer": server.url,
        "audience": AUDIENCE,
        "claims": {"sub": SUBJECT},
        "ca_certificate": server.certificate,
    }
    return RobotTrust.objects.create(robot=robot, **(fields | values))


def exchange(token: str, scope: str | None = "repository:team/app:pull,push,delete", **form: Any) -> Any:
    fields = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": JWT_TYPE,
        "service": "harbor-registry",
        "scope": scope,
    }
    return post({name: value for name, value in (fields | form).items() if value is not None})


def post(data: dict[str, Any]) -> Any:
    return Client().generic("POST", "/service/token", urlencode(data, doseq=True), "application/x-www-form-urlencoded")


def refused(token: str, robot: Robot) -> str:
    """Why the robot does not accept the token."""
    with pytest.raises(UntrustedError) as caught:
        federation.actor_of(robot, token)
    assert signed_in("robot$team+ci", token) is None
    return str(caught.value)


def signed_in(login: str, token: str) -> Any:
    header = "Basic " + base64.b64encode(f"{login}:{token}".encode()).decode()
    return credentials.authenticate_header(header, "192.0.2.1")
