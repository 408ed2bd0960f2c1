"""Pages of administration: who sees them, what their forms do, and what they say when something is wrong."""

import csv
import io
import json

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.models import PersonalToken, Robot, RobotTrust, User, UserGroup
from harbor_core.models import AuditLog
from harbor_core.services import config
from jobservice.models import Execution
from portal.routes import administration as routes
from projects.models import CVEAllowlist, Label, Project, Quota
from replication.models import Registry
from tests.portal import content
from tests.portal.conftest import World, signed_in

PAGES = [
    "/harbor/users",
    "/harbor/users/new",
    "/harbor/groups",
    "/harbor/robot-accounts",
    "/harbor/robot-accounts/new",
    "/harbor/registries",
    "/harbor/registries/new",
    "/harbor/labels",
    "/harbor/labels/new",
    "/harbor/project-quotas",
    "/harbor/project-quotas/default",
    "/harbor/project-quotas/resync",
    "/harbor/system",
]


@pytest.mark.parametrize("path", PAGES)
def test_only_administrators_see_it(
    world: World, admin: Client, developer: Client, anonymous: Client, path: str
) -> None:
    assert admin.get(path).status_code == 200
    assert developer.get(path).status_code == 404
    assert anonymous.get(path).status_code == 404


def _user(name: str) -> User:
    return User.objects.get(username=name)


def test_users_are_made_changed_and_deleted(world: World, admin: Client) -> None:
    form = {"username": "new", "realname": "New", "email": "new@example.com", "comment": "", "password": "Long-word-1",
            "again": "Long-word-2"}  # fmt: skip
    refused = admin.post("/harbor/users/new", form)
    assert refused.status_code == 400 and "new@example.com" in refused.content.decode()
    assert "Long-word" not in refused.content.decode()
    assert admin.post("/harbor/users/new", form | {"again": "Long-word-1"}).status_code == 302
    user = _user("new")
    assert admin.post("/harbor/users/new", form | {"again": "Long-word-1"}).status_code == 400
    edited = {"realname": "Newer", "email": "", "comment": "x"}
    assert admin.post(f"/harbor/users/{user.pk}", edited).status_code == 302
    user.refresh_from_db()
    assert (user.realname, user.email) == ("Newer", None)
    password = {"password": "Other-word-1", "again": "Other-word-1"}
    assert admin.post(f"/harbor/users/{user.pk}/password", password).status_code == 302
    user.refresh_from_db()
    assert user.check_password("Other-word-1")
    asked = admin.get(f"/harbor/users/delete?pick={user.pk}")
    assert asked.status_code == 200 and User.objects.filter(username="new").exists()
    assert admin.post("/harbor/users/delete", {"pick": user.pk}).status_code == 302
    assert not User.objects.filter(username="new").exists()


def test_nobody_deletes_themselves_or_the_first_administrator(world: World, admin: Client) -> None:
    picked = [world.admin.pk, 1]
    assert admin.post("/harbor/users/delete", {"pick": picked}).status_code == 400
    everything = admin.post("/harbor/users/delete", {"pick_all": "1"})
    assert everything.status_code == 302
    assert not User.objects.get(pk=world.admin.pk).deleted and User.objects.get(pk=world.developer.pk).deleted


def test_the_last_administrator_stays(world: World, admin: Client) -> None:
    User.objects.filter(sysadmin_flag=True).exclude(pk=world.admin.pk).update(sysadmin_flag=False)
    own = f"/harbor/users/{world.admin.pk}/administrator"
    refused = admin.post(own, {"administrator": "0", "typed": "root"})
    assert refused.status_code == 400 and "last administrator" in refused.content.decode()
    assert admin.post(f"/harbor/users/{world.developer.pk}/administrator", {"administrator": "1"}).status_code == 302
    assert _user("dev").sysadmin_flag
    assert admin.post(own, {"administrator": "0"}).status_code == 400
    assert admin.post(own, {"administrator": "0", "typed": "root"}).status_code == 302
    assert not _user("root").sysadmin_flag
    assert admin.get("/harbor/users").status_code == 404


def test_tokens_of_others_are_revoked(world: World, admin: Client) -> None:
    for name in ("laptop", "pipeline"):
        PersonalToken.objects.create(
            user=world.developer, name=name, secret_digest=name * 4, hint="abcd", scopes=["pull"]
        )
    base = f"/harbor/users/{world.developer.pk}/tokens"
    shown = admin.get(base).content.decode()
    assert "laptop" in shown and "pipeline" in shown
    first = PersonalToken.objects.get(name="laptop")
    assert admin.get(f"/harbor/users/{world.guest.pk}/tokens/{first.pk}/revoke").status_code == 404
    assert admin.post(f"{base}/{first.pk}/revoke").status_code == 302
    assert list(PersonalToken.objects.values_list("name", flat=True)) == ["pipeline"]
    assert admin.post(f"{base}/revoke").status_code == 302
    assert not PersonalToken.objects.exists()


def test_many_tokens_come_in_pages(world: World, admin: Client) -> None:
    PersonalToken.objects.bulk_create(
        PersonalToken(user=world.developer, name=f"job-{n:02}", secret_digest=f"{n:064}", hint="abcd", scopes=["pull"])
        for n in range(20)
    )
    base = f"/harbor/users/{world.developer.pk}/tokens"
    first, second = admin.get(base).content.decode(), admin.get(f"{base}?page=2").content.decode()
    assert "job-14" in first and "job-15" not in first and "of 20" in first
    assert "job-19" in second and "job-14" not in second
    found = admin.get(f"{base}?q=job-1&sort=-name").content.decode()
    assert found.index("job-19") < found.index("job-10") and "job-05" not in found
    assert "Nothing matches" in admin.get(f"{base}?q=zzz").content.decode()


def test_groups_need_a_provider(world: World, admin: Client) -> None:
    assert "know no groups" in admin.get("/harbor/groups").content.decode()
    assert admin.get("/harbor/groups/new").status_code == 404
    config.config_set(auth_mode="ldap_auth")
    config.forget()
    assert admin.post("/harbor/groups/new", {"dn": "no name", "name": ""}).status_code == 400
    assert admin.post("/harbor/groups/new", {"dn": "cn=crew,dc=example", "name": ""}).status_code == 302
    group = UserGroup.objects.get()
    assert admin.post("/harbor/groups/new", {"dn": "cn=crew,dc=example", "name": ""}).status_code == 400
    assert admin.post(f"/harbor/groups/{group.pk}", {"name": "Crew"}).status_code == 302
    assert "Crew" in admin.get("/harbor/groups").content.decode()
    assert admin.post(f"/harbor/groups/{group.pk}/delete").status_code == 302
    assert not UserGroup.objects.exists()


def test_labels_of_the_system(world: World, admin: Client) -> None:
    form = {"name": "approved", "description": "", "color": "#0065AB"}
    assert admin.post("/harbor/labels/new", form).status_code == 302
    label = Label.objects.get(name="approved")
    assert label.project_id is None
    assert admin.post("/harbor/labels/new", form).status_code == 400
    assert admin.post(f"/harbor/labels/{label.pk}", form | {"name": "checked"}).status_code == 302
    own = Label.objects.create(project=world.library, name="own", color="#000000")
    assert admin.get(f"/harbor/labels/{own.pk}").status_code == 404
    assert admin.post(f"/harbor/labels/{label.pk}/delete").status_code == 302
    assert not Label.objects.filter(project=None).exists()


def test_registries_that_do_not_answer_are_not_stored(world: World, admin: Client) -> None:
    form = {"type": "docker-registry", "name": "mirror", "url": "http://127.0.0.1:9", "access_key": "me",
            "access_secret": "hidden-word", "verify": "on"}  # fmt: skip
    for extra in ({}, {"test": "1"}):
        refused = admin.post("/harbor/registries/new", form | extra)
        assert refused.status_code == 400 and "mirror" in refused.content.decode()
        assert "no-store" in refused["Cache-Control"]
    assert not Registry.objects.exists()
    assert admin.post("/harbor/registries/new", form | {"url": "nonsense://"}).status_code == 400


def test_a_stored_secret_is_never_shown(world: World, admin: Client) -> None:
    row = Registry.objects.create(
        name="mirror", type="docker-registry", url="http://127.0.0.1:9", access_key="me", access_secret="sealed-word"
    )
    assert "sealed-word" not in admin.get(f"/harbor/registries/{row.pk}").content.decode()
    proxy = Project.objects.create(name="proxy", owner=world.admin, registry_id=row.pk)
    blocked = admin.get(f"/harbor/registries/{row.pk}/delete").content.decode()
    assert "proxy" in blocked and "button-danger" not in blocked
    Project.objects.filter(pk=proxy.pk).update(deleted=True)
    assert admin.post(f"/harbor/registries/{row.pk}/delete").status_code == 302
    assert not Registry.objects.exists()


def test_quotas(world: World, admin: Client) -> None:
    quota = Quota.objects.get(project=world.secret)
    assert admin.post(f"/harbor/project-quotas/{quota.pk}", {"limit": "1.5", "unit": "GiB"}).status_code == 302
    quota.refresh_from_db()
    assert quota.hard == 3 * 1024**3 // 2
    assert 'value="1.5"' in admin.get(f"/harbor/project-quotas/{quota.pk}").content.decode()
    assert admin.post(f"/harbor/project-quotas/{quota.pk}", {"limit": "much", "unit": "GiB"}).status_code == 400
    assert admin.post("/harbor/project-quotas/default", {"limit": "10", "unit": "GiB"}).status_code == 302
    config.forget()
    assert config.config_get("storage_per_project") == 10 * 1024**3
    assert admin.post("/harbor/project-quotas/resync").status_code == 302
    assert Execution.objects.filter(vendor_type="QUOTA_SYNC").count() == 1


def test_everybody_sees_the_log_of_what_they_may_see(
    world: World, admin: Client, outsider: Client, anonymous: Client
) -> None:
    AuditLog.objects.create(username="root", operation="update", resource_type="configuration", resource="=cmd()")
    AuditLog.objects.create(
        username="root", operation="create", resource_type="tag", resource="secret/x:1", project_id=world.secret.pk
    )
    assert "=cmd()" in admin.get("/harbor/logs").content.decode()
    shown = outsider.get("/harbor/logs")
    assert shown.status_code == 200 and "=cmd()" not in shown.content.decode()
    assert anonymous.get("/harbor/logs").status_code == 302
    exported = b"".join(admin.get("/harbor/logs.csv?type=configuration").streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [row["resource"] for row in rows] == ["'=cmd()"]
    assert b"cmd" not in b"".join(outsider.get("/harbor/logs.csv").streaming_content)


def test_settings_are_shown_and_stored(world: World, admin: Client, developer: Client) -> None:
    for path in ("", "/general", "/banner", "/security"):
        assert admin.get(f"/harbor/configuration{path}").status_code == 200, path
        assert developer.get(f"/harbor/configuration{path}").status_code == 404
    form = {
        "project_creation_restriction": "adminonly", "quota_per_project_enable": "on", "trash_retention_days": "9",
        "notification_enable": "on", "session_timeout": "60", "token_expiration": "30", "personal_token_max_days": "0",
        "robot_name_prefix": "robot$", "robot_token_duration": "30", "audit_log_forward_endpoint": "",
        "disabled_audit_log_event_types": ["pull_artifact", "login_user"],
    }  # fmt: skip
    refused = admin.post(
        "/harbor/configuration/general", form | {"robot_name_prefix": "a b", "trash_retention_days": "9"}
    )
    assert refused.status_code == 400 and 'value="a b"' in refused.content.decode()
    assert admin.post("/harbor/configuration/general", form).status_code == 302
    config.forget()
    assert config.config_get("project_creation_restriction") == "adminonly"
    assert config.config_get("trash_retention_days") == 9
    assert set(config.config_get("disabled_audit_log_event_types").split(",")) == {"pull_artifact", "login_user"}
    assert admin.post("/harbor/configuration/general", form | {"skip_audit_log_database": "on"}).status_code == 400


def test_pinned_settings_are_locked(world: World, admin: Client, settings) -> None:
    settings.CONFIG_OVERWRITE = {"session_timeout": 77}
    config.forget()
    shown = admin.get("/harbor/configuration/general").content.decode()
    assert "Set by CONFIG_OVERWRITE_JSON" in shown and 'value="77"' in shown
    settings.CONFIG_OVERWRITE = {"banner_message": "fixed"}
    config.forget()
    assert admin.post("/harbor/configuration/banner", {"message": "mine", "type": "info"}).status_code == 200
    assert config.config_get("banner_message") == "fixed"
    config.forget()


def test_secrets_of_sign_in_are_kept_and_never_shown(world: World, admin: Client) -> None:
    User.objects.exclude(pk=world.admin.pk).update(deleted=True)
    config.config_set(
        ldap_search_password="hidden-word", auth_mode="ldap_auth", ldap_url="ldap://a", ldap_base_dn="dc=a"
    )
    config.forget()
    shown = admin.get("/harbor/configuration").content.decode()
    assert "hidden-word" not in shown and "A secret is stored" in shown
    form = {"auth_mode": "ldap_auth", "ldap_url": "ldap://b", "ldap_base_dn": "dc=a", "ldap_uid": "cn",
            "ldap_scope": "2", "ldap_timeout": "5", "ldap_group_search_scope": "2",
            "ldap_verify_cert": "on", "ldap_search_password": "",
            "ldap_group_membership_attribute": "memberof"}  # fmt: skip
    assert admin.post("/harbor/configuration", form | {"ldap_url": ""}).status_code == 400
    assert admin.post("/harbor/configuration", form).status_code == 302
    config.forget()
    assert config.config_get("ldap_url") == "ldap://b" and config.config_get("ldap_search_password") == "hidden-word"
    config.forget()


def test_banner_is_tried_before_it_is_stored(world: World, admin: Client) -> None:
    form = {"message": "Maintenance on Friday", "type": "warning", "begin": "2026-01-05", "end": "2026-01-02"}
    assert admin.post("/harbor/configuration/banner", form).status_code == 400
    form["end"] = "2036-01-02"
    tried = admin.post("/harbor/configuration/banner", form | {"preview": "1"})
    assert tried.status_code == 200 and "notice-warning" in tried.content.decode()
    assert not config.config_get("banner_message")
    assert admin.post("/harbor/configuration/banner", form).status_code == 302
    config.forget()
    assert json.loads(config.config_get("banner_message"))["type"] == "warning"
    assert 'value="2036-01-02"' in admin.get("/harbor/configuration/banner").content.decode()
    config.forget()


def test_allowlist_of_the_system(world: World, admin: Client) -> None:
    assert admin.post("/harbor/configuration/security", {"items": "no id!", "expires": ""}).status_code == 400
    form = {"items": "CVE-2024-3094\nCVE-2024-3095, CVE-2024-3094", "expires": "2020-01-01"}
    assert admin.post("/harbor/configuration/security", form).status_code == 302
    assert CVEAllowlist.objects.get(project=None).items == ["CVE-2024-3094", "CVE-2024-3095"]
    assert "has expired" in admin.get("/harbor/configuration/security").content.decode()


def test_robots_of_the_system(world: World, admin: Client) -> None:
    path = "/harbor/robot-accounts/new"
    form = {"name": "deployer", "description": "Ships", "expires": "30", "grants:/": ["catalog:read"]}
    more = admin.post(path, form | {"add": "1", "add_project": "secret"}).content.decode()
    assert 'name="place" value="secret"' in more and 'value="deployer"' in more and "Ships" in more
    placed = form | {"place": ["secret", "*"], "grants:secret": ["repository:pull", "no:such"]}
    refused = admin.post(path, placed)
    assert refused.status_code == 400 and not Robot.objects.filter(name="deployer").exists()
    placed["grants:*"] = ["repository:list"]
    taken = admin.post(path, placed | {"remove": "*"}).content.decode()
    assert 'name="place" value="*"' not in taken
    assert admin.post(path, placed | {"place": ["nowhere"], "grants:nowhere": ["tag:list"]}).status_code == 400
    made = admin.post(path, placed)
    assert made.status_code == 200 and 'id="secret"' in made.content.decode() and "no-store" in made["Cache-Control"]
    robot = Robot.objects.get(name="deployer")
    owned = {(row.kind, row.project_id, str(row)) for row in robot.permissions.all()}
    assert owned == {
        ("system", None, "catalog:read"),
        ("project", world.secret.pk, "repository:pull"),
        ("project", None, "repository:list"),
    }
    base = f"/harbor/robot-accounts/{robot.pk}"
    assert admin.get(base).status_code == admin.get(f"{base}/edit").status_code == 200
    changed = {"description": "Ships more", "expires": "-1", "grants:/": ["catalog:read"]}
    assert admin.post(f"{base}/edit", changed).status_code == 302
    assert robot.permissions.count() == 1
    assert admin.post(f"{base}/state", {"enabled": "0"}).status_code == 302
    robot.refresh_from_db()
    assert robot.disabled and robot.description == "Ships more" and robot.expires_at is None
    assert 'id="secret"' in admin.post(f"{base}/secret", {"overlap": "0", "secret": ""}).content.decode()
    assert admin.post(f"{base}/delete").status_code == 302
    assert not Robot.objects.filter(name="deployer").exists()


def test_lists_cost_the_same_with_many_rows(world: World, admin: Client) -> None:
    paths = ["/harbor/users", "/harbor/robot-accounts", "/harbor/labels", "/harbor/project-quotas", "/harbor/logs"]

    def cost(path: str) -> int:
        cache.clear()
        config.forget()
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(f"{path}?page_size=50").status_code == 200
        return len(queries)

    def grow(word: str, number: int) -> None:
        for position in range(number):
            name = f"{word}-{position}"
            content.user(name)
            content.project(name, world.admin)
            Label.objects.create(name=name, color="#000000")
            robot = Robot.objects.create(name=name, level="system", secret_digest="x")
            robot.permissions.create(kind="project", project=world.secret, resource="tag", action="list")
            AuditLog.objects.create(username=name, operation="create", resource_type="label", resource=name)

    grow("few", 1)
    admin.get("/harbor/projects")  # what is remembered of the session and the storage
    before = {path: cost(path) for path in paths}
    grow("many", 12)
    assert {path: cost(path) for path in paths} == before
    assert max(before.values()) <= 14, before


def test_every_route_is_known(world: World) -> None:
    """A page that nobody may see by accident: each asks for a permission of the system, except the log."""
    client = signed_in(world.outsider)
    for pattern in routes.urlpatterns:
        path = f"/{pattern.pattern}"
        if "<" not in str(pattern.pattern) and not path.startswith("/harbor/logs"):
            assert client.get(path).status_code == 404, path


def test_trusts_of_robots_of_the_system(world: World, admin: Client, developer: Client) -> None:
    robot = Robot.objects.create(name="fleet", level="system", secret_digest="0" * 64)
    base = f"/harbor/robot-accounts/{robot.pk}/trusts"
    assert f'href="{base}"' in admin.get(f"/harbor/robot-accounts/{robot.pk}").content.decode()
    given = {"name": "main", "issuer": "https://gitlab.com", "audience": "registry", "claims": "sub = project_path:*"}
    assert admin.post(f"{base}/new", given).status_code == 400
    given["claims"] = "sub = project_path:team/app:*"
    assert admin.post(f"{base}/new", given)["Location"] == base
    trust = RobotTrust.objects.get(robot=robot)
    shown = admin.get(base).content.decode()
    assert "project_path:team/app:*" in shown and f'href="{base}/new?preset=github"' in shown
    assert admin.post(f"{base}/{trust.pk}", given | {"audience": "other"}).status_code == 302
    assert RobotTrust.objects.get().audience == "other"
    for path in ("", "/new", f"/{trust.pk}", f"/{trust.pk}/delete"):
        assert developer.get(f"{base}{path}").status_code == 404
    in_project = Robot.objects.create(name="ci", level="project", project=world.library, secret_digest="1" * 64)
    assert admin.get(f"/harbor/robot-accounts/{in_project.pk}/trusts").status_code == 404
    assert admin.post(f"{base}/{trust.pk}/delete")["Location"] == base
    assert not RobotTrust.objects.exists()
