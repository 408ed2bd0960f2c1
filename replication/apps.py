from django.apps import AppConfig


class ReplicationConfig(AppConfig):
    name = "replication"
    label = "harbor_replication"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from projects.services import relay
        from replication.services import events

        relay.CONSUMERS.append(events.submit)
