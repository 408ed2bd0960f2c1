"""Invariant 3: whatever happens to a project, what is accounted step by step equals a count of what it stores."""

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from harbor_core.lib import media_types as mt
from harbor_core.lib.errors import HarborError
from projects import access
from projects.models import Artifact, Blob, Member, Project, Quota, Repository, Tag, TrashedArtifact
from projects.services import artifacts, copies, quota, repositories, restore, tags, trash
from tests.cast import (
    IMAGE_CONFIG,
    LAYER,
    actor_of,
    configure,
    forget_everything,
    make_project,
    make_user,
    push_manifest,
    put_blob,
)
from tests.support.manifests import push_index, push_signature

T = TypeVar("T")
POOL = [bytes([number]) * size for number, size in enumerate((40, 70, 130, 300, 700, 1500))]  # shared by all images
NAMES = ("a", "b")
_runs = itertools.count()
which = st.integers(0, 10**6)


def pick(items: Sequence[T], number: int) -> T:
    return items[number % len(items)]


class Accounting(RuleBasedStateMachine):
    """Two projects, one of them limited to begin with, and an administrator who does everything to them."""

    def __init__(self) -> None:
        super().__init__()
        self.scope = transaction.atomic()
        self.scope.__enter__()
        run = next(_runs)
        user = make_user(f"root-{run}", sysadmin_flag=True)
        self.actor = actor_of(user)
        self.projects = [make_project(f"p{run}-open", user), make_project(f"p{run}-tight", user, hard=4000)]
        for project in self.projects:
            Member.objects.create(project=project, user=user, role=1)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.scope.__exit__(None, None, None)
        forget_everything()

    def attempt(self, project: Project, call: Any, *arguments: Any) -> None:
        """What is refused for room leaves usage as it is; what is not stays within an enforced limit."""
        before = quota.used(project.pk)
        try:
            call(self.actor, *arguments)
        except quota.QuotaExceeded as refused:
            assert refused.code == "DENIED"
            assert quota.used(project.pk) == before
        except HarborError as refused:
            assert refused.code in ("VIOLATE_FOREIGN_KEY_CONSTRAINT", "PRECONDITION"), refused
            assert quota.used(project.pk) == before
        else:
            hard, after = Quota.objects.get(project=project).hard, quota.used(project.pk)
            assert after <= before or hard == -1 or after <= hard or not self.enforced

    enforced = True

    def artifacts(self, **condition: Any) -> list[Artifact]:
        """In an order that is the same in every run: digests differ, and with them the order of ids of some."""
        found = Artifact.objects.filter(project__in=self.projects, **condition)
        return list(found.select_related("repository", "project").order_by("push_time"))

    def in_trash(self) -> list[TrashedArtifact]:
        rows = TrashedArtifact.objects.filter(project__in=self.projects)
        return list(rows.select_related("project").order_by("push_time", "deleted_at"))

    @rule(project=which, name=st.sampled_from(NAMES), config=which, layers=st.sets(which, max_size=4), tag=which)
    def push(self, project: int, name: str, config: int, layers: set[int], tag: int) -> None:
        target = pick(self.projects, project)
        repository = f"{target.name}/{name}"
        contents = sorted({number % len(POOL) for number in layers})
        manifest = {
            "schemaVersion": 2,
            "mediaType": mt.OCI_MANIFEST,
            "config": {"mediaType": IMAGE_CONFIG} | put_blob(repository, pick(POOL, config)),
            "layers": [{"mediaType": LAYER} | put_blob(repository, POOL[number]) for number in contents],
        }
        self.attempt(target, push_manifest, repository, pick(["", "x", "y", "z"], tag), manifest)

    @precondition(lambda self: self.artifacts(manifest_media_type=mt.OCI_MANIFEST))
    @rule(number=which, others=st.sets(which, max_size=2), tag=st.sampled_from(["", "multi"]))
    def push_index(self, number: int, others: set[int], tag: str) -> None:
        first = pick(self.artifacts(manifest_media_type=mt.OCI_MANIFEST), number)
        beside = self.artifacts(repository=first.repository, manifest_media_type=mt.OCI_MANIFEST)
        children = {first.digest, *(pick(beside, other).digest for other in others)}
        self.attempt(first.project, push_index, first.repository.name, tag, *sorted(children))

    @precondition(lambda self: self.artifacts(manifest_media_type=mt.OCI_MANIFEST))
    @rule(number=which)
    def sign(self, number: int) -> None:
        subject = pick(self.artifacts(manifest_media_type=mt.OCI_MANIFEST), number)
        self.attempt(subject.project, push_signature, subject.repository.name, subject.digest)

    @precondition(lambda self: self.artifacts())
    @rule(number=which, project=which, name=st.sampled_from(NAMES))
    def copy(self, number: int, project: int, name: str) -> None:
        source, target = pick(self.artifacts(), number), pick(self.projects, project)
        found = access.project_access(self.actor, target.name)
        self.attempt(target, copies.copy, found, f"{target.name}/{name}", source)

    @precondition(lambda self: self.artifacts())
    @rule(number=which)
    def delete_artifact(self, number: int) -> None:
        artifact = pick(self.artifacts(), number)
        self.attempt(artifact.project, artifacts.delete, artifact)

    @precondition(lambda self: Tag.objects.filter(repository__project__in=self.projects).exists())
    @rule(number=which)
    def delete_tag(self, number: int) -> None:
        every = Tag.objects.filter(repository__project__in=self.projects).select_related("repository__project")
        tag = pick(list(every.order_by("repository", "name")), number)
        self.attempt(tag.repository.project, tags.delete, tag.repository, tag.name)

    @precondition(lambda self: Repository.objects.filter(project__in=self.projects).exists())
    @rule(number=which)
    def delete_repository(self, number: int) -> None:
        every = Repository.objects.filter(project__in=self.projects).select_related("project")
        repository = pick(list(every.order_by("name")), number)
        self.attempt(repository.project, repositories.delete, repository)

    @precondition(lambda self: self.in_trash())
    @rule(number=which)
    def restore(self, number: int) -> None:
        row = pick(self.in_trash(), number)
        self.attempt(row.project, restore.restore, access.project_access(self.actor, row.project.name), row.pk)

    @precondition(lambda self: self.in_trash())
    @rule(number=which)
    def empty_the_trash(self, number: int) -> None:
        project = pick(self.projects, number)
        self.attempt(project, trash.empty, project.pk, project.name)

    @rule(project=which, hard=st.sampled_from([-1, 1, 500, 2000, 4000, 9000]))
    def limit(self, project: int, hard: int) -> None:
        quota.set_limit(self.actor, pick(self.projects, project).quota.pk, hard)

    @rule()
    def fold(self) -> None:
        quota.fold_pending()

    @rule(on=st.booleans())
    def enforce(self, on: bool) -> None:
        configure(quota_per_project_enable=on)
        self.enforced = on

    @rule()
    def resync(self) -> None:
        assert quota.resync_all() == 0

    @invariant()
    def accounts_are_right(self) -> None:
        for project in self.projects:
            found = quota.check_accounts(project.pk)
            named = Blob.objects.filter(artifacts__artifact__project=project).distinct()
            distinct = sum(dict(named.values_list("pk", "size")).values())
            assert quota.used(project.pk) == found.used == found.counted == quota.recount(project.pk) == distinct
            assert found.miscounted == 0


@pytest.mark.django_db
@pytest.mark.parametrize("examples", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_accounting_equals_a_recount(examples: int) -> None:
    run_state_machine_as_test(
        Accounting,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
