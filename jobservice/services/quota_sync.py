"""QUOTA_SYNC: count the usage of every project again, while pushes go on."""

from jobservice.worker.context import Context
from projects.models import Project
from projects.services import quota


def run(context: Context) -> None:
    """A project at a time; where usage is right nothing is locked or written."""
    ids = list(Project.objects.filter(deleted=False).order_by("pk").values_list("pk", flat=True))
    wrong = 0
    for number, project_id in enumerate(ids, 1):
        context.check_stop()
        if quota.resync(project_id):
            wrong += 1
            context.log.info("project %d: usage was wrong and is right now", project_id)
        context.progress(number, len(ids))
    context.log.info("%d projects counted, %d corrected", len(ids), wrong)
    context.report_execution(projects=len(ids), corrected=wrong)
