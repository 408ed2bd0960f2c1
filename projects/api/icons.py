"""``/icons/{digest}``."""

from base64 import b64encode

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import PUBLIC, ApiView
from harbor_core.lib.schema import TEXT, obj
from projects.selectors.icons import icon_get

ICON = obj("Icon", {"content-type": TEXT, "content": TEXT})


class IconItem(ApiView):
    """The image in base64, and its media type."""

    permissions = {"GET": PUBLIC}
    answers = {"GET": ICON}

    def get(self, request: Request, digest: str) -> Response:
        icon = icon_get(digest)
        return Response({"content-type": icon.media_type, "content": b64encode(icon.content).decode()})
