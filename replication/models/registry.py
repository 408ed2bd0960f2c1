from django.db import models
from django.utils import timezone


class Registry(models.Model):
    """A remote registry: target or source of replication, upstream of a proxy project.

    ``access_secret``, ``client_key``, ``proxy_password`` and the second of each pair in ``more_credentials`` (access
    key, secret) are stored encrypted. ``type`` names an adapter; ``options`` holds what only some adapters know.
    ``timeout`` in seconds, ``speed`` in KB/s for each process, 0 for what is usual and for no limit.
    """

    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=64)
    url = models.CharField(max_length=512)
    insecure = models.BooleanField(default=False)
    ca_certificate = models.TextField(blank=True)
    credential_type = models.CharField(max_length=16, blank=True)
    access_key = models.TextField(blank=True)
    access_secret = models.TextField(blank=True)
    more_credentials = models.JSONField(null=True)
    client_certificate = models.TextField(blank=True, db_default="", default="")
    client_key = models.TextField(blank=True, db_default="", default="")
    proxy = models.CharField(max_length=512, blank=True, db_default="", default="")
    proxy_password = models.TextField(blank=True, db_default="", default="")
    timeout = models.IntegerField(db_default=0, default=0)
    speed = models.IntegerField(db_default=0, default=0)
    options = models.JSONField(default=dict)
    status = models.CharField(max_length=16, default="healthy")
    creation_time = models.DateTimeField(default=timezone.now)
    update_time = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
