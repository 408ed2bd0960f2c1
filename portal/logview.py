"""The text of a log while it grows: what the log viewer's script polls."""

import codecs

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from jobservice.models import Task
from jobservice.selectors import executions

OFFSET, END = "X-Log-Offset", "X-Log-End"
_DIGITS_MAX = 15


def offset_of(request: HttpRequest) -> int:
    """How many characters the viewer has already."""
    text = request.GET.get("offset", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else 0


def log_chunk(text: str, *, offset: int, ended: bool) -> HttpResponse:
    """``text`` follows what the viewer has; ``offset`` is what it has then. After ``ended`` it asks no more."""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response[OFFSET] = str(offset)
    response["Cache-Control"] = "no-store"
    if ended:
        response[END] = "true"
    return response


def task_piece(task: Task, offset: int) -> tuple[str, int, bool]:
    """Text from a byte offset, the offset after it, and whether nothing will follow. A character that is written by
    half so far is left for the next time."""
    try:
        piece = executions.task_log(task, offset)
    except HarborError:
        return _("The log of this run is not kept any more."), offset, True
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(piece.data, final=piece.ended)
    return text, piece.next - len(decoder.getstate()[0]), piece.ended
