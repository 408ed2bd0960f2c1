"""Housekeeping that beat rings for. Everything here may run twice, late or not at all without harm."""

import logging

from celery import shared_task
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore

from projects.services import blobs, quota

logger = logging.getLogger(__name__)


@shared_task
def sweep_uploads() -> int:
    """Cancel upload sessions that nobody may continue any more. Returns how many."""
    swept = blobs.sweep_uploads(settings.UPLOAD_GRANT_HOURS)
    if swept:
        logger.info("cancelled %d abandoned uploads", swept)
    return swept


@shared_task
def sweep_oversized_uploads() -> int:
    """Cancel uploads that outgrew their project's limit while streaming. Returns how many."""
    swept = blobs.sweep_oversized()
    if swept:
        logger.warning("cancelled %d uploads that outgrew their project's limit", swept)
    return swept


@shared_task
def fold_quota() -> int:
    """Add up the usage of projects that have changes waiting. Returns how many projects."""
    return quota.fold_pending()


@shared_task
def clear_sessions() -> None:
    """Remove sessions that have ended."""
    SessionStore.clear_expired()
