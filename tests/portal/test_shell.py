"""The frame and what belongs to everybody: navigation, search, dashboard, own account, tokens, components."""

import re
import secrets
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth.models import PersonalToken, User
from harbor_core.models import AuditLog
from harbor_core.services import config
from portal import commands
from projects.models import Project, Quota, QuotaDelta, Repository, StorageDay, Tag
from tests.portal import content
from tests.portal.asking import HTMX, IN_DIALOG, text
from tests.portal.conftest import World, signed_in

# ---------------------------------------------------------------------------------------------------- navigation


def test_navigation_leads_only_to_pages_that_answer(
    world: World, admin: Client, developer: Client, anonymous: Client
) -> None:
    for client in (admin, developer, anonymous):
        nav = re.search(r'<nav id="nav".*?</nav>', text(client, "/harbor/projects"), re.S)
        assert nav
        paths = re.findall(r'href="(/[^"]+)"', nav[0])
        assert "/harbor/projects" in paths
        assert {client.get(path).status_code for path in paths if not path.startswith("/api/")} == {200}, paths


def test_tabs_of_a_project_are_those_one_may_open(world: World, admin: Client, guest: Client) -> None:
    for client in (admin, guest):
        page = text(client, f"/harbor/projects/{world.secret.pk}/repositories")
        tabs = re.search(r'<nav class="tabs tabs-large" aria-label="secret">.*?</nav>', page, re.S)
        assert tabs and 'aria-current="page"' in tabs[0]
        for path in re.findall(r'href="([^"]+)"', tabs[0]):
            assert client.get(path).status_code == 200, path


# ---------------------------------------------------------------------------------------------------- search


def test_search_finds_each_kind(world: World, admin: Client) -> None:
    assert "library/app</bdi>" in text(admin, "/harbor/search?q=app")
    assert "secret</bdi>" in text(admin, "/harbor/search?q=secr")
    assert "library/multi/arch:2.0" in text(admin, "/harbor/search?q=2.0")
    assert "library/app:latest" in text(admin, "/harbor/search?q=app:lat")
    digest = world.image.digest
    for part in (digest, digest[:19], digest.removeprefix("sha256:")[:8]):
        assert f"/artifacts/{digest}" in text(admin, f"/harbor/search?q={part}"), part


@pytest.mark.parametrize("query", ["secret", "inner/app", "3.0", "app:3"])
def test_search_shows_only_what_one_may_see(world: World, outsider: Client, anonymous: Client, query: str) -> None:
    for client in (outsider, anonymous):
        assert "secret/inner" not in text(client, f"/harbor/search?q={query}")
        assert f"/harbor/projects/{world.secret.pk}" not in text(client, f"/harbor/search?q={query}")
    assert "secret" in text(signed_in(world.guest), f"/harbor/search?q={query}")


def test_search_of_a_hidden_digest(world: World, outsider: Client, admin: Client) -> None:
    digest = Repository.objects.get(name="secret/inner/app").artifacts.get().digest
    assert digest in text(admin, f"/harbor/search?q={digest}")
    assert f"/artifacts/{digest}" not in text(outsider, f"/harbor/search?q={digest}")


@pytest.mark.parametrize("query", ["", "a", "%00", "x" * 5000, "%25_%27%22<script>", ":", "a:", ":b", "sha256:"])
def test_search_takes_anything(world: World, admin: Client, query: str) -> None:
    assert "<script>" not in text(admin, f"/harbor/search?q={query}").split("<body")[1]


def test_search_answers_scripts_with_results_alone(world: World, admin: Client) -> None:
    part = text(admin, "/harbor/search?q=app", **HTMX)
    assert "<html" not in part and "library/app" in part


# ---------------------------------------------------------------------------------------------------- dashboard


def _pulls(world: World, days: int, count: int, project: Project | None = None) -> None:
    when = timezone.now() - timedelta(days=days)
    AuditLog.objects.bulk_create(
        AuditLog(
            project_id=(project or world.library).pk,
            username="dev",
            resource_type="artifact",
            resource="library/app:1.0",
            operation="pull",
            op_time=when,
        )
        for _ in range(count)
    )


def test_dashboard_counts_by_day(world: World, admin: Client) -> None:
    _pulls(world, 0, 7)
    _pulls(world, 3, 5)
    _pulls(world, 40, 100)
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th><td class="number">(\d+)</td>', text(admin, "/harbor"))
    assert len(rows) == 30 and rows[-1][1] == "7" and rows[-4][1] == "5"
    assert sum(int(pulls) for _, pulls in rows) == 12


def test_charts_of_storage(world: World, admin: Client) -> None:
    Quota.objects.filter(project=world.library).update(used=3 << 20)
    day = timezone.now().astimezone(UTC).date() - timedelta(days=2)
    StorageDay.objects.create(project=world.library, day=day, used=1 << 20)
    QuotaDelta.objects.all().delete()
    summary = f"/harbor/projects/{world.library.pk}/summary"
    for url, days in (("/harbor", 30), ("/harbor/project-quotas", 30), (summary, 90)):
        page = text(admin, url)
        chart = next(part for part in page.split("<figure") if "Storage over time" in part)
        rows = re.findall(r'<tr><th scope="row">[^<]+</th><td class="number">([^<]+)</td>', chart)
        assert len(rows) == days and rows[-3:] == ["1.00 MiB", "1.00 MiB", "3.00 MiB"] and rows[0] == "0 B"
    assert "only here" in text(admin, summary)


def test_dashboard_is_as_wide_as_ones_rights(world: World, developer: Client, outsider: Client) -> None:
    _pulls(world, 0, 3, world.secret)
    QuotaDelta.objects.all().delete()
    Quota.objects.filter(project=world.secret).update(hard=1000, used=900)
    page = text(developer, "/harbor")
    assert "secret" in page and 'aria-valuenow="90"' in page
    assert "Pulls and pushes" not in page  # developers do not read the log
    hidden = text(outsider, "/harbor")
    assert "secret" not in hidden and "member of no project" in hidden


def test_dashboard_asks_anonymous_to_sign_in(world: World, anonymous: Client) -> None:
    assert anonymous.get("/harbor")["Location"] == "/account/sign-in?next=/harbor"


def test_costs_do_not_grow(world: World, admin: Client) -> None:
    urls = ("/harbor", "/harbor/search?q=app", "/account/tokens")

    def cost() -> list[int]:
        found = []
        for url in urls:
            cache.clear()
            config.forget()
            with CaptureQueriesContext(connection) as queries:
                assert admin.get(url).status_code == 200
            found.append(len(queries))
        return found

    def tokens(count: int) -> None:
        for _ in range(count):
            name = secrets.token_hex(4)
            PersonalToken.objects.create(
                user=world.admin, name=name, secret_digest=name, hint="x", scopes=["pull"], projects=[1]
            )

    tokens(1)
    cost()
    before = cost()
    _pulls(world, 1, 50)
    repository = Repository.objects.get(name="library/app")
    Tag.objects.bulk_create(Tag(repository=repository, artifact=world.image, name=f"app-{n}") for n in range(30))
    Repository.objects.bulk_create(Repository(project=world.library, name=f"library/app-{n}") for n in range(30))
    tokens(5)
    after = cost()
    assert after == before
    assert all(cost <= limit for cost, limit in zip(after, (21, 9, 8), strict=True)), after


# ---------------------------------------------------------------------------------------------------- signing up and in


def test_signing_up_where_it_is_allowed(world: World, anonymous: Client) -> None:
    fields = {"username": "new", "realname": "New", "email": "n@x.io", "password": "Secret-pass-1"}
    fields["again"] = fields["password"]
    assert anonymous.get("/account/sign-up").status_code == 404
    assert anonymous.post("/account/sign-up", fields).status_code == 404
    config.config_set(self_registration=True)
    config.forget()
    assert "/account/sign-up" in text(anonymous, "/account/sign-in")
    taken = anonymous.post("/account/sign-up", fields | {"username": "dev", "again": "other"})
    page = taken.content.decode()
    assert taken.status_code == 400 and "has this name already" in page and "differ" in page and 'value="New"' in page
    assert anonymous.post("/account/sign-up", fields)["Location"] == "/harbor/projects"
    assert User.objects.get(username="new").sysadmin_flag is False
    assert "new" in text(anonymous, "/account/profile")


def test_title_and_picture_of_the_sign_in_page(db: None, anonymous: Client, settings: Any, tmp_path: Path) -> None:
    assert anonymous.get("/account/background").status_code == 404
    picture = tmp_path / "harbour.png"
    picture.write_bytes(b"\x89PNG picture")
    settings.PORTAL_TITLE, settings.PORTAL_BACKGROUND = "Images of <ACME>", str(picture)
    page = text(anonymous, "/account/sign-in")
    assert "Sign in to Images of &lt;ACME&gt;" in page and '/account/background"' in page
    answer = anonymous.get("/account/background")
    assert answer["Content-Type"] == "image/png" and answer.content == picture.read_bytes()
    settings.PORTAL_BACKGROUND = str(tmp_path / "settings.py")
    assert anonymous.get("/account/background").status_code == 404


def test_what_was_typed_outlives_the_session(world: World) -> None:
    client = signed_in(world.developer)
    client.logout()
    sent = {"realname": "Typed <b>", "email": "", "comment": "kept", "password": "Never-kept-1"}
    answer = client.post("/account/profile", sent)
    page = answer.content.decode()
    assert answer.status_code == 401 and "Your session has ended" in page
    kept = re.search(r'name="kept" value="([^"]+)"', page)
    assert kept and "Never-kept" not in page
    wrong = client.post("/account/sign-in", {"username": "dev", "password": "x", "kept": kept[1]})
    assert kept[1] in wrong.content.decode()
    back = client.post("/account/sign-in", {"username": "dev", "password": content.PASSWORD, "kept": kept[1]})
    page = back.content.decode()
    assert 'action="/account/profile"' in page and 'value="Typed &lt;b&gt;"' in page and "Never-kept" not in page
    world.developer.refresh_from_db()
    assert world.developer.comment == ""  # nothing happens without a click


def test_what_we_did_not_keep_is_not_sent_on(world: World, anonymous: Client) -> None:
    fields = {"username": "dev", "password": content.PASSWORD, "kept": "eyJwYXRoIjoiL3gifQ:forged"}
    assert anonymous.post("/account/sign-in", fields)["Location"] == "/harbor/projects"


def test_scripts_are_led_on_instead_of_redirected(world: World, anonymous: Client) -> None:
    answer = anonymous.get("/account/tokens/new?x=1", **IN_DIALOG)
    assert answer.status_code == 204 and answer["HX-Redirect"] == "/account/sign-in?next=/account/tokens/new%3Fx%3D1"


@pytest.mark.parametrize(
    ("current", "leads_to"),
    [
        ("http://localhost:8080/harbor/labels?q=x&page=1", "/harbor/labels?q=x&page=1"),
        ("http://localhost:8080/harbor/projects?q=x", "/harbor/labels"),
        ("https://elsewhere.example/harbor/labels?q=x", "/harbor/labels"),
        ("", "/harbor/labels"),
    ],
)
def test_a_dialog_leads_back_to_the_list_as_it_was(world: World, admin: Client, current: str, leads_to: str) -> None:
    form = {"name": "x-ray", "description": "", "color": "#0065AB"}
    answer = admin.post("/harbor/labels/new", form, **IN_DIALOG, HTTP_HX_CURRENT_URL=current)
    assert answer.status_code == 204 and answer["HX-Redirect"] == leads_to


# ---------------------------------------------------------------------------------------------------- preferences


def test_preferences_follow_the_account(world: World) -> None:
    first, second = signed_in(world.developer), signed_in(world.developer)
    for choice in ({"theme": "dark"}, {"language": "zh-hans"}, {"dates": "iso"}, {"runtime": "podman"}):
        first.post("/account/preferences", choice)
    page = text(second, "/harbor/projects")
    assert 'data-theme="dark"' in page and 'lang="zh-hans"' in page
    assert re.search(r"<time [^>]*>\d{4}-\d\d-\d\d \d\d:\d\d</time>", page)


def test_columns_are_remembered(world: World, admin: Client) -> None:
    assert 'data-label="Created"' in text(admin, "/harbor/components")
    admin.post("/account/preferences", {"table": "components", "columns": ["access"]})
    page = text(admin, "/harbor/components")
    assert 'data-label="Created"' not in page and 'data-label="Access"' in page


@pytest.mark.parametrize(
    "columns", ["nonsense", '{"components": 7}', '["a"]', "[" * 5000, '{"components": ["x\\u0000"]}']
)
def test_foreign_cookies_do_no_harm(world: World, admin: Client, columns: str) -> None:
    admin.cookies["harbor_columns"] = columns
    admin.cookies["harbor_dates"] = "<script>"
    assert admin.get("/harbor/components").status_code == 200


# ---------------------------------------------------------------------------------------------------- components


def test_components_are_for_administrators(world: World, admin: Client, developer: Client, anonymous: Client) -> None:
    for path in ("", "/log", "/form", "/confirm"):
        assert admin.get(f"/harbor/components{path}").status_code == 200
        assert developer.get(f"/harbor/components{path}").status_code == 404
        assert anonymous.get(f"/harbor/components{path}").status_code == 404


def test_a_log_is_followed_to_its_end(world: World, admin: Client) -> None:
    offset, text = 0, ""
    for _ in range(10):
        answer = admin.get(f"/harbor/components/log?offset={offset}")
        text += answer.content.decode()
        offset = int(answer["X-Log-Offset"])
        if "X-Log-End" in answer:
            break
    assert text.count("\n") == 12 and offset == 12


def test_confirmation_carries_the_selection(world: World, admin: Client) -> None:
    page = text(admin, "/harbor/components/confirm?pick=1&pick=2&pick=x")
    assert page.count('name="pick"') == 2
    everything = text(admin, "/harbor/components/confirm?pick_all=1&pick=1")
    newest = re.search(r'name="newest" value="(\d+)"', everything)
    assert newest and 'name="pick"' not in everything and "Delete 3 things?" in everything
    Project.objects.create(name="later", owner=world.admin)
    asked = admin.post("/harbor/components/confirm", {"pick_all": "1", "newest": newest[1]}).content.decode()
    assert "Delete 3 things?" in asked and "Type the word" in asked


# ---------------------------------------------------------------------------------------------------- commands


def test_commands_for_private_projects_name_the_credentials() -> None:
    registry = commands.Registry("h.example", False, "dev")
    ctr = commands.pull(registry, "ctr", "IMAGE", "p/app", tag="1")
    assert ctr == "ctr images pull --user dev h.example/p/app:1"
    crictl = commands.pull(registry, "crictl", "IMAGE", "p/app", tag="1")
    assert crictl == "crictl pull --creds dev:PASSWORD h.example/p/app:1"
    anybody = commands.Registry("h.example", False)
    assert commands.pull(anybody, "ctr", "IMAGE", "p/app", tag="1") == "ctr images pull h.example/p/app:1"
    assert "--user" not in commands.pull(registry, "docker", "IMAGE", "p/app", tag="1")


def test_pages_of_private_projects_show_the_credentials(world: World, guest: Client) -> None:
    guest.cookies["harbor_runtime"] = "crictl"
    private = text(guest, f"/harbor/projects/{world.secret.pk}/repositories/inner/app")
    assert "crictl pull --creds guest:PASSWORD localhost:8080/secret/inner/app:3.0" in private
    public = text(guest, f"/harbor/projects/{world.library.pk}/repositories/app")
    assert "crictl pull localhost:8080/library/app:1.0" in public


def test_names_mean_nothing_to_a_shell() -> None:
    registry = commands.Registry("h.example", False)
    assert commands.login(registry, "docker", "a;b`c", "hbr_x").startswith("printf %s hbr_x | docker login -u 'a;b`c' ")
    assert "'a b'" in commands.push_guide(registry, "podman", "p/app", "a b").text
