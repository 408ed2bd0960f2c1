"""What the roles in a project mean, in words (the permissions themselves: auth.rbac)."""

from django.utils.translation import gettext_lazy as _

from auth.rbac import Role

ROLES = {
    Role.PROJECT_ADMIN: (
        _("Project admin"),
        _("does everything in the project: members, robot accounts, settings, and deletes it"),
    ),
    Role.MAINTAINER: (
        _("Maintainer"),
        _("pushes, pulls and deletes; manages labels and tag rules; sees webhooks and settings"),
    ),
    Role.DEVELOPER: (_("Developer"), _("pushes and pulls, labels artifacts, creates tags; deletes nothing")),
    Role.GUEST: (_("Guest"), _("pulls, and sees members, labels and robot accounts")),
    Role.LIMITED_GUEST: (_("Limited guest"), _("pulls and sees repositories, nothing else")),
}
