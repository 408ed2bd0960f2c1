"""RETENTION: a task that finds the repositories, and one for each of them."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from auth.actor import system_actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from jobservice.dispatch import TaskSpec
from jobservice.jobs import JobFailed
from jobservice.worker.context import Context
from projects.models import Artifact, Repository, RetentionPolicy, Tag
from projects.selectors import retention as selectors
from projects.selectors.retention import Candidate, Verdict
from projects.services import artifacts

SYSTEM = system_actor("tag retention")
SHOWN_DELETED = 200  # how many a webhook names


def run(context: Context) -> None:
    policy = RetentionPolicy.objects.filter(pk=context.parameters["policy_id"]).select_related("project").first()
    if policy is None or policy.project.deleted:
        raise JobFailed("the policy is gone")
    if "repository_id" in context.parameters:
        _repository(context, policy)
        return
    dry_run = bool(context.parameters.get("dry_run"))
    specs = [
        TaskSpec(
            {"policy_id": policy.pk, "dry_run": dry_run, "repository_id": repository.pk},
            {"repository": repository.name, "total": 0, "retained": 0},
        )
        for repository in selectors.repositories_of(policy)
    ]
    context.log.info("%d repositories are selected by the rules", len(specs))
    context.spawn(specs)


def _repository(context: Context, policy: RetentionPolicy) -> None:
    repository = Repository.objects.filter(pk=context.parameters["repository_id"]).first()
    if repository is None:
        context.log.info("the repository is gone")
        return
    verdicts = selectors.verdicts_of(policy, repository, timezone.now()) or []
    total, retained = selectors.counted(verdicts)
    context.log.info("%s: %d artifacts, %d are kept", repository.name, total, retained)
    _table(context, verdicts)
    context.report(total=total, retained=retained)
    if context.parameters.get("dry_run"):
        context.log.info("this is a dry run: nothing is deleted")
        return
    gone = _delete(context, repository, [verdict.candidate for verdict in verdicts if not verdict.keep])
    context.report(total=total, retained=total - len(gone))
    if verdicts:
        _tell(context, policy, repository, total, gone)


def _table(context: Context, verdicts: Iterable[Verdict]) -> None:
    for verdict in verdicts:
        word = "RETAIN" if verdict.keep and not verdict.immutable else "IMMUTABLE" if verdict.immutable else "DEL"
        tags = ",".join(verdict.candidate.tags) or "-"
        pulled = f"{verdict.candidate.pulled:%Y-%m-%d %H:%M}" if verdict.candidate.pulled else "never"
        context.log.info(
            "%-9s %s %s pushed %s pulled %s: %s",
            word,
            verdict.candidate.digest[:19],
            tags,
            f"{verdict.candidate.pushed:%Y-%m-%d %H:%M}",
            pulled,
            verdict.reason,
        )


def _delete(context: Context, repository: Repository, doomed: list[Candidate]) -> list[Candidate]:
    """Indexes go before what they name, so what an index holds is tried once more. Returns what went."""
    gone: list[Candidate] = []
    for attempt in (1, 2):
        left: list[Candidate] = []
        for candidate in doomed:
            context.check_stop()
            problem = _delete_one(repository, candidate)
            if problem is None:
                gone.append(candidate)
            elif problem.code == "VIOLATE_FOREIGN_KEY_CONSTRAINT" and attempt == 1:
                left.append(candidate)
            else:
                context.log.info("ERR       %s %s", candidate.digest[:19], problem.message)
            context.progress(len(gone), len(doomed))
        doomed = left
    return gone


def _delete_one(repository: Repository, candidate: Candidate) -> HarborError | None:
    """Unless it was pushed, tagged or untagged since it was judged. Returns why it stays."""
    try:
        with transaction.atomic():
            rows = Artifact.objects.select_for_update(of=("self",)).defer("manifest").select_related("repository")
            artifact = rows.filter(pk=candidate.artifact_id).first()
            if artifact is None:
                return HarborError("NOT_FOUND", "it is gone already")
            tags = dict(Tag.objects.filter(artifact=artifact).order_by("pk").values_list("name", "push_time"))
            if tuple(tags) != candidate.tags or max([artifact.push_time, *tags.values()]) != candidate.pushed:
                return HarborError("CONFLICT", "it was pushed or tagged meanwhile")
            artifacts.delete(SYSTEM, artifact)
    except HarborError as error:
        return error
    return None


def _tell(context: Context, policy: RetentionPolicy, repository: Repository, total: int, gone: list[Candidate]) -> None:
    """TAG_RETENTION, for webhooks."""
    deleted: list[dict[str, Any]] = [
        {"type": "artifact", "status": "SUCCESS", "name_tag": f"{repository.name}:{tag}" if tag else repository.name}
        for candidate in gone[:SHOWN_DELETED]
        for tag in (candidate.tags or ("",))
    ]
    with context.hold():
        audit.emit(
            SYSTEM,
            "TAG_RETENTION",
            project_id=policy.project_id,
            repository=repository.name,
            policy_id=policy.pk,
            total=total,
            retained=total - len(gone),
            deleted=deleted,
        )
