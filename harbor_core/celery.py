"""The Celery application of workers and beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "harbor_core.settings")

app = Celery("harbor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "sweep-uploads": {"task": "jobservice.tasks.sweep_uploads", "schedule": 15 * 60},
    "sweep-oversized-uploads": {"task": "jobservice.tasks.sweep_oversized_uploads", "schedule": 30},
    "fold-quota": {"task": "jobservice.tasks.fold_quota", "schedule": 60},
    "clear-sessions": {"task": "jobservice.tasks.clear_sessions", "schedule": 60 * 60},
}
