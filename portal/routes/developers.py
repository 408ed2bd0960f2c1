"""Pages for whoever builds pages."""

from django.urls import path

from portal.views import components

urlpatterns = [
    path("harbor/components", components.components, name="components"),
    path("harbor/components/log", components.component_log, name="component-log"),
    path("harbor/components/confirm", components.component_confirm, name="component-confirm"),
    path("harbor/components/form", components.component_form, name="component-form"),
]
