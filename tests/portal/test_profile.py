"""Pages of one's own account."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from auth.models import PersonalToken
from harbor_core.services import config
from tests.portal.asking import IN_DIALOG, text
from tests.portal.conftest import World

# ---------------------------------------------------------------------------------------------------- own account


def test_profile(world: World, developer: Client) -> None:
    assert "dev@example.com" in text(developer, "/account/profile")
    saved = developer.post("/account/profile", {"realname": "Dev Eloper", "email": "d@example.com", "comment": "c"})
    assert saved.status_code == 302
    world.developer.refresh_from_db()
    assert (world.developer.realname, world.developer.email) == ("Dev Eloper", "d@example.com")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"realname": "", "email": ""}, "Enter your full name."),
        ({"realname": "a~b", "email": ""}, "not allowed"),
        ({"realname": "a", "email": "nonsense"}, "no e-mail address"),
        ({"realname": "a", "email": "guest@example.com"}, "Another account"),
    ],
)
def test_profile_refused_in_place(world: World, developer: Client, fields: dict[str, str], text: str) -> None:
    answer = developer.post("/account/profile", fields)
    assert answer.status_code == 400 and text in answer.content.decode()
    world.developer.refresh_from_db()
    assert world.developer.email == "dev@example.com"


@pytest.mark.parametrize("path", ["/account/profile", "/account/tokens", "/account/tokens/new"])
def test_own_pages_ask_anonymous_to_sign_in(world: World, anonymous: Client, path: str) -> None:
    assert anonymous.get(path)["Location"] == f"/account/sign-in?next={path}"


def test_about(world: World, anonymous: Client, admin: Client) -> None:
    assert "localhost:8080" in text(anonymous, "/account/about")
    assert "<html" not in text(admin, "/account/about", **IN_DIALOG)


def _create_token(client: Client, **more: object) -> object:
    fields = {"name": "laptop", "scopes": ["pull", "push"], "expires": "30"} | more
    return client.post("/account/tokens/new", fields)


def test_a_token_is_shown_once_and_works(world: World, developer: Client) -> None:
    answer = _create_token(developer, projects="secret")
    page = answer.content.decode()
    assert answer.status_code == 201 and answer["Cache-Control"].count("no-store")
    secret = re.search(r"hbr_[0-9A-Za-z]{46}", page)
    assert secret and "docker login" in page and "--password-stdin" in page
    token = PersonalToken.objects.get(user=world.developer)
    assert token.projects == [world.secret.pk] and token.scopes == ["pull", "push"]
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
    listed = text(developer, "/account/tokens")
    assert "laptop" in listed and secret[0] not in listed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, "Enter a name."),
        ({"scopes": []}, "Choose at least one."),
        ({"scopes": ["admin"]}, "Select a valid choice"),
        ({"projects": "empty nothing-there"}, "There is no project nothing-there."),
        ({"projects": "library,secret"}, ""),
        ({"expires": "day"}, "Choose a day."),
        ({"expires": "day", "day": "2020-01-01"}, "This day is past."),
        ({"expires": "day", "day": "31.3.2026"}, "Enter a date"),
    ],
)
def test_a_token_refused_in_place(world: World, developer: Client, fields: dict[str, object], text: str) -> None:
    answer = _create_token(developer, **fields)
    if not text:
        assert answer.status_code == 201
        return
    assert answer.status_code == 400 and text in answer.content.decode()
    assert not PersonalToken.objects.exists()


def test_a_projects_name_one_may_not_see_is_unknown(world: World, outsider: Client) -> None:
    assert "There is no project secret." in _create_token(outsider, projects="secret").content.decode()


def test_a_second_token_of_a_name(world: World, developer: Client) -> None:
    assert _create_token(developer).status_code == 201
    again = _create_token(developer)
    assert again.status_code == 400 and "of this name already" in again.content.decode()


def test_administrators_limit_how_long_tokens_live(world: World, developer: Client) -> None:
    config.config_set(personal_token_max_days=10)
    config.forget()
    page = text(developer, "/account/tokens/new")
    assert 'value="7"' in page and 'value="30"' not in page and 'value="never"' not in page
    late = (timezone.now() + timedelta(days=20)).date().isoformat()
    refused = _create_token(developer, expires="day", day=late)
    assert refused.status_code == 400 and "10 days at most" in refused.content.decode()
    last = (timezone.now() + timedelta(days=9)).date().isoformat()
    assert _create_token(developer, expires="day", day=last).status_code == 201


def test_revoking_asks_first(world: World, developer: Client, guest: Client) -> None:
    _create_token(developer)
    path = f"/account/tokens/{PersonalToken.objects.get().pk}/revoke"
    assert guest.get(path).status_code == 404 and guest.post(path).status_code == 404
    assert "can no longer sign in" in text(developer, path)
    assert PersonalToken.objects.count() == 1
    assert developer.post(path)["Location"] == "/account/tokens"
    assert not PersonalToken.objects.exists()
