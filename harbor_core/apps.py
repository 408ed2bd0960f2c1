from django.apps import AppConfig


class HarborCoreConfig(AppConfig):
    name = "harbor_core"
    label = "harbor_core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from harbor_core import checks  # noqa: F401 - registers the system checks
