"""Copies and what may happen to their source and target meanwhile."""

from functools import partial

import pytest

from harbor_core.lib import storage
from projects import access
from projects.models import Artifact, Member, Repository
from projects.selectors.artifacts import artifact_get
from projects.services import artifacts, copies, quota, repositories
from tests.cast import actor_of, make_project, make_user, push_image
from tests.projects.test_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_copies_deletes_and_pushes_at_once() -> None:
    owner = make_user("owner")
    actor, project = actor_of(owner), make_project("team", owner)
    Member.objects.create(project=project, user=owner, role=1)
    for number in range(4):
        digest = push_image(actor, "team/source", f"t{number}", layers=3)
        source = artifact_get(Repository.objects.get(name="team/source"), digest)
        target = f"team/target-{number}"
        push_image(actor, target, "old")
        found = access.project_access(actor, "team")
        assert found is not None
        results = at_once(
            partial(copies.copy, actor, found, target, source),
            partial(copies.copy, actor, found, target, source),
            partial(repositories.delete, actor, Repository.objects.get(name=target)),
            partial(artifacts.delete, actor, source),
        )
        assert results[3] in (None, "NOT_FOUND")
        # SERVICE_UNAVAILABLE: the tree of the repository went while something was written into it; try again.
        assert all(result in (None, "NOT_FOUND", "SERVICE_UNAVAILABLE") for result in results[:3]), results
        # Whatever came first: no artifact without its layers.
        for artifact in Artifact.objects.filter(repository__name=target):
            blobs = list(artifact.blobs.values_list("blob__digest", flat=True))
            layers = [blob for blob in blobs if blob != artifact.digest]
            assert None not in storage.linked_sizes(target, layers).values()
            assert storage.backend().size(storage.revision_link(target, artifact.digest)) is not None
        assert quota.used(project.pk) == quota.recount(project.pk)
