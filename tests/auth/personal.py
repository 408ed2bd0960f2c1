"""Personal access tokens, made and used."""

import base64
from typing import Any

from auth import credentials, personal_tokens, token_service
from auth.actor import Actor
from auth.models import PersonalToken, User
from auth.token_service import parse_scopes
from projects.models import Project

TOKENS = "users/current/tokens"
EVERYTHING = ("pull", "push", "delete", "api:read", "api:write")


def make_token(user: User, *scopes: str, projects: tuple[Project, ...] = (), **values: Any) -> str:
    """Returns the secret."""
    secret = personal_tokens.generate()
    PersonalToken.objects.create(
        user=user,
        name=values.pop("name", secret[-12:]),
        secret_digest=personal_tokens.digest(secret),
        hint=secret[-personal_tokens.HINT_LENGTH :],
        scopes=list(scopes),
        projects=[project.pk for project in projects],
        **values,
    )
    return secret


def signed_in(user: User, secret: str) -> Actor | None:
    header = "Basic " + base64.b64encode(f"{user.username}:{secret}".encode()).decode()
    return credentials.authenticate_header(header, "192.0.2.1")


def actions(actor: Actor | None, repository: str = "team/app") -> set[str]:
    """What a registry token for this repository would allow."""
    assert actor is not None
    return set(token_service.allowed_actions(actor, parse_scopes([f"repository:{repository}:*"])[0]))
