from django.db import models


class SystemConfig(models.Model):
    """One setting an administrator changed; defaults live in harbor_core.services.config."""

    key = models.CharField(max_length=128, primary_key=True)
    value = models.JSONField()
    update_time = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.key
