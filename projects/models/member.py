from django.conf import settings
from django.db import models
from django.utils import timezone


class Member(models.Model):
    """A role of one user or one group in one project. Role ids are auth.rbac.Role."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey("harbor_auth.UserGroup", null=True, on_delete=models.CASCADE, related_name="memberships")
    role = models.IntegerField()
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="member_user_once"),
            models.UniqueConstraint(fields=["project", "group"], name="member_group_once"),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) ^ models.Q(group__isnull=False), name="member_user_or_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.role}"
