"""Requests as the browser sends them."""

from django.test import Client

HTMX = {"HTTP_HX_REQUEST": "true"}
IN_DIALOG = HTMX | {"HTTP_HX_TARGET": "dialog"}


def text(client: Client, path: str, **headers: str) -> str:
    """The page, which must answer with 200."""
    answer = client.get(path, **headers)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()
