"""``/system/purgeaudit``: the log rotation of the audit log."""

from harbor_core.api.base import ID
from harbor_core.lib.schema import obj
from jobservice.api.shapes import HISTORY_FIELDS
from jobservice.api.system_jobs import (
    JobHistory,
    JobLog,
    JobRun,
    JobSchedule,
    SystemJob,
    answers_of,
    permissions_of,
)
from jobservice.services import purge

PURGE = SystemJob("PURGE_AUDIT_LOG", ("system", "purgeaudit"), purge.checked)
PERMISSIONS = permissions_of("purge-audit")
ANSWERS = answers_of(obj("ExecHistory", HISTORY_FIELDS))


class PurgeSchedule(JobSchedule):
    """Parameters: audit_retention_hour, include_event_types (joined by commas), dry_run."""

    job = PURGE
    permissions = PERMISSIONS["schedule"]
    answers = ANSWERS["schedule"]


class PurgeHistory(JobHistory):
    job = PURGE
    permissions = PERMISSIONS["list"]
    answers = ANSWERS["list"]


class PurgeRun(JobRun):
    job = PURGE
    paths = {"purge_id": ID}
    permissions = PERMISSIONS["item"]
    answers = ANSWERS["item"]


class PurgeLog(JobLog):
    job = PURGE
    paths = {"purge_id": ID}
    permissions = PERMISSIONS["log"]
    answers = ANSWERS["log"]
