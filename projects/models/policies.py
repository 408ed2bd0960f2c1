from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone


class ImmutableRule(models.Model):
    """Tags matched by the selectors cannot be moved or deleted (JSON shapes: Harbor's ImmutableRule)."""

    project = models.ForeignKey("harbor_projects.Project", on_delete=models.CASCADE, related_name="immutable_rules")
    disabled = models.BooleanField(default=False)
    priority = models.IntegerField(default=0)
    tag_selectors = models.JSONField(default=list)
    scope_selectors = models.JSONField(default=dict)
    creation_time = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"immutable rule {self.pk}"


class CVEAllowlist(models.Model):
    """Vulnerabilities that do not count, of one project or (``project`` None) of the system. ``items`` are CVE ids."""

    project = models.OneToOneField(
        "harbor_projects.Project", null=True, on_delete=models.CASCADE, related_name="cve_allowlist"
    )
    items = models.JSONField(default=list)
    expires_at = models.BigIntegerField(null=True)  # epoch seconds, None: never
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(Coalesce("project", 0), name="cve_allowlist_once")  # NULLs are distinct otherwise
        ]

    def __str__(self) -> str:
        return f"CVE allowlist of {self.project_id or 'the system'}"


class WebhookPolicy(models.Model):
    """Which events are posted where: those of a project, or of every project where there is none. The ``auth_header``
    of a target and the ``secret`` that bodies are signed with (empty: they are not) are stored encrypted. Until
    ``previous_secret_until`` they are signed with the secret before as well."""

    project = models.ForeignKey(
        "harbor_projects.Project", null=True, on_delete=models.CASCADE, related_name="webhook_policies"
    )
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    targets = models.JSONField(default=list)
    event_types = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    secret = models.TextField(blank=True, db_default="", default="")
    previous_secret = models.TextField(blank=True, db_default="", default="")
    previous_secret_until = models.DateTimeField(null=True)
    creator = models.CharField(max_length=512)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="webhook_policy_name"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(project__isnull=True), name="system_webhook_policy_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RetentionPolicy(models.Model):
    """Which artifacts of a project are kept when the policy runs; the others are deleted (JSON shapes: Harbor's
    RetentionPolicy). ``cron`` is empty for a policy that is started by hand only.

    Ours: ``keep_newest`` artifacts of every repository stay whatever the rules say, and a run that would delete more
    than ``max_delete_percent`` of a repository leaves it alone (0: no such limit).
    """

    project = models.OneToOneField("harbor_projects.Project", on_delete=models.CASCADE, related_name="retention_policy")
    rules = models.JSONField(default=list)
    cron = models.CharField(max_length=255, blank=True)
    keep_newest = models.IntegerField(default=0)
    max_delete_percent = models.IntegerField(default=0)
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"retention policy of project {self.project_id}"
