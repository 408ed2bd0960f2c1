"""Pages of a project: what they show to whom, what their forms do, and what they say when something is wrong."""

import csv
import io
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.models import Robot, RobotPermission, RobotTrust, User, UserGroup
from auth.rbac import Role
from harbor_core.models import AuditLog
from harbor_core.services import config
from portal.colours import NEUTRAL, hex_of
from portal.routes import projects as routes
from projects.models import CVEAllowlist, ImmutableRule, Label, Member, Project, Quota, WebhookPolicy
from projects.selectors.webhooks import auth_header
from projects.services import webhooks
from tests.cast import actor_of
from tests.portal import content
from tests.portal.conftest import World, signed_in

TARGET = {
    "type": "http",
    "address": "https://ci.example.com/hook",
    "auth_header": "Bearer hidden-word",
    "skip_cert_verify": False,
    "payload_format": "Default",
}


@pytest.fixture
def maintained(world: World) -> World:
    """Project ``secret`` with one of everything, administrated by somebody who is no system administrator."""
    secret, actor = world.secret, actor_of(world.admin)
    content.member(secret, content.user("boss"), Role.PROJECT_ADMIN)
    content.member(secret, content.user("keeper"), Role.MAINTAINER)
    Label.objects.create(project=secret, name="released", color="#FFDC0B")
    robot = Robot.objects.create(name="ci", level="project", project=secret, secret_digest="x", description="Builds")
    RobotPermission.objects.create(robot=robot, kind="project", project=secret, resource="repository", action="pull")
    ImmutableRule.objects.create(
        project=secret,
        tag_selectors=[{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
        scope_selectors={"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    )
    values = {"name": "pipeline", "description": "", "enabled": True, "event_types": ["PUSH_ARTIFACT"]}
    webhooks.create(actor, secret, values | {"targets": [TARGET]})
    return world


def client_of(name: str) -> Client:
    return signed_in(User.objects.get(username=name))


def path(world: World, rest: str = "") -> str:
    return f"/harbor/projects/{world.secret.pk}{rest}"


READING = {
    "/summary": {"boss", "keeper", "dev", "guest"},
    "/members": {"boss", "keeper", "dev"},
    "/members/new": {"boss"},
    "/labels": {"boss", "keeper", "dev"},
    "/labels/new": {"boss", "keeper"},
    "/robot-accounts": {"boss", "keeper", "dev"},
    "/robot-accounts/new": {"boss"},
    "/immutable-tags": {"boss", "keeper"},
    "/immutable-tags/new": {"boss", "keeper"},
    "/immutable-tags/preview": {"boss", "keeper"},
    "/webhooks": {"boss", "keeper"},
    "/webhooks/new": {"boss"},
    "/logs": {"boss"},
    "/logs.csv": {"boss"},
    "/configuration": {"boss", "keeper", "dev", "guest"},
    "/delete": {"boss"},
}


@pytest.mark.parametrize("rest", READING)
def test_who_sees_what(maintained: World, rest: str) -> None:
    admin = signed_in(maintained.admin)
    assert admin.get(path(maintained, rest)).status_code == 200
    for name in ("boss", "keeper", "dev", "guest"):
        status = client_of(name).get(path(maintained, rest)).status_code
        expected = (200,) if name in READING[rest] else (403, 404)
        assert status in expected, (name, status)
    for client in (signed_in(maintained.outsider), Client(HTTP_HOST="localhost:8080")):
        assert client.get(path(maintained, rest)).status_code == 404


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_renders(maintained: World, admin: Client, language: str) -> None:
    admin.cookies["harbor_lang"] = language
    for url in every_page(maintained):
        answer = admin.get(url)
        assert answer.status_code == 200, url
        text = answer.content.decode()
        assert f'<html lang="{language}"' in text
        assert ">None<" not in text and "{{" not in text and "{%" not in text, url
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), url


def every_page(world: World) -> list[str]:
    robot, rule = Robot.objects.get(name="ci"), ImmutableRule.objects.get()
    webhook, label = WebhookPolicy.objects.get(), Label.objects.get()
    member = Member.objects.filter(project=world.secret).first()
    assert member is not None
    rest = [
        *(rest for rest in READING if rest not in ("/logs.csv", "/immutable-tags/preview")),
        f"/members/role?pick={member.pk}",
        f"/members/remove?pick={member.pk}",
        f"/labels/{label.pk}",
        f"/labels/{label.pk}/delete",
        f"/robot-accounts/{robot.pk}",
        *(f"/robot-accounts/{robot.pk}/{page}" for page in ("edit", "secret", "state", "delete", "trusts")),
        *(f"/robot-accounts/{robot.pk}/trusts/new?preset={preset}" for preset in ("github", "gitlab", "kubernetes")),
        *(f"/immutable-tags/{rule.pk}{page}" for page in ("", "/state", "/delete")),
        *(f"/webhooks/{webhook.pk}{page}" for page in ("", "/state", "/delete")),
    ]
    return ["/harbor/new-project", *(path(world, part) for part in rest)]


def test_every_route_is_tried() -> None:
    known = {*READING, "/members/role", "/members/remove", "/members/candidates"}
    below = ("labels/<", "robot-accounts/<", "immutable-tags/<", "webhooks/<")
    for pattern in routes.urlpatterns:
        rest = str(pattern.pattern).removeprefix("harbor/projects/<str:project>")
        assert rest in known or rest == "harbor/new-project" or rest[1:].startswith(below), rest


def test_forms_of_others_are_refused(maintained: World, developer: Client) -> None:
    label = Label.objects.get()
    for rest in ("/labels/new", f"/labels/{label.pk}", f"/labels/{label.pk}/delete", "/members/new", "/delete"):
        assert developer.post(path(maintained, rest), {"name": "x", "color": "#000000"}).status_code == 403, rest
    assert developer.post(path(maintained, "/configuration"), {"public": "on"}).status_code == 403
    assert Label.objects.get().name == "released" and not Project.objects.get(name="secret").public


def test_a_project_is_made(world: World, admin: Client, developer: Client, anonymous: Client) -> None:
    assert b"/harbor/new-project" in admin.get("/harbor/projects").content
    assert b"/harbor/new-project" not in anonymous.get("/harbor/projects").content
    assert anonymous.get("/harbor/new-project").status_code == 403
    wrong = admin.post("/harbor/new-project", {"name": "No Good", "access": "public", "quota": "1.5", "unit": "GiB"})
    assert wrong.status_code == 400 and b'value="No Good"' in wrong.content and b'value="1.5"' in wrong.content
    taken = admin.post("/harbor/new-project", {"name": "library", "access": "private"})
    assert b"There is a project of this name already." in taken.content
    made = admin.post("/harbor/new-project", {"name": "fresh", "access": "public", "quota": "1.5", "unit": "GiB"})
    project = Project.objects.get(name="fresh")
    assert made["Location"] == f"/harbor/projects/{project.pk}/repositories" and project.public
    assert Quota.objects.get(project=project).hard == 1_610_612_736
    own = developer.post("/harbor/new-project", {"name": "own", "access": "private", "quota": "9", "unit": "TiB"})
    assert own.status_code == 302 and Quota.objects.get(project__name="own").hard == -1
    config.config_set(project_creation_restriction="adminonly")
    config.forget()
    assert developer.get("/harbor/new-project").status_code == 403
    assert b"/harbor/new-project" not in developer.get("/harbor/projects").content


def test_a_project_is_deleted_when_it_is_empty(world: World, admin: Client) -> None:
    full = admin.get(f"/harbor/projects/{world.library.pk}/delete").content.decode()
    assert "charts/app" in full and "multi/arch" in full and "button-danger" not in full
    assert admin.post(f"/harbor/projects/{world.library.pk}/delete", {"typed": "library"}).status_code == 400
    assert Project.objects.filter(name="library", deleted=False).exists()
    url = f"/harbor/projects/{world.empty.pk}/delete"
    assert admin.post(url, {"typed": "other"}).status_code == 400
    assert admin.post(url, {"typed": "empty"})["Location"] == "/harbor/projects"
    assert not Project.objects.filter(name="empty", deleted=False).exists()


def test_mine(world: World, developer: Client, outsider: Client) -> None:
    page = developer.get("/harbor/projects?access=mine", headers={"HX-Request": "true"}).content.decode()
    assert ">secret</a>" in page and ">library</a>" not in page
    assert b">library</a>" not in outsider.get("/harbor/projects?access=mine").content


def test_summary(maintained: World, admin: Client, guest: Client) -> None:
    Quota.objects.filter(project=maintained.secret).update(hard=2_000_000_000, used=1_900_000_001)
    page = admin.get(path(maintained, "/summary")).content.decode()
    assert "Nearly full" in page and ">inner/app</bdi>" in page and ">root</bdi>" in page
    seen = guest.get(path(maintained, "/summary")).content.decode()
    assert "Members</h2>" not in seen and "Delete project" not in seen


def test_members(maintained: World, admin: Client) -> None:
    base = path(maintained, "/members")
    new = admin.post(f"{base}/new", {"name": "nobody", "role": "2"})
    assert (
        new.status_code == 400 and b"There is nobody of this name." in new.content and b'value="nobody"' in new.content
    )
    assert b"Choose a role." in admin.post(f"{base}/new", {"name": "outsider", "role": "77"}).content
    assert admin.post(f"{base}/new", {"name": "outsider", "role": "3"}).status_code == 302
    assert b"is a member already" in admin.post(f"{base}/new", {"name": "outsider", "role": "3"}).content
    found = admin.get(f"{base}/candidates?name=OUTS").content.decode()
    assert '<option value="outsider">' in found and "boss" not in found
    member = Member.objects.get(project=maintained.secret, user__username="outsider")
    boss = Member.objects.get(project=maintained.secret, user__username="boss")
    picks = {"pick": [member.pk, boss.pk]}
    assert b"outsider" in admin.get(f"{base}/role", picks).content
    assert admin.post(f"{base}/role", picks | {"role": "4"}).status_code == 302
    assert Member.objects.get(pk=member.pk).role == Member.objects.get(pk=boss.pk).role == Role.MAINTAINER
    asked = admin.get(f"{base}/remove", picks).content.decode()
    assert "boss, outsider" in asked and "Nobody but system administrators" in asked
    assert admin.post(f"{base}/remove", picks).status_code == 302
    assert not Member.objects.filter(pk__in=picks["pick"]).exists()
    assert admin.get(f"{base}/remove").status_code == 302  # nobody chosen: back to the list


def test_everybody_of_a_filter_is_chosen(maintained: World, admin: Client) -> None:
    base = path(maintained, "/members")
    page = admin.get(f"{base}/remove?pick_all=1&q=e").content.decode()
    assert "dev, guest, keeper" not in page or "boss" not in page
    names = re.search(r"Remove (.+?)\?</h1>", page)
    assert names and names[1] == "dev, guest, keeper"
    sent = {"pick": re.findall(r'name="pick" value="(\d+)"', page)}
    admin.post(f"{base}/remove?pick_all=1&q=e", sent)
    assert list(Member.objects.filter(project=maintained.secret).values_list("user__username", flat=True)) == ["boss"]


def test_groups_are_members_where_there_are_groups(maintained: World, admin: Client) -> None:
    base = path(maintained, "/members")
    assert b'name="kind"' not in admin.get(f"{base}/new").content
    UserGroup.objects.create(group_name="builders", group_type=UserGroup.Type.OIDC)
    assert b'name="kind"' in admin.get(f"{base}/new").content
    assert b'value="builders"' in admin.get(f"{base}/candidates?kind=group&name=build").content
    config.config_set(auth_mode="oidc_auth")
    config.forget()
    admin.post(f"{base}/new", {"kind": "group", "name": "builders", "role": "3"})
    assert Member.objects.get(group__group_name="builders").role == Role.GUEST
    assert b"builders" in admin.get(base).content


def test_labels(maintained: World, admin: Client) -> None:
    base = path(maintained, "/labels")
    name = '"><script>alert(1)</script>'
    assert admin.post(f"{base}/new", {"name": name, "color": "#0065AB"}).status_code == 302
    assert b"<script>alert" not in admin.get(base).content
    assert b"There is a label of this name" in admin.post(f"{base}/new", {"name": name, "color": "#0065AB"}).content
    assert b"A colour is written" in admin.post(f"{base}/new", {"name": "x", "color": "red; x"}).content
    label = Label.objects.get(name="released")
    admin.post(f"{base}/{label.pk}", {"name": "shipped", "color": "#000000", "description": "Done"})
    label.refresh_from_db()
    assert (label.name, label.color, label.description) == ("shipped", "#000000", "Done")
    elsewhere = f"/harbor/projects/{maintained.empty.pk}/labels/{label.pk}"
    assert admin.get(elsewhere).status_code == admin.post(f"{elsewhere}/delete").status_code == 404
    assert admin.post(f"{base}/{label.pk}/delete").status_code == 302 and not Label.objects.filter(pk=label.pk).exists()


def test_stored_colours_come_back_into_the_form() -> None:
    assert [hex_of(text) for text in ("#FFDC0B", "#f00", "red", "#12345678", "", "nonsense", "#12")] == [
        "#ffdc0b", "#ff0000", "#ff0000", "#123456", NEUTRAL, NEUTRAL, NEUTRAL
    ]  # fmt: skip


def test_immutability(maintained: World, admin: Client) -> None:
    base = path(maintained, "/immutable-tags")
    given = {
        "repository_decoration": "repoMatches",
        "repository_pattern": "inner/**",
        "tag_decoration": "matches",
        "tag_pattern": "{3,4}.*",
    }
    assert b"inner/app:3.0" in admin.get(f"{base}/preview", given).content
    nothing = admin.get(f"{base}/preview", given | {"tag_pattern": "none"}).content
    assert b"inner/app:3.0" not in nothing and b"No tag matches" in nothing
    broken = admin.post(f"{base}/new", given | {"tag_pattern": "{3,"})
    assert broken.status_code == 400 and b"bracket or brace" in broken.content and b"{3," in broken.content
    assert admin.post(f"{base}/new", given).status_code == 302
    assert b"exactly these tags already" in admin.post(f"{base}/new", given).content
    rule = ImmutableRule.objects.latest("pk")
    admin.post(f"{base}/{rule.pk}/state", {"enabled": "0"})
    admin.post(f"{base}/{rule.pk}/state", {"enabled": "0"})  # pressed twice
    assert ImmutableRule.objects.get(pk=rule.pk).disabled
    admin.post(f"{base}/{rule.pk}", given | {"tag_decoration": "excludes"})
    rule.refresh_from_db()
    assert rule.tag_selectors[0]["decoration"] == "excludes" and rule.disabled
    admin.post(f"{base}/{rule.pk}/delete")
    assert not ImmutableRule.objects.filter(pk=rule.pk).exists()


def test_webhooks(maintained: World, admin: Client) -> None:
    base, row = path(maintained, "/webhooks"), WebhookPolicy.objects.get()
    given = {"name": "chat", "event_types": ["PUSH_ARTIFACT"], "type": "slack", "address": "ftp://x", "verify": "on"}
    assert b"no address of http" in admin.post(f"{base}/new", given).content
    given["address"] = "https://hooks.slack.com/services/x"
    assert admin.post(f"{base}/new", given).status_code == 302
    assert b"There is a webhook of this name" in admin.post(f"{base}/new", given).content
    assert b"hidden-word" not in admin.get(f"{base}/{row.pk}").content
    changed = {"name": "pipeline", "event_types": ["PULL_ARTIFACT"], "type": "http", "address": TARGET["address"]}
    admin.post(f"{base}/{row.pk}", changed)
    assert header(row) == "Bearer hidden-word" and row.targets[0]["skip_cert_verify"]
    admin.post(f"{base}/{row.pk}/state", {"enabled": "0"})
    assert header(row) == "Bearer hidden-word" and not row.enabled
    admin.post(f"{base}/{row.pk}", changed | {"drop_header": "on"})
    assert header(row) == "" and not row.enabled and row.event_types == ["PULL_ARTIFACT"]
    admin.post(f"{base}/{row.pk}/delete")
    assert not WebhookPolicy.objects.filter(pk=row.pk).exists()


def header(row: WebhookPolicy) -> str:
    row.refresh_from_db()
    return auth_header(row.targets[0])


def test_robots(maintained: World, admin: Client) -> None:
    base = path(maintained, "/robot-accounts")
    given = {"name": "Bad Name", "description": "For tests", "expires": "other", "days": "", "preset": "custom"}
    wrong = admin.post(f"{base}/new", given)
    text = wrong.content.decode()
    assert wrong.status_code == 400 and 'value="Bad Name"' in text and "For tests" in text
    assert "Enter the number of days." in text and "Choose at least one permission." in text
    given |= {"name": "deploy", "days": "7", "permissions": ["repository:push", "tag:create"]}
    made = admin.post(f"{base}/new", given)
    robot = Robot.objects.get(name="deploy")
    secret = re.search(r'<code id="secret">(\w{32})</code>', made.content.decode())
    assert made.status_code == 200 and secret and made["Cache-Control"].find("no-store") >= 0
    assert "-u robot+secret+deploy --password-stdin" in made.content.decode()
    assert "kubectl create secret docker-registry deploy-pull" in made.content.decode()
    assert secret[1].encode() not in admin.get(f"{base}/{robot.pk}").content
    assert robot.duration == 7 and {str(row) for row in robot.permissions.all()} == {
        "repository:push", "repository:pull", "tag:create"
    }  # fmt: skip
    assert b"This name is taken" in admin.post(f"{base}/new", given).content
    admin.post(f"{base}/{robot.pk}/edit", {"description": "New", "expires": "-1", "preset": "pull"})
    robot.refresh_from_db()
    assert robot.description == "New" and robot.expires_at is None
    assert [str(row) for row in robot.permissions.all()] == ["repository:pull"]
    assert (
        b"cannot be granted"
        in admin.post(
            f"{base}/{robot.pk}/edit", {"expires": "-1", "preset": "custom", "permissions": ["user:delete"]}
        ).content
    )
    admin.post(f"{base}/{robot.pk}/state", {"enabled": "0"})
    robot.refresh_from_db()
    assert robot.disabled and robot.permissions.count() == 1
    again = admin.post(f"{base}/{robot.pk}/secret", {"overlap": "24", "secret": ""})
    assert b'id="secret"' in again.content and b"Old secret" in admin.get(base).content
    assert b"too weak" in admin.post(f"{base}/{robot.pk}/secret", {"overlap": "0", "secret": "short"}).content
    assert admin.post(f"{base}/{robot.pk}/secret", {"overlap": "0", "secret": "Long-enough-1"}).status_code == 302
    assert admin.get(f"/harbor/projects/{maintained.empty.pk}/robot-accounts/{robot.pk}").status_code == 404
    admin.post(f"{base}/{robot.pk}/delete")
    assert not Robot.objects.filter(pk=robot.pk).exists()


def test_trusts(maintained: World, admin: Client, developer: Client) -> None:
    robot = Robot.objects.get(name="ci")
    base = path(maintained, f"/robot-accounts/{robot.pk}/trusts")
    empty = admin.get(f"{base}/new?preset=github").content
    assert b"token.actions.githubusercontent.com" in empty and b">null" not in empty and b"\nnull" not in empty
    given = {"name": "main", "issuer": "https://gitlab.com", "audience": "registry", "claims": "sub: x"}
    assert b"not of the form" in admin.post(f"{base}/new", given).content
    given["claims"] = "sub = project_path:*"
    refused = admin.post(f"{base}/new", given)
    assert refused.status_code == 400 and b"issues tokens to everybody" in refused.content
    given["claims"] = "sub = project_path:team/app:*\nref = main"
    assert admin.post(f"{base}/new", given).status_code == 302
    trust = RobotTrust.objects.get()
    assert trust.claims == {"sub": "project_path:team/app:*", "ref": "main"}
    assert b"a trust of this name" in admin.post(f"{base}/new", given).content
    admin.post(f"{base}/{trust.pk}", given | {"audience": "other"})
    assert RobotTrust.objects.get().audience == "other"
    assert developer.get(base).status_code == 200 and b"New trust" not in developer.get(base).content
    assert developer.post(f"{base}/{trust.pk}/delete").status_code == 403
    admin.post(f"{base}/{trust.pk}/delete")
    assert not RobotTrust.objects.exists()


def test_configuration(maintained: World, admin: Client, developer: Client) -> None:
    url = path(maintained, "/configuration")
    locked = developer.get(url).content.decode()
    assert "a project admin can change them" in locked and ">Save<" not in locked
    given = {"prevent_vul": "on", "severity": "high", "reuse_sys_cve_allowlist": "false", "allowlist": "CVE-1 !"}
    wrong = admin.post(url, given)
    assert wrong.status_code == 400 and b"is not the ID" in wrong.content and b"CVE-1 !" in wrong.content
    given |= {"allowlist": "CVE-2024-1, CVE-2024-2\nCVE-2024-1", "expires": "2030-01-02", "public": "on"}
    assert admin.post(url, given).status_code == 302
    project, listed = Project.objects.get(name="secret"), CVEAllowlist.objects.get(project=maintained.secret)
    assert project.public and project.metadata["severity"] == "high" and project.metadata["prevent_vul"] == "true"
    assert listed.items == ["CVE-2024-1", "CVE-2024-2"] and listed.expires_at == 1893628799
    assert admin.post(url, given | {"severity": "low", "prevent_vul": ""}).status_code == 302
    assert CVEAllowlist.objects.get(project=maintained.secret).expires_at == 1893628799


def test_logs(maintained: World, admin: Client) -> None:
    project, url = maintained.secret, path(maintained, "/logs")
    rows = (("ann", "create", "tag", "secret/app:1", True), ("=bob", "delete", "robot", "robot$x", False))
    for name, operation, kind, resource, result in rows:
        AuditLog.objects.create(
            project_id=project.pk, username=name, operation=operation, resource_type=kind, resource=resource,
            operation_result=result,
        )  # fmt: skip
    shown = admin.get(url).content.decode()
    assert "secret/app:1" in shown and "robot$x" in shown
    for query in ("user=ann", "operation=create", "type=tag", "result=true", "resource=app"):
        part = admin.get(f"{url}?{query}", headers={"HX-Request": "true"}).content.decode()
        assert "robot$x" not in part and "/logs.csv?" in part, query
    assert "secret/app:1" not in admin.get(f"{url}?since=2100-01-01").content.decode()
    assert "secret/app:1" not in admin.get(f"{url}?until=2001-01-01").content.decode()
    assert admin.get(f"{url}?since=nonsense&operation=zzz&page=999999&user=%00").status_code == 200
    sent = admin.get(f"{path(maintained, '/logs.csv')}?result=false")
    lines = list(csv.reader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig"))))
    assert len(lines) == 2 and lines[1][1] == "'=bob" and lines[1][6] == "failure"
    assert sent["Content-Disposition"] == 'attachment; filename="secret-log.csv"'


LIMITS = {
    "/summary": 18,
    "/members": 9,
    "/labels": 9,
    "/robot-accounts": 10,
    "/immutable-tags": 8,
    "/webhooks": 8,
    "/logs": 9,
    "/configuration": 10,
}


def test_constant_queries(maintained: World, admin: Client) -> None:
    def cost() -> dict[str, int]:
        found = {}
        for rest in LIMITS:
            cache.clear()
            config.forget()
            with CaptureQueriesContext(connection) as queries:
                assert admin.get(f"{path(maintained, rest)}?page_size=50").status_code == 200
            found[rest] = len(queries)
        return found

    admin.get("/harbor/projects")
    before = cost()
    project = maintained.secret
    for number in range(20):
        content.member(project, content.user(f"more-{number}"), Role.GUEST)
        Label.objects.create(project=project, name=f"more-{number}")
        Robot.objects.create(name=f"more-{number}", level="project", project=project, secret_digest="x")
        WebhookPolicy.objects.create(project=project, name=f"more-{number}", targets=[], creator="root")
        AuditLog.objects.create(project_id=project.pk, username="x", operation="create", resource_type="tag")
    assert cost() == before
    assert all(before[rest] <= LIMITS[rest] for rest in LIMITS), before
