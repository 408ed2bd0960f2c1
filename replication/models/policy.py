from django.db import models
from django.utils import timezone

from replication.models.registry import Registry


class ReplicationPolicy(models.Model):
    """What is copied from where to where, and when (contract 2.13). The end that is None is this registry.

    ``speed`` in KB/s, -1 for no limit. ``platforms``: those of an index that are copied, with commas, empty for all.
    ``window``: the hours in which it copies (replication.services.windows), empty for always. ``replace_count``: -1
    keeps only the last part of a name below the namespace, 0 all of it, n drops the first n parts.
    """

    name = models.CharField(max_length=256, unique=True)
    description = models.TextField(blank=True)
    creator = models.CharField(max_length=512)
    source = models.ForeignKey(Registry, null=True, on_delete=models.PROTECT, related_name="pulling_policies")
    target = models.ForeignKey(Registry, null=True, on_delete=models.PROTECT, related_name="pushing_policies")
    dest_namespace = models.CharField(max_length=255, blank=True)
    replace_count = models.SmallIntegerField(default=-1)
    filters = models.JSONField(default=list)
    trigger = models.CharField(max_length=16, default="manual")
    cron = models.CharField(max_length=256, blank=True)
    replicate_deletion = models.BooleanField(default=False)
    override = models.BooleanField(default=False)
    enabled = models.BooleanField(default=False)
    speed = models.IntegerField(default=-1)
    copy_by_chunk = models.BooleanField(default=False)
    single_active = models.BooleanField(default=False)
    platforms = models.CharField(max_length=2048, blank=True, db_default="", default="")
    window = models.CharField(max_length=11, blank=True, db_default="", default="")
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["-creation_time", "-id"], name="replication_policy_listing")]

    def __str__(self) -> str:
        return self.name

    @property
    def platform_list(self) -> list[str]:
        return self.platforms.split(",") if self.platforms else []
