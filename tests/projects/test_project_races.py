"""What is put into a project, or hangs on one, while that is being deleted; groups that two want at once."""

from functools import partial

import pytest

from auth.models import UserGroup
from auth.services import groups
from auth.services import users as user_service
from auth.services.groups import GroupReference
from projects.models import Member, Project, WebhookPolicy
from projects.services import members, projects, webhooks
from projects.services.members import UserReference
from replication.models import Registry
from replication.services import registries
from tests.cast import actor_of, configure, make_project, make_user
from tests.projects.test_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
ROUNDS = 6
HOOK = {
    "name": "hook",
    "description": "",
    "enabled": True,
    "event_types": ["PUSH_ARTIFACT"],
    "targets": [
        {
            "type": "http",
            "address": "https://hook.example",
            "auth_header": "",
            "skip_cert_verify": False,
            "payload_format": "",
        }
    ],
}


def test_nothing_is_put_into_a_project_that_goes() -> None:
    owner = make_user("owner", sysadmin_flag=True)
    actor = actor_of(owner)
    for number in range(ROUNDS):
        project = make_project(f"team-{number}", owner)
        new = make_user(f"new-{number}")
        added, hooked, deleted = at_once(
            partial(members.add, actor, project, 2, user=UserReference(new.pk)),
            partial(webhooks.create, actor, project, HOOK),
            partial(projects.delete, actor, project.pk),
        )
        assert deleted is None
        assert isinstance(added, Member) or added == "NOT_FOUND"
        assert isinstance(hooked, WebhookPolicy) or hooked == "NOT_FOUND"
        assert not Member.objects.filter(project=project).exists()
        assert not WebhookPolicy.objects.filter(project=project).exists()


def test_a_registry_goes_or_is_proxied() -> None:
    actor = actor_of(make_user("root", sysadmin_flag=True))
    for number in range(ROUNDS):
        registry = Registry.objects.create(name=f"hub-{number}", type="docker-hub", url="https://hub.docker.com")
        name = f"cache-{number}"
        created, deleted = at_once(
            partial(projects.create, actor, name, values={}, registry_id=registry.pk),
            partial(registries.delete, actor, registry.pk),
        )
        there = Registry.objects.filter(pk=registry.pk).exists()
        assert Project.objects.filter(name=name).exists() is there
        assert (created == "BAD_REQUEST", deleted == "PRECONDITION") == (not there, there)


def test_an_account_goes_or_becomes_a_member() -> None:
    owner = make_user("owner", sysadmin_flag=True)
    actor, project = actor_of(owner), make_project("team", owner)
    for number in range(ROUNDS):
        user = make_user(f"new-{number}")
        added, deleted = at_once(
            partial(members.add, actor, project, 2, user=UserReference(user.pk)),
            partial(user_service.delete, actor, user.pk),
        )
        assert deleted is None
        assert isinstance(added, Member) or added == "NOT_FOUND"
        assert not Member.objects.filter(user=user).exists()


def test_a_group_goes_or_becomes_a_member() -> None:
    owner = make_user("owner", sysadmin_flag=True)
    actor, project = actor_of(owner), make_project("team", owner)
    for number in range(ROUNDS):
        group = UserGroup.objects.create(group_name=f"crew-{number}", group_type=3)
        added, deleted = at_once(
            partial(members.add, actor, project, 2, group=GroupReference(group.pk)),
            partial(groups.delete, actor, group.pk),
        )
        assert deleted is None
        assert isinstance(added, Member) or added == "NOT_FOUND"
    assert not Member.objects.filter(group__isnull=False).exists()


def test_two_projects_make_one_group_on_demand() -> None:
    configure(auth_mode="oidc_auth")
    owner = make_user("owner", sysadmin_flag=True)
    actor = actor_of(owner)
    teams = [make_project(f"team-{number}", owner) for number in range(4)]
    added = at_once(*[partial(members.add, actor, team, 2, group=GroupReference(name="crew")) for team in teams])
    assert all(isinstance(member, Member) for member in added), added
    assert UserGroup.objects.count() == 1


def test_one_directory_entry_is_one_group() -> None:
    configure(auth_mode="ldap_auth")
    actor = actor_of(make_user("root", sysadmin_flag=True))
    dn = "cn=crew,dc=example,dc=org"
    calls = [partial(groups.create, actor, name=f"crew {number}", group_type=1, dn=dn) for number in range(4)]
    made = at_once(*calls)
    assert sorted(str(one) for one in made if isinstance(one, str)) == ["CONFLICT"] * 3
    assert UserGroup.objects.count() == 1
