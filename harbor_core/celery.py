"""The Celery application of workers and beat."""

import os

from celery import Celery
from kombu import Queue

from harbor_core.env import env_int
from jobservice.jobs import JOB_TYPES, queue_name

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbor_core.settings")

app = Celery("harbor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A worker consumes all of them unless it is told otherwise (--queues job.GARBAGE_COLLECTION,...).
app.conf.task_queues = [Queue("celery"), *(Queue(name, routing_key=name) for name in map(queue_name, JOB_TYPES))]
app.conf.beat_schedule = {
    "sweep-uploads": {"task": "jobservice.tasks.sweep_uploads", "schedule": 15 * 60},
    "sweep-oversized-uploads": {"task": "jobservice.tasks.sweep_oversized_uploads", "schedule": 30},
    "fold-quota": {"task": "jobservice.tasks.fold_quota", "schedule": 60},
    "check-quota": {"task": "jobservice.tasks.check_quota", "schedule": 5 * 60, "options": {"expires": 5 * 60}},
    "check-registries": {"task": "jobservice.tasks.check_registries", "schedule": 5 * 60},
    "complete-proxy-caches": {
        "task": "jobservice.tasks.complete_proxy_caches",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "purge-trash": {"task": "jobservice.tasks.purge_trash", "schedule": 15 * 60},
    "keep-tag-journal": {"task": "jobservice.tasks.keep_tag_journal", "schedule": 60 * 60},
    "clear-sessions": {"task": "jobservice.tasks.clear_sessions", "schedule": 60 * 60},
}
if minutes := env_int("HARBOR_GC_EVERY_MINUTES", 10, low=0, high=1440):
    app.conf.beat_schedule["collect-garbage"] = {
        "task": "jobservice.tasks.collect_garbage",
        "schedule": minutes * 60,
        "options": {"expires": minutes * 60},
    }
