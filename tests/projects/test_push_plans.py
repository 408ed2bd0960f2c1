"""Pushes into a registry that the database knows nothing about yet."""

import re

import pytest
from django.db import connection

from auth.actor import Actor
from auth.models import User
from projects.services import blobs, push, recording
from tests.cast import actor_of, make_project, make_user, push_image

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
PUSHED = 100
ASKED = 3
LINKS = 3 * PUSHED  # of the repository: config, layer, manifest


@pytest.fixture
def actor() -> Actor:
    return actor_of(make_user("root", sysadmin_flag=True))


@pytest.mark.parametrize("which", ["found", "held", "link"])
def test_statements_read_what_was_asked_for_alone(actor: Actor, which: str) -> None:
    """At worst the links of the repository for each; planners go by sizes they do not know before an ANALYZE."""
    make_project("team", User.objects.get(pk=actor.id))
    for number in range(PUSHED):
        push_image(actor, "team/app", f"v{number}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, digest FROM harbor_projects_blob ORDER BY id DESC LIMIT %s", [ASKED])
        ids, digests = zip(*cursor.fetchall(), strict=True)
        marks = ", ".join(["%s"] * ASKED)
        statement, values = {
            "found": (push._LIVE_BLOBS.format(marks=marks), [*digests, "team/app"]),
            "held": (recording._HOLD_BLOBS.format(marks=marks), ["team/app", *ids, *ids]),
            "link": (blobs._FIND_LINK, ["2020-01-01", "2020-01-01", digests[0], "team/app"]),
        }[which]
        cursor.execute(f"EXPLAIN (ANALYZE) {statement}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for rows, loops in re.findall(r"actual time=\S+ rows=(\d+) loops=(\d+)", plan):
        assert int(rows) * int(loops) <= ASKED * LINKS, plan
    for rows in re.findall(r"Rows Removed by \w+ ?\w*: (\d+)", plan):
        assert int(rows) <= ASKED * LINKS, plan
