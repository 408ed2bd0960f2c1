"""Signing in and out, one's own password, and preferences."""

import re

import pytest
from django.test import Client

from auth.models import User
from auth.selectors import default_password
from tests.portal import content
from tests.portal.conftest import World, signed_in


def _sign_in(client: Client, name: str, password: str, **more: str) -> object:
    return client.post("/account/sign-in", {"username": name, "password": password} | more)


def test_sign_in_starts_a_session_and_goes_on(world: World, anonymous: Client) -> None:
    answer = _sign_in(anonymous, "dev", content.PASSWORD, next="/harbor/projects?sort=-name")
    assert answer.status_code == 302 and answer["Location"] == "/harbor/projects?sort=-name"
    assert answer.cookies["sid"]["httponly"] and answer.cookies["sid"]["samesite"] == "Lax"
    assert "dev" in anonymous.get("/harbor/projects").content.decode()
    assert anonymous.get("/account/sign-in")["Location"] == "/harbor/projects"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "///e", "x"]
)
def test_sign_in_never_leads_elsewhere(world: World, anonymous: Client, target: str) -> None:
    answer = _sign_in(anonymous, "dev", content.PASSWORD, next=target)
    assert answer["Location"] == "/harbor/projects"


def test_wrong_credentials_are_said_in_place(world: World, anonymous: Client) -> None:
    answer = _sign_in(anonymous, "dev", "wrong", next="/harbor/projects")
    text = answer.content.decode()
    assert answer.status_code == 401 and "User name or password is wrong." in text
    assert 'value="dev"' in text and 'name="next" value="/harbor/projects"' in text and "wrong&" not in text
    assert "sid" not in answer.cookies
    unknown = _sign_in(anonymous, "nobody", "wrong")
    assert unknown.status_code == 401 and "User name or password is wrong." in unknown.content.decode()


def test_missing_fields_are_said_at_the_field(db: None, anonymous: Client) -> None:
    answer = _sign_in(anonymous, "", "")
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "Enter your user name." in text and "Enter your password." in text
    assert 'aria-invalid="true"' in text and 'aria-describedby="id_username_error"' in text


def test_too_many_tries_have_to_wait(world: World, anonymous: Client) -> None:
    for _ in range(5):
        _sign_in(anonymous, "dev", "wrong")
    answer = _sign_in(anonymous, "dev", content.PASSWORD)
    assert answer.status_code == 429 and int(answer["Retry-After"]) >= 1
    assert "Too many failed attempts" in answer.content.decode()


def test_sign_out_ends_the_session(world: World) -> None:
    client = signed_in(world.developer)
    assert "secret" in client.get("/harbor/projects").content.decode()
    assert client.post("/account/sign-out")["Location"] == "/account/sign-in"
    assert "secret" not in client.get("/harbor/projects").content.decode()


def test_a_deleted_account_is_signed_out(world: World) -> None:
    client = signed_in(world.developer)
    User.objects.filter(pk=world.developer.pk).update(deleted=True)
    assert "secret" not in client.get("/harbor/projects").content.decode()


def test_forms_need_their_token(world: World) -> None:
    client = Client(HTTP_HOST="localhost:8080", enforce_csrf_checks=True)
    for path in ("/account/sign-in", "/account/sign-out", "/account/preferences", "/account/password"):
        answer = client.post(path, {"username": "dev", "password": content.PASSWORD})
        assert answer.status_code == 403 and "This form is no longer valid" in answer.content.decode(), path
    page = client.get("/account/sign-in").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    answer = _sign_in(client, "dev", content.PASSWORD, csrfmiddlewaretoken=token[1])
    assert answer.status_code == 302


def test_password_change_keeps_this_session_and_ends_others(world: World) -> None:
    client, elsewhere = signed_in(world.developer), signed_in(world.developer)
    fields = {"old": content.PASSWORD, "new": "Another-pass-2", "again": "Another-pass-2"}
    answer = client.post("/account/password", fields, follow=True)
    assert answer.status_code == 200 and "Your password was changed." in answer.content.decode()
    assert "secret" in client.get("/harbor/projects").content.decode()
    assert "secret" not in elsewhere.get("/harbor/projects").content.decode()
    assert _sign_in(Client(HTTP_HOST="localhost:8080"), "dev", "Another-pass-2").status_code == 302


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"old": "wrong", "new": "Another-pass-2", "again": "Another-pass-2"}, 403, "not your current password"),
        ({"old": content.PASSWORD, "new": "Another-pass-2", "again": "Another-pass-3"}, 400, "passwords differ"),
        ({"old": content.PASSWORD, "new": "weak", "again": "weak"}, 400, "too weak"),
        ({"old": content.PASSWORD, "new": content.PASSWORD, "again": content.PASSWORD}, 400, "is the old one"),
        ({}, 400, "Enter a new password."),
    ],
)
def test_password_change_refused(world: World, fields: dict[str, str], status: int, text: str) -> None:
    answer = signed_in(world.developer).post("/account/password", fields)
    assert answer.status_code == status and text in answer.content.decode()
    world.developer.refresh_from_db()
    assert world.developer.check_password(content.PASSWORD)


def test_password_page_asks_anonymous_to_sign_in(db: None, anonymous: Client) -> None:
    assert anonymous.get("/account/password")["Location"] == "/account/sign-in?next=/account/password"


def test_preferences_are_remembered_and_rendered(world: World, anonymous: Client) -> None:
    path = f"/harbor/projects/{world.library.pk}/repositories/app"
    for choice in ({"theme": "dark"}, {"language": "zh-hans"}, {"runtime": "podman"}):
        assert anonymous.post("/account/preferences", choice | {"next": path})["Location"] == path
    page = anonymous.get(path).content.decode()
    assert '<html lang="zh-hans" data-theme="dark">' in page
    assert "podman pull --tls-verify=false localhost:8080/library/app:1.0" in page
    anonymous.post("/account/preferences", {"theme": "<script>", "language": "xx", "runtime": "rm -rf"})
    assert '<html lang="zh-hans" data-theme="dark">' in anonymous.get(path).content.decode()


def test_unknown_cookies_count_as_none(db: None, anonymous: Client) -> None:
    anonymous.cookies.load({"harbor_theme": '"><script>', "harbor_runtime": "x", "harbor_lang": "xx"})
    page = anonymous.get("/account/sign-in").content.decode()
    assert '<html lang="en" data-theme="auto">' in page


def test_default_password_is_told_to_administrators_only(world: World, settings) -> None:
    settings.ADMIN_PASSWORD_IS_DEFAULT = True
    admin = User.objects.filter(pk=1).first() or User(pk=1, username="admin", sysadmin_flag=True)
    admin.set_password(settings.ADMIN_PASSWORD)
    admin.sysadmin_flag = True
    admin.save()
    text = "documented default password"
    assert text in signed_in(admin).get("/harbor/projects").content.decode()
    others = [user for user in (world.developer, world.outsider) if user.pk != 1]
    assert all(text not in signed_in(user).get("/harbor/projects").content.decode() for user in others)
    admin.set_password("Changed-pass-1")
    admin.save()
    assert text not in signed_in(admin).get("/harbor/projects").content.decode()
    assert not default_password.admin_has_default_password()


def test_banner_is_text(world: World, anonymous: Client) -> None:
    from harbor_core.services import config

    for stored, shown in (
        ('{"message":"<b>Work</b> tonight","type":"warning"}', "&lt;b&gt;Work&lt;/b&gt; tonight"),
        ("plain words", "plain words"),
    ):
        config.config_set(banner_message=stored)
        config.forget()
        for path in ("/harbor/projects", "/account/sign-in"):
            assert shown in anonymous.get(path).content.decode()
    config.forget()


def test_cookies_are_secure_on_https(db: None, anonymous: Client, settings) -> None:
    settings.EXTERNAL_URL = "https://registry.example"
    answer = anonymous.post("/account/preferences", {"theme": "dark"})
    assert answer.cookies["harbor_theme"]["secure"]


def test_read_only_mode_lets_people_in_and_changes_nothing(world: World, anonymous: Client) -> None:
    from harbor_core.services import config

    config.config_set(read_only=True)
    config.forget()
    assert _sign_in(anonymous, "dev", content.PASSWORD).status_code == 302
    change = {"old": content.PASSWORD, "new": "Another-horse-8", "again": "Another-horse-8"}
    refused = anonymous.post("/account/password", change)
    assert refused.status_code == 403 and "read-only" in refused.content.decode()
    world.developer.refresh_from_db()
    assert world.developer.check_password(content.PASSWORD)
    assert anonymous.post("/account/preferences", {"theme": "dark"}).status_code == 302
    assert anonymous.post("/account/sign-out").status_code == 302
    config.forget()
