"""One route table per surface: /v2, /api, tokens and sign-in, the portal.

The gateway's questions never get here: they are answered in front of Django (harbor_core.registry.fast).
"""

from django.urls import include, path

from harbor_core.api.metrics import metrics

urlpatterns = [
    path("api/", include("harbor_core.api.urls")),
    path("_metrics", metrics),  # the gateway leads there from an address of its own
    path("", include("harbor_core.registry.urls")),
    path("", include("auth.urls")),
    path("", include("portal.urls")),
]

handler403 = "portal.views.errors.denied"
handler404 = "portal.views.errors.not_found"
handler500 = "portal.views.errors.server_error"
