"""HARBOR_LOG_FORMAT=json: every line of every program is an object, and a request is followed by its id."""

import json
import logging

import pytest

from harbor_core.lib.logs import JsonFormatter
from tests.support.services import wait_until
from tests.support.stack import Stack


def test_an_entry() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        record = logging.LogRecord(
            "a.b", logging.ERROR, __file__, 1, "it %s\nhere", ("broke",), (ValueError, error, None)
        )
    record.request_id = "r-1"
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "a.b", "it broke\nhere")
    assert entry["request_id"] == "r-1" and "ValueError: broken" in entry["exception"]
    assert entry["time"].endswith("Z")


@pytest.mark.slow
def test_every_line_is_an_object() -> None:
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_LOG_FORMAT="json")
        with stack.client() as client:
            assert client.get("/v2/", headers={"X-Request-Id": "followed-1"}).status_code == 401
        wait_until(lambda: "followed-1" in stack.log, 20, "the request in the log")
        stack.terminate()
        entries = [json.loads(line) for line in stack.log.splitlines() if line]
    loggers = {entry.get("logger", "registry") for entry in entries}
    assert {"harbor", "gateway", "gunicorn.error"} <= loggers
    (request,) = [entry for entry in entries if entry.get("request_id") == "followed-1" and "path" in entry]
    assert (request["method"], request["path"], request["status"]) == ("GET", "/v2/", 401)
