from django.apps import AppConfig


class JobserviceConfig(AppConfig):
    name = "jobservice"
    label = "harbor_jobservice"
    default_auto_field = "django.db.models.BigAutoField"
