"""Administration of the system, and the audit log."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from portal.navigation import Entry, Section, add
from portal.views import trusts
from portal.views.administration import (
    configuration,
    groups,
    labels,
    logs,
    quotas,
    registries,
    robots,
    system,
    user_tokens,
    users,
)

_TRUSTS = "harbor/robot-accounts/<int:robot>/trusts"
_TOKENS = "harbor/users/<int:user>/tokens"

urlpatterns = [
    path("harbor/logs", logs.log_list, name="logs"),
    path("harbor/logs.csv", logs.log_export, name="logs-csv"),
    path("harbor/users", users.user_list, name="users"),
    path("harbor/users/new", users.create, name="user-new"),
    path("harbor/users/delete", users.delete, name="users-delete"),
    path("harbor/users/<int:user>", users.edit, name="user"),
    path("harbor/users/<int:user>/password", users.password, name="user-password"),
    path("harbor/users/<int:user>/administrator", users.administration, name="user-administrator"),
    path(_TOKENS, user_tokens.token_list, name="user-tokens"),
    path(f"{_TOKENS}/revoke", user_tokens.revoke_all, name="user-tokens-revoke"),
    path(f"{_TOKENS}/<int:token>/revoke", user_tokens.revoke, name="user-token-revoke"),
    path("harbor/groups", groups.group_list, name="groups"),
    path("harbor/groups/new", groups.create, name="group-new"),
    path("harbor/groups/<int:group>", groups.rename, name="group"),
    path("harbor/groups/<int:group>/delete", groups.delete, name="group-delete"),
    path("harbor/robot-accounts", robots.robot_list, name="system-robots"),
    path("harbor/robot-accounts/new", robots.create, name="system-robot-new"),
    path("harbor/robot-accounts/<int:robot>", robots.robot_detail, name="system-robot"),
    path("harbor/robot-accounts/<int:robot>/edit", robots.edit, name="system-robot-edit"),
    path("harbor/robot-accounts/<int:robot>/secret", robots.secret, name="system-robot-secret"),
    path("harbor/robot-accounts/<int:robot>/state", robots.toggle, name="system-robot-toggle"),
    path("harbor/robot-accounts/<int:robot>/delete", robots.delete, name="system-robot-delete"),
    path(_TRUSTS, trusts.trust_list, name="system-trusts"),
    path(f"{_TRUSTS}/new", trusts.create, name="system-trust-new"),
    path(f"{_TRUSTS}/<int:trust>", trusts.edit, name="system-trust"),
    path(f"{_TRUSTS}/<int:trust>/delete", trusts.delete, name="system-trust-delete"),
    path("harbor/registries", registries.registry_list, name="registries"),
    path("harbor/registries/new", registries.create, name="registry-new"),
    path("harbor/registries/<int:registry>", registries.edit, name="registry"),
    path("harbor/registries/<int:registry>/delete", registries.delete, name="registry-delete"),
    path("harbor/labels", labels.label_list, name="system-labels"),
    path("harbor/labels/new", labels.create, name="system-label-new"),
    path("harbor/labels/<int:label>", labels.edit, name="system-label"),
    path("harbor/labels/<int:label>/delete", labels.delete, name="system-label-delete"),
    path("harbor/project-quotas", quotas.quota_list, name="quotas"),
    path("harbor/project-quotas/default", quotas.default, name="quota-default"),
    path("harbor/project-quotas/resync", quotas.resync, name="quota-resync"),
    path("harbor/project-quotas/<int:quota>", quotas.edit, name="quota"),
    path("harbor/configuration", configuration.authentication, name="configuration"),
    path("harbor/configuration/general", configuration.general, name="configuration-general"),
    path("harbor/configuration/banner", configuration.announcement, name="configuration-banner"),
    path("harbor/configuration/security", configuration.security, name="configuration-security"),
    path("harbor/system", system.information, name="system"),
]
add(
    Entry(Section.MAIN, 30, "portal:logs", _("Logs"), "scroll-text", signed_in=True),
    Entry(Section.ADMINISTRATION, 10, "portal:users", _("Users"), "users", "user:list"),
    Entry(Section.ADMINISTRATION, 20, "portal:groups", _("Groups"), "users-round", "user-group:list"),
    Entry(Section.ADMINISTRATION, 30, "portal:system-robots", _("Robot accounts"), "bot", "robot:list"),
    Entry(Section.ADMINISTRATION, 40, "portal:registries", _("Registries"), "server", "registry:list"),
    Entry(Section.ADMINISTRATION, 60, "portal:system-labels", _("Labels"), "tags", "label:list"),
    Entry(Section.ADMINISTRATION, 70, "portal:quotas", _("Quotas"), "gauge", "quota:list"),
    Entry(Section.ADMINISTRATION, 120, "portal:configuration", _("Configuration"), "settings", "configuration:read"),
    Entry(Section.ADMINISTRATION, 130, "portal:system", _("System"), "activity", "system-volumes:read"),
)
