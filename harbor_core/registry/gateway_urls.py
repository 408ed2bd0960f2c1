"""Internal routes: the gateway lets no client reach them. ``/_authz/blob`` is answered by ``fast``."""

from django.urls import path

from harbor_core.registry import gateway

urlpatterns = [
    path("_authz/upload", gateway.upload),
    path("_denied", gateway.denied),
]
