from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"
    label = "harbor_projects"
    default_auto_field = "django.db.models.BigAutoField"
