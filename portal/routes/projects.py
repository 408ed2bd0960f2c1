"""Pages of a project besides its repositories."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views import trusts
from portal.views.project import (
    configuration,
    immutability,
    labels,
    life,
    logs,
    members,
    robots,
    summary,
    webhooks,
)

_PROJECT = "harbor/projects/<str:project>"
_ROBOT = f"{_PROJECT}/robot-accounts/<int:robot>"
_RULE = f"{_PROJECT}/immutable-tags/<int:rule>"
_WEBHOOK = f"{_PROJECT}/webhooks/<int:webhook>"

urlpatterns = [
    path("harbor/new-project", life.create, name="project-new"),
    path(f"{_PROJECT}/delete", life.delete, name="project-delete"),
    path(f"{_PROJECT}/summary", summary.summary, name="project-summary"),
    path(f"{_PROJECT}/configuration", configuration.configuration, name="project-configuration"),
    path(f"{_PROJECT}/logs", logs.log_list, name="project-logs"),
    path(f"{_PROJECT}/logs.csv", logs.log_export, name="project-logs-csv"),
    path(f"{_PROJECT}/members", members.member_list, name="members"),
    path(f"{_PROJECT}/members/new", members.add, name="member-new"),
    path(f"{_PROJECT}/members/candidates", members.candidates, name="member-candidates"),
    path(f"{_PROJECT}/members/role", members.change_roles, name="member-roles"),
    path(f"{_PROJECT}/members/remove", members.remove, name="members-remove"),
    path(f"{_PROJECT}/labels", labels.label_list, name="labels"),
    path(f"{_PROJECT}/labels/new", labels.create, name="label-new"),
    path(f"{_PROJECT}/labels/<int:label>", labels.edit, name="label"),
    path(f"{_PROJECT}/labels/<int:label>/delete", labels.delete, name="label-delete"),
    path(f"{_PROJECT}/robot-accounts", robots.robot_list, name="robots"),
    path(f"{_PROJECT}/robot-accounts/new", robots.create, name="robot-new"),
    path(_ROBOT, robots.robot_detail, name="robot"),
    path(f"{_ROBOT}/edit", robots.edit, name="robot-edit"),
    path(f"{_ROBOT}/secret", robots.secret, name="robot-secret"),
    path(f"{_ROBOT}/state", robots.toggle, name="robot-toggle"),
    path(f"{_ROBOT}/delete", robots.delete, name="robot-delete"),
    path(f"{_ROBOT}/trusts", trusts.trust_list, name="trusts"),
    path(f"{_ROBOT}/trusts/new", trusts.create, name="trust-new"),
    path(f"{_ROBOT}/trusts/<int:trust>", trusts.edit, name="trust"),
    path(f"{_ROBOT}/trusts/<int:trust>/delete", trusts.delete, name="trust-delete"),
    path(f"{_PROJECT}/immutable-tags", immutability.rule_list, name="immutable-rules"),
    path(f"{_PROJECT}/immutable-tags/new", immutability.create, name="immutable-rule-new"),
    path(f"{_PROJECT}/immutable-tags/preview", immutability.preview, name="immutable-rule-preview"),
    path(_RULE, immutability.edit, name="immutable-rule"),
    path(f"{_RULE}/state", immutability.toggle, name="immutable-rule-toggle"),
    path(f"{_RULE}/delete", immutability.delete, name="immutable-rule-delete"),
    path(f"{_PROJECT}/webhooks", webhooks.webhook_list, name="webhooks"),
    path(f"{_PROJECT}/webhooks/new", webhooks.create, name="webhook-new"),
    path(_WEBHOOK, webhooks.edit, name="webhook"),
    path(f"{_WEBHOOK}/state", webhooks.toggle, name="webhook-toggle"),
    path(f"{_WEBHOOK}/delete", webhooks.delete, name="webhook-delete"),
]
add(
    Entry(Section.PROJECT, 10, "portal:project-summary", _("Summary"), "gauge", "project:read"),
    Entry(Section.PROJECT, 30, "portal:members", _("Members"), "users", "member:list"),
    Entry(Section.PROJECT, 40, "portal:labels", _("Labels"), "tags", "label:list"),
    Entry(Section.PROJECT, 50, "portal:robots", _("Robot accounts"), "bot", "robot:list"),
    Entry(Section.PROJECT, 60, "portal:immutable-rules", _("Tag immutability"), "shield", "immutable-tag:list"),
    Entry(Section.PROJECT, 70, "portal:webhooks", _("Webhooks"), "webhook", "notification-policy:list"),
    Entry(Section.PROJECT, 80, "portal:project-logs", _("Logs"), "scroll-text", "log:list"),
    Entry(Section.PROJECT, 90, "portal:project-configuration", _("Configuration"), "settings", "configuration:read"),
)
