from django.apps import AppConfig


class HarborAuthConfig(AppConfig):
    name = "auth"
    label = "harbor_auth"  # Django's own "auth" holds the other label
    default_auto_field = "django.db.models.BigAutoField"
