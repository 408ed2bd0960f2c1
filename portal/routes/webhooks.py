"""Deliveries of webhooks, and the webhooks of the system."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views import webhooks
from portal.views.project import webhooks as policies

_SYSTEM = "harbor/webhooks"


def _below(policy: str, prefix: str = "") -> list[URLPattern]:
    """Below a webhook of a project and of the system alike."""
    delivery = f"{policy}/deliveries/<int:delivery>"
    return [
        path(f"{policy}/ping", webhooks.ping, name=f"{prefix}webhook-ping"),
        path(f"{policy}/secret", webhooks.secret, name=f"{prefix}webhook-secret"),
        path(f"{policy}/secret/remove", webhooks.secret_remove, name=f"{prefix}webhook-secret-remove"),
        path(f"{policy}/deliveries", webhooks.delivery_list, name=f"{prefix}webhook-deliveries"),
        path(delivery, webhooks.delivery_detail, name=f"{prefix}webhook-delivery"),
        path(f"{delivery}/log", webhooks.delivery_log, name=f"{prefix}webhook-delivery-log"),
        path(f"{delivery}/redeliver", webhooks.redeliver, name=f"{prefix}webhook-redeliver"),
    ]


urlpatterns = [
    *_below("harbor/projects/<str:project>/webhooks/<int:webhook>"),
    path(_SYSTEM, policies.webhook_list, name="system-webhooks"),
    path(f"{_SYSTEM}/new", policies.create, name="system-webhook-new"),
    path(f"{_SYSTEM}/<int:webhook>", policies.edit, name="system-webhook"),
    path(f"{_SYSTEM}/<int:webhook>/state", policies.toggle, name="system-webhook-toggle"),
    path(f"{_SYSTEM}/<int:webhook>/delete", policies.delete, name="system-webhook-delete"),
    *_below(f"{_SYSTEM}/<int:webhook>", "system-"),
]
add(Entry(Section.ADMINISTRATION, 78, "portal:system-webhooks", _("Webhooks"), "webhook", "notification-policy:list"))
