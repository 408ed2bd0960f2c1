from django.apps import AppConfig


class ReplicationConfig(AppConfig):
    name = "replication"
    label = "harbor_replication"
    default_auto_field = "django.db.models.BigAutoField"
