"""A rule that is made while tags move."""

import threading
from functools import partial

import pytest
from django.db import connection, transaction

from harbor_core.lib.errors import HarborError
from projects.models import Member, Repository, Tag
from projects.services import immutability, tags
from tests.cast import actor_of, make_project, make_user, push_image
from tests.projects.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
RULE = {
    "action": "immutable",
    "template": "immutable_template",
    "priority": 0,
    "disabled": False,
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}


@pytest.mark.postgres
def test_a_rule_waits_for_the_change_under_way() -> None:
    """From the moment its maker hears that the rule is there no tag moves: a move that had begun ends before."""
    owner = make_user("owner")
    actor, project = actor_of(owner), make_project("team", owner)
    Member.objects.create(project=project, user=owner, role=1)
    push_image(actor, "team/app", "1")
    repository = Repository.objects.get()
    made = threading.Event()

    def make() -> None:
        try:
            immutability.create(actor, project, RULE)
            made.set()
        finally:
            connection.close()

    maker = threading.Thread(target=make)
    with transaction.atomic():
        immutability.refuse(repository, ["1"])
        maker.start()
        assert not made.wait(0.5)
        Tag.objects.filter(repository=repository, name="1").update(pull_time=None)
    assert made.wait(10)
    maker.join()
    with pytest.raises(HarborError, match="PRECONDITION"):
        tags.delete(actor, repository, "1")


@pytest.mark.postgres
def test_deletes_pushes_and_a_rule_at_once() -> None:
    owner = make_user("owner")
    actor, project = actor_of(owner), make_project("team", owner)
    Member.objects.create(project=project, user=owner, role=1)
    for number in range(4):
        name = f"team/app-{number}"
        push_image(actor, name, "1")
        repository = Repository.objects.get(name=name)
        rule = RULE | {"tag_selectors": [RULE["tag_selectors"][0] | {"pattern": f"**{'*' * number}"}]}
        deleted, pushed, _ = at_once(
            partial(tags.delete, actor, repository, "1"),
            partial(push_image, actor, name, "1"),
            partial(immutability.create, actor, project, rule),
        )
        assert deleted in (None, "PRECONDITION", "NOT_FOUND")
        assert pushed == "PRECONDITION" or str(pushed).startswith("sha256:")
        with pytest.raises(
            HarborError, match="PRECONDITION" if Tag.objects.filter(repository=repository) else "NOT_FOUND"
        ):
            tags.delete(actor, repository, "1")
