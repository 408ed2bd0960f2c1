"""Personal tokens: what they open and what not, when they end, and how they are managed."""

import base64
import re
import string
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth import bearer, credentials, guard, last_used, personal_tokens, rbac
from auth.models import PersonalToken, User
from auth.scopes import Scope, TokenScope, with_implied
from auth.services import users as user_services
from harbor_core.lib.errors import HarborError
from harbor_core.registry import authorize
from projects import access
from projects.models import Member, Project
from tests.auth.personal import EVERYTHING, TOKENS, actions, make_token, signed_in
from tests.cast import PERSONAS, World, actor_of, configure, forget_everything, make_project, push_image
from tests.security.rows import ROWS
from tests.security.things import named

# ---------------------------------------------------------------------- the secret


def test_the_secret_can_be_recognised() -> None:
    secrets = {personal_tokens.generate() for _ in range(200)}
    assert len(secrets) == 200
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for secret in secrets:
        assert re.fullmatch(r"hbr_[0-9A-Za-z]{46}", secret)
        number = 0
        for character in secret[44:]:
            number = number * 62 + alphabet.index(character)
        assert number == zlib.crc32(secret[4:44].encode())
        assert personal_tokens.is_token(secret)


def test_what_is_no_token_is_told_at_once() -> None:
    secret = personal_tokens.generate()
    other = "A" if secret[10] != "A" else "B"
    for text in ("", "hbr_", secret[:-1], secret + "A", "x" + secret, secret.upper(), secret[:10] + other + secret[11:],
                 "hbr_" + "é" * 46, secret + "\n"):  # fmt: skip
        assert not personal_tokens.is_token(text), text


def test_only_a_keyed_digest_is_stored(world: World, settings: Any) -> None:
    secret = make_token(world.users["developer"], "pull")
    token = PersonalToken.objects.get()
    assert secret not in repr(vars(token)) and len(token.secret_digest) == 64
    settings.SECRET_KEY = "another key that is long enough to be one"
    assert signed_in(world.users["developer"], secret) is None


# ---------------------------------------------------------------------- whom it stands for


def test_as_a_password_and_as_a_bearer(world: World) -> None:
    developer = world.users["developer"]
    secret = make_token(developer, "pull", "api:read")
    actor = signed_in(developer, secret)
    assert actor is not None
    token = PersonalToken.objects.get()
    assert (actor.user_id, actor.name, actor.key) == (developer.pk, "developer", f"t:{token.pk}")
    assert credentials.authenticate_header(f"bearer {secret}", "") is not None
    for path in ("users/current", "projects/team"):
        assert world.api(f"developer:{secret}", "GET", path).status_code == 200
        answer = world.api("anonymous", "GET", path, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
    assert world.api(f"developer:{secret}", "GET", "users/current").json()["username"] == "developer"


def test_it_belongs_to_one_account(world: World) -> None:
    secret = make_token(world.users["developer"], *EVERYTHING)
    assert signed_in(world.users["guest"], secret) is None
    assert credentials.authenticate_header("Bearer " + personal_tokens.generate(), "") is None
    assert credentials.authenticate_header("Bearer", "") is None
    assert credentials.authenticate_header("Bearer x.y.z", "") is None


@pytest.mark.parametrize("mode", ["db_auth", "ldap_auth", "oidc_auth", "uaa_auth", "http_auth"])
def test_in_every_way_of_signing_in(world: World, mode: str) -> None:
    configure(auth_mode=mode)
    secret = make_token(world.users["developer"], "pull")
    assert actions(signed_in(world.users["developer"], secret)) == {"pull"}


def test_it_ends(world: World) -> None:
    developer = world.users["developer"]
    secret = make_token(developer, "pull", expires_at=timezone.now() + timedelta(seconds=60))
    assert signed_in(developer, secret)
    PersonalToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert signed_in(developer, secret) is None
    PersonalToken.objects.update(expires_at=None)
    assert signed_in(developer, secret)
    User.objects.filter(pk=developer.pk).update(deleted=True)
    assert signed_in(developer, secret) is None


def test_a_deleted_account_leaves_no_tokens(world: World) -> None:
    make_token(world.users["developer"], "pull")
    make_token(world.users["guest"], "pull")
    user_services.delete(world.actor("sysadmin"), world.users["developer"].pk)
    assert PersonalToken.objects.get().user_id == world.users["guest"].pk


def test_it_is_as_cheap_as_a_robot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement, nothing counted, no slow hash; also for one that is wrong."""

    def called(*args: Any, **options: Any) -> None:
        raise AssertionError("called")

    for name in ("check", "failed", "succeeded"):
        monkeypatch.setattr(guard, name, called)
    monkeypatch.setattr(credentials, "check_local_password", called)
    developer = world.users["developer"]
    secret = make_token(developer, "pull")
    for wanted in (secret, personal_tokens.generate()):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert (signed_in(developer, wanted) is not None) == (wanted == secret)
        assert len(queries) == 1


def test_last_use_is_written_at_most_once_in_five_minutes(world: World) -> None:
    developer = world.users["developer"]
    secret = make_token(developer, "pull")

    def used() -> Any:
        assert signed_in(developer, secret)
        last_used.flush()
        token = PersonalToken.objects.get()
        return token.last_used_at, token.last_used_address

    first = used()
    assert first[0] is not None and first[1] == "192.0.2.1"
    assert used() == first
    PersonalToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=5, seconds=1), last_used_address="")
    assert used() > first


# ---------------------------------------------------------------------- what it narrows


@pytest.mark.parametrize(
    ("scopes", "persona", "granted"),
    [
        (("pull",), "developer", {"pull"}),
        (("push",), "developer", {"pull", "push"}),
        (("delete",), "maintainer", {"delete"}),
        (("pull", "push", "delete"), "maintainer", {"pull", "push", "delete"}),
        (("pull", "push", "delete"), "developer", {"pull", "push"}),
        (("pull", "push", "delete"), "guest", {"pull"}),
        (("push", "delete"), "outsider", set()),
        (("api:read",), "maintainer", set()),
        (("api:write",), "maintainer", {"delete"}),
        ((), "maintainer", set()),
        (("pull", "push", "delete"), "sysadmin", set()),
        (("pull", "push", "delete", "admin"), "sysadmin", {"pull", "push", "delete"}),
        (("admin",), "sysadmin", set()),
        (("pull", "admin"), "developer", {"pull"}),
    ],
)
def test_registry_actions(world: World, scopes: tuple[str, ...], persona: str, granted: set[str]) -> None:
    user = world.users[persona]
    assert actions(signed_in(user, make_token(user, *scopes))) == granted


def test_it_follows_its_owner(world: World) -> None:
    developer = world.users["developer"]
    secret = make_token(developer, *EVERYTHING)
    assert actions(signed_in(developer, secret)) == {"pull", "push"}
    Member.objects.filter(user=developer).update(role=rbac.Role.GUEST)
    forget_everything()
    assert actions(signed_in(developer, secret)) == {"pull"}
    Member.objects.filter(user=developer).delete()
    forget_everything()
    assert actions(signed_in(developer, secret)) == set()


def test_an_administrator_no_more(world: World) -> None:
    user = world.users["sysadmin"]
    secret = make_token(user, "admin", "api:write")
    assert world.api(f"admin:{secret}", "GET", "projects/team").status_code == 200
    User.objects.filter(pk=user.pk).update(sysadmin_flag=False)
    assert world.api(f"admin:{secret}", "GET", "projects/team").status_code == 403


def test_limited_to_projects(world: World) -> None:
    developer = world.users["developer"]
    other = make_project("other", developer)
    public = make_project("open", world.users["sysadmin"], public=True)
    for project in (other, public):
        Member.objects.create(project=project, user=developer, role=rbac.Role.DEVELOPER)
    secret = make_token(developer, *EVERYTHING, projects=(world.project,))
    actor = signed_in(developer, secret)
    assert actor is not None
    assert actions(actor) == {"pull", "push"}
    assert actions(actor, "other/app") == set()
    assert actions(actor, "open/app") == {"pull"}  # as anybody
    assert actions(signed_in(developer, make_token(developer, "api:read", projects=(other,))), "open/app") == set()
    login = f"developer:{secret}"
    shown = {row["name"] for row in world.api(login, "GET", "projects").json()}
    assert shown == {row["name"] for row in world.api("developer", "GET", "projects").json()} - {"other"}
    assert {"team", "open"} <= shown
    assert world.api(login, "GET", "projects/other").status_code == 403
    assert world.api(login, "GET", "projects/team").status_code == 200
    assert world.api(login, "GET", "statistics").json()["private_project_count"] == 1
    push_image(actor_of(developer), "other/app", "1.0")
    push_image(actor_of(developer), "team/app", "2.0")
    assert {row["name"] for row in world.api(login, "GET", "repositories").json()} == {"team/app"}
    # A project made with it would be outside the limit.
    assert world.api(login, "POST", "projects", {"project_name": "mine"}).status_code == 403
    free = make_token(developer, *EVERYTHING)
    assert world.api(f"developer:{free}", "POST", "projects", {"project_name": "mine"}).status_code == 201


def test_a_limit_outlives_its_project(world: World) -> None:
    """A token whose only project is gone does not open all the others."""
    developer = world.users["developer"]
    gone = make_project("gone", developer)
    secret = make_token(developer, *EVERYTHING, projects=(gone,))
    Project.objects.filter(pk=gone.pk).update(deleted=True, name="gone#9")
    assert actions(signed_in(developer, secret)) == set()
    (row,) = world.api("developer", "GET", TOKENS).json()
    assert row["projects"] == [{"project_id": gone.pk}]


def test_own_permissions(world: World) -> None:
    def names(login: str, scope: str) -> set[str]:
        rows = world.api(login, "GET", f"users/current/permissions?scope={scope}&relative=true").json()
        return {f"{row['resource']}:{row['action']}" for row in rows}

    admin, developer = world.users["sysadmin"], world.users["developer"]
    reading = names(f"developer:{make_token(developer, 'api:read', 'pull')}", f"/project/{world.project.pk}")
    assert {"repository:pull", "artifact:list"} <= reading
    assert not {name for name in reading if name.endswith((":create", ":update", ":delete", ":push"))}
    everything = names(f"admin:{make_token(admin, 'admin', *EVERYTHING)}", "")
    assert "configuration:update" in everything and "user:list" in everything
    assert not everything & {"user:create", "user:update", "user:delete"}
    assert names(f"admin:{make_token(admin, *EVERYTHING)}", "") == set()


def test_scopes_are_a_part_of_what_there_is() -> None:
    """Every permission is reached by some scope, except those over accounts; more scopes never mean less."""
    every = rbac.ALL_PROJECT_PERMISSIONS | rbac.ALL_SYSTEM_PERMISSIONS
    whole = TokenScope(with_implied(list(Scope))).permissions
    assert every - whole == {"user:create", "user:update", "user:delete", "ldap-user:create"}
    for scope in Scope:
        assert TokenScope(with_implied([scope])).permissions <= whole
    assert with_implied(["push", "api:write", "nonsense"]) == {"push", "pull", "api:write", "api:read"}


_MANAGED = re.compile(r"users($|/)")


def test_every_route(world: World) -> None:
    """With both API scopes a token is answered as its owner, except where accounts and tokens are managed; with the one
    for reading it changes nothing; without any it gets nowhere."""
    developer = world.users["developer"]
    write, read, pull = (
        make_token(developer, *EVERYTHING),
        make_token(developer, "api:read"),
        make_token(developer, "pull", "push", "delete"),
    )
    there = named(world)
    differing = []
    for row in ROWS:
        reads = row.verb in ("GET", "HEAD")
        managed = _MANAGED.match(row.route) and (not reads or "tokens" in row.route)
        as_owner = 403 if managed else row.expected[PERSONAS.index("developer")]
        for secret, expected in ((write, as_owner), (read, as_owner if reads else 403), (pull, 403)):
            with transaction.atomic():
                path = row.path.format(**there)
                status = world.api(f"developer:{secret}", row.verb, path, row.body).status_code
                transaction.set_rollback(True)
            forget_everything()
            if status != expected:
                differing.append((row.verb, row.path, status, expected))
    assert differing == []


def test_writing(world: World) -> None:
    login = f"developer:{make_token(world.users['developer'], 'api:write')}"
    tag = {"name": "new"}
    path = "projects/team/repositories/app/artifacts/1.0/tags"
    assert (
        world.api(f"developer:{make_token(world.users['developer'], 'api:read')}", "POST", path, tag).status_code == 403
    )
    assert world.api(login, "POST", path, tag).status_code == 201
    assert world.api(login, "PUT", "projects/team", {"metadata": {"public": "true"}}).status_code == 403


def test_it_manages_nobody(world: World) -> None:
    """Whatever its scopes, and also of a system administrator."""
    admin = world.users["sysadmin"]
    login = f"admin:{make_token(admin, 'admin', *EVERYTHING)}"
    outsider = world.users["outsider"].pk
    for verb, path, body in (
        ("POST", "users", {"username": "new", "realname": "New", "password": "Passw0rd-1"}),
        ("PUT", f"users/{outsider}", {"comment": "x"}),
        ("PUT", f"users/{admin.pk}", {"comment": "x"}),
        ("DELETE", f"users/{outsider}", None),
        ("PUT", f"users/{outsider}/password", {"new_password": "Passw0rd-2"}),
        ("PUT", f"users/{admin.pk}/password", {"old_password": "x", "new_password": "Passw0rd-2"}),
        ("PUT", f"users/{outsider}/sysadmin", {"sysadmin_flag": True}),
        ("PUT", f"users/{admin.pk}/cli_secret", {"secret": "Passw0rd-2"}),
        ("POST", "/api/internal/renameadmin", None),
        ("POST", TOKENS, {"name": "more", "scopes": ["pull"]}),
        ("GET", TOKENS, None),
        ("GET", f"users/{outsider}/tokens", None),
        ("DELETE", f"users/{outsider}/tokens", None),
    ):
        assert world.api(login, verb, path, body).status_code == 403, (verb, path)
    assert world.api(login, "GET", f"users/{outsider}").status_code == 200


def test_it_opens_no_session(world: World) -> None:
    form = {"principal": "developer", "password": make_token(world.users["developer"], *EVERYTHING)}
    assert Client().post("/c/login", form).status_code == 401


# ---------------------------------------------------------------------- /v2


@pytest.mark.usefixtures("token_keys")
class TestRegistry:
    def token(self, world: World, secret: str, scope: str = "repository:team/app:pull,push,delete") -> str:
        header = "Basic " + base64.b64encode(f"developer:{secret}".encode()).decode()
        query = {"service": "harbor-registry", "scope": scope}
        answer = Client().get("/service/token", query, headers={"Authorization": header})
        assert answer.status_code == 200
        return str(answer.json()["token"])

    def test_registry_tokens_carry_what_is_left(self, world: World) -> None:
        secret = make_token(world.users["developer"], "push")
        grant = bearer.verify(self.token(world, secret))
        assert grant is not None
        assert grant.access == {"repository:team/app": frozenset({"pull", "push"})}
        assert (grant.name, grant.subject) == ("developer", f"t:{PersonalToken.objects.get().pk}")

    def test_they_end_with_it(self, world: World) -> None:
        secret = make_token(world.users["developer"], "pull")
        environ = {"HTTP_AUTHORIZATION": f"Bearer {self.token(world, secret)}", "HTTP_HOST": "localhost:8080"}
        assert authorize.authorize(environ, "team/app", "pull").actor.name == "developer"
        with pytest.raises(HarborError):
            authorize.authorize(environ, "team/app", "push")
        for end in (
            lambda: PersonalToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
            lambda: PersonalToken.objects.all().delete(),
        ):
            end()
            access.forget()  # in other processes: ACCESS_CACHE_SECONDS
            with pytest.raises(HarborError) as caught:
                authorize.authorize(environ, "team/app", "pull")
            assert caught.value.status == 401
            PersonalToken.objects.update(expires_at=None)
            access.forget()

    def test_basic(self, world: World) -> None:
        secret = make_token(world.users["developer"], "pull")
        basic = "Basic " + base64.b64encode(f"developer:{secret}".encode()).decode()
        environ = {"HTTP_AUTHORIZATION": basic, "HTTP_HOST": "localhost:8080"}
        assert authorize.authenticate(environ).name == "developer"
        assert authorize.authorize(environ, "team/app", "pull").actor.scope is not None
        with pytest.raises(HarborError):
            authorize.authorize(environ, "team/app", "push")

    def test_two_tokens_of_one_user_are_told_apart(self, world: World) -> None:
        """What one may is not remembered for the other, nor for the owner."""
        developer = world.users["developer"]
        wide, narrow = make_token(developer, "push"), make_token(developer, "pull")
        assert actions(signed_in(developer, wide)) == {"pull", "push"}
        assert actions(signed_in(developer, narrow)) == {"pull"}
        assert actions(world.actor("developer")) == {"pull", "push"}
        assert actions(signed_in(developer, narrow)) == {"pull"}


def test_keys_of_no_sort_name_nobody(world: World) -> None:
    for key in (
        "",
        "t:",
        "t:0",
        "t:-1",
        "t:x",
        "t:²",
        "t:" + "9" * 30,
        "u:424242",
        "r:424242",
        "f:424242",
        "x:1",
        "t:1:2",
    ):
        assert access.actor_of_key(key) is None, key
