"""The job service, schedules, log rotation, garbage collection. ``{job}`` is a task that runs, ``{purge}`` the
execution it belongs to, ``{gc}`` a run of the garbage collection, ``{audit}`` a finished storage
audit, ``{auditing}`` one that waits."""

from tests.security.matrix import ACCOUNTS, SYSADMIN, Row

PURGE = {
    "schedule": {"type": "Daily", "cron": "0 0 0 * * *"},
    "parameters": {"audit_retention_hour": 24, "include_event_types": "pull_artifact"},
}
GC = {"schedule": {"type": "Manual"}, "parameters": {"delete_untagged": True, "workers": 2}}
AUDIT = {"schedule": {"type": "Manual"}}
SETTLE = {"action": "delete", "kinds": ["unknown_blob"]}
CREATED = SYSADMIN.replace("200", "201")

ROWS = [
    Row("jobservice/pools", "GET", "jobservice/pools", SYSADMIN),
    Row("jobservice/pools/<str:pool_id>/workers", "GET", "jobservice/pools/all/workers", SYSADMIN),
    Row("jobservice/queues", "GET", "jobservice/queues", SYSADMIN),
    Row("jobservice/queues/<str:job_type>", "PUT", "jobservice/queues/all", SYSADMIN, {"action": "pause"}),
    Row("jobservice/jobs/<str:job_id>", "PUT", "jobservice/jobs/{job}", SYSADMIN),
    Row("jobservice/jobs/<str:job_id>/log", "GET", "jobservice/jobs/{job}/log", SYSADMIN),
    Row("schedules", "GET", "schedules", SYSADMIN),
    Row("schedules/<str:job_type>/paused", "GET", "schedules/all/paused", ACCOUNTS),
    Row("system/purgeaudit", "GET", "system/purgeaudit", SYSADMIN),
    Row("system/purgeaudit/schedule", "GET", "system/purgeaudit/schedule", SYSADMIN),
    Row("system/purgeaudit/schedule", "POST", "system/purgeaudit/schedule", CREATED, PURGE),
    Row("system/purgeaudit/schedule", "PUT", "system/purgeaudit/schedule", SYSADMIN, PURGE),
    Row("system/purgeaudit/<str:purge_id>", "GET", "system/purgeaudit/{purge}", SYSADMIN),
    Row("system/purgeaudit/<str:purge_id>", "PUT", "system/purgeaudit/{purge}", SYSADMIN),
    Row("system/purgeaudit/<str:purge_id>/log", "GET", "system/purgeaudit/{purge}/log", SYSADMIN),
    Row("system/gc", "GET", "system/gc", SYSADMIN),
    Row("system/gc/schedule", "GET", "system/gc/schedule", SYSADMIN),
    Row("system/gc/schedule", "POST", "system/gc/schedule", CREATED, GC),
    Row("system/gc/schedule", "PUT", "system/gc/schedule", SYSADMIN, GC),
    Row("system/gc/state", "GET", "system/gc/state", SYSADMIN),
    Row("system/gc/blobs/<str:digest>", "GET", "system/gc/blobs/{image}", SYSADMIN),
    Row("system/gc/<str:gc_id>", "GET", "system/gc/{gc}", SYSADMIN),
    Row("system/gc/<str:gc_id>", "PUT", "system/gc/{gc}", SYSADMIN),
    Row("system/gc/<str:gc_id>/log", "GET", "system/gc/{gc}/log", SYSADMIN),
    Row("system/storageaudit", "GET", "system/storageaudit", SYSADMIN),
    Row("system/storageaudit/schedule", "GET", "system/storageaudit/schedule", SYSADMIN),
    Row("system/storageaudit/schedule", "POST", "system/storageaudit/schedule", CREATED, AUDIT),
    Row("system/storageaudit/schedule", "PUT", "system/storageaudit/schedule", SYSADMIN, AUDIT),
    Row("system/storageaudit/<str:audit_id>", "GET", "system/storageaudit/{audit}", SYSADMIN),
    Row("system/storageaudit/<str:audit_id>", "PUT", "system/storageaudit/{auditing}", SYSADMIN),
    Row("system/storageaudit/<str:audit_id>/log", "GET", "system/storageaudit/{audit}/log", SYSADMIN),
    Row("system/storageaudit/<str:audit_id>/findings", "GET", "system/storageaudit/{audit}/findings", SYSADMIN),
    Row("system/storageaudit/<str:audit_id>/findings", "POST", "system/storageaudit/{audit}/findings", CREATED, SETTLE),
]
