from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    label = "harbor_portal"
    default_auto_field = "django.db.models.BigAutoField"
