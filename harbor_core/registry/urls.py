"""The routes of ``/v2`` (distribution spec 1.1, endpoints end-1 to end-13).

``GET`` and ``HEAD`` of manifests are answered by ``fast`` before they reach this table. Blob bytes and the PATCH and
PUT of uploads are the gateway's, which asks ``/_authz`` first.
"""

from django.urls import path, re_path, register_converter

from harbor_core.registry import blobs, catalog, converters, manifests, referrers, root, tags, uploads
from harbor_core.registry.base import registry_view

register_converter(converters.RepositoryConverter, "repository")
register_converter(converters.ReferenceConverter, "reference")
register_converter(converters.UploadConverter, "upload")

urlpatterns = [
    path("v2", registry_view(GET=root.version, HEAD=root.version)),
    path("v2/", registry_view(GET=root.version, HEAD=root.version)),
    path("v2/_catalog", registry_view(GET=catalog.repositories)),
    path("v2/<repository:name>/tags/list", registry_view(GET=tags.tags)),
    path(
        "v2/<repository:name>/manifests/<reference:reference>",
        registry_view(GET=manifests.get, HEAD=manifests.get, PUT=manifests.put, DELETE=manifests.delete),
    ),
    path("v2/<repository:name>/referrers/<reference:digest>", registry_view(GET=referrers.referrers)),
    path("v2/<repository:name>/blobs/uploads/", registry_view(POST=uploads.start)),
    path("v2/<repository:name>/blobs/uploads", registry_view(POST=uploads.start)),
    path(
        "v2/<repository:name>/blobs/uploads/<upload:upload>",
        registry_view(GET=uploads.status, DELETE=uploads.cancel),
    ),
    path(
        "v2/<repository:name>/blobs/<reference:digest>",
        registry_view(GET=blobs.get, HEAD=blobs.get, DELETE=blobs.delete),
    ),
    re_path(r"^v2/", registry_view(**dict.fromkeys(root.ALL_METHODS, root.unknown))),
]
