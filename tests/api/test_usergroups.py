"""``/usergroups``."""

import pytest

from auth.models import UserGroup
from harbor_core.models import AuditLog
from tests.cast import World, configure

DN = "cn=crew,ou=groups,dc=example,dc=org"


def make(world: World, **body: object) -> tuple[int, str]:
    made = world.api("sysadmin", "POST", "usergroups", body)
    return made.status_code, made.get("Location", "")


def test_life_of_a_group(world: World) -> None:
    configure(auth_mode="oidc_auth")
    status, location = make(world, group_name="crew", group_type=3)
    group = UserGroup.objects.get()
    assert (status, location) == (201, f"/api/v2.0/usergroups/{group.pk}")
    assert world.api("sysadmin", "GET", location).json() == {"id": group.pk, "group_name": "crew", "group_type": 3}
    assert world.api("sysadmin", "PUT", location, {"group_name": "Crew ☃"}).status_code == 200
    assert world.api("sysadmin", "GET", location).json()["group_name"] == "Crew ☃"
    assert world.api("sysadmin", "PUT", location, {"group_name": ""}).status_code == 400
    assert world.api("sysadmin", "DELETE", location).status_code == 200
    for verb, body in (("GET", None), ("PUT", {"group_name": "x"}), ("DELETE", None)):
        assert world.api("sysadmin", verb, location, body).status_code == 404
    assert sorted(AuditLog.objects.filter(resource_type="user-group").values_list("operation", flat=True)) == [
        "create",
        "delete",
        "update",
    ]


@pytest.mark.parametrize(
    ("mode", "body", "status"),
    [
        ("db_auth", {"group_name": "crew", "group_type": 3}, 400),
        ("oidc_auth", {"group_name": "crew", "group_type": 1, "ldap_group_dn": DN}, 400),
        ("oidc_auth", {"group_name": "crew"}, 400),
        ("oidc_auth", {"group_name": "", "group_type": 3}, 400),
        ("oidc_auth", {"group_name": "x" * 256, "group_type": 3}, 400),
        ("oidc_auth", {"group_name": "x" * 255, "group_type": 3}, 201),
        ("oidc_auth", {"group_name": "crew", "group_type": "3"}, 422),
        ("oidc_auth", {"group_name": "crew", "group_type": 3, "ldap_group_dn": "ignored"}, 201),
        ("http_auth", {"group_name": "crew", "group_type": 2}, 201),
        ("http_auth", {"group_name": "crew", "group_type": 3}, 400),
        ("ldap_auth", {"group_name": "crew", "group_type": 1}, 400),
        ("ldap_auth", {"group_type": 1, "ldap_group_dn": DN}, 201),
        ("ldap_auth", {"group_type": 1, "ldap_group_dn": DN + "," + "x" * 600}, 400),
        ("ldap_auth", {"group_type": 1, "ldap_group_dn": "crew"}, 400),
        ("ldap_auth", {"group_type": 1, "ldap_group_dn": "cn=a,,dc=b"}, 400),
        ("ldap_auth", {"group_type": 1, "ldap_group_dn": r"cn=a\,b + uid=c, ou=Größe"}, 201),
    ],
)
def test_rules(world: World, mode: str, body: dict, status: int) -> None:
    configure(auth_mode=mode)
    assert make(world, **body)[0] == status
    assert UserGroup.objects.count() == (status == 201)


def test_a_group_is_there_once(world: World) -> None:
    configure(auth_mode="oidc_auth")
    assert make(world, group_name="crew", group_type=3)[0] == 201
    assert make(world, group_name="crew", group_type=3)[0] == 409
    other = make(world, group_name="other", group_type=3)[1]
    assert world.api("sysadmin", "PUT", other, {"group_name": "crew"}).status_code == 409
    configure(auth_mode="http_auth")
    assert make(world, group_name="crew", group_type=2)[0] == 201  # another provider's
    configure(auth_mode="ldap_auth")
    assert make(world, group_name="crew", group_type=1, ldap_group_dn=DN)[0] == 201
    assert make(world, group_name="another name", group_type=1, ldap_group_dn=DN.upper())[0] == 409
    assert make(world, group_name="crew", group_type=1, ldap_group_dn=f"{DN},dc=x")[0] == 201


def test_lists_show_groups_of_the_provider_in_use(world: World) -> None:
    for name, kind, dn in (("anna", 3, ""), ("Crew", 3, ""), ("crew", 2, ""), ("ops", 1, DN)):
        UserGroup.objects.create(group_name=name, group_type=kind, ldap_group_dn=dn)

    def names(query: str = "") -> list[tuple[str, int]]:
        rows = world.api("sysadmin", "GET", f"usergroups?{query}").json()
        return [(row["group_name"], row["group_type"]) for row in rows]

    assert len(names()) == 4
    configure(auth_mode="oidc_auth")
    assert sorted(names()) == [("Crew", 3), ("anna", 3)]
    assert names("group_name=CRE") == [("Crew", 3)]
    found = world.api("guest", "GET", "usergroups/search?groupname=cre")
    assert [set(row) for row in found.json()] == [{"id", "group_name", "group_type"}]
    assert found["X-Total-Count"] == "1"
    assert world.api("guest", "GET", "usergroups/search").status_code == 422
    configure(auth_mode="ldap_auth")
    assert names(f"ldap_group_dn={DN.upper()}") == [("ops", 1)]
    assert names("ldap_group_dn=cn%3Dnobody") == []
    assert world.api("sysadmin", "GET", "usergroups?page_size=101").status_code == 422
