"""WEBHOOK and SLACK: post one body to one target, and note what came back.

2xx is success; anything else is tried again with growing pauses for about a day (jobservice.jobs). A redirect is not
followed: the body and the header are meant for the address that was named. Targets inside the private network are
refused unless the operator allows them (harbor_core.lib.ssrf).
"""

import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

from harbor_core.env import env_int
from harbor_core.lib import http, signing, ssrf
from harbor_core.lib.text import storable
from jobservice.jobs import JobFailed, Retry
from jobservice.models import Execution
from jobservice.worker.context import Context
from projects.models import WebhookPolicy
from projects.selectors.webhooks import auth_header, secrets_of, target_of
from projects.services import webhook_events

EXCERPT_BYTES = 4096  # of an answer; the rest is not read
HEADER_CHARS, HEADERS_MAX = 500, 50
UNSHOWN = frozenset({"set-cookie", "authorization", "proxy-authorization"})


def run(context: Context) -> None:
    policy = WebhookPolicy.objects.filter(pk=context.parameters["policy_id"]).select_related("project").first()
    if policy is None or (policy.project and policy.project.deleted):
        raise JobFailed("the webhook policy is gone")
    target = target_of(policy, context.task)
    if target is None:
        raise JobFailed("the webhook policy does not have this target any more")
    payload = Execution.objects.get(pk=context.task.execution_id).extra_attrs["payload"]
    context.check_stop()
    answer = _post(context, target, payload.encode(), _headers(context, policy, target, payload.encode()))
    context.report(response=answer)
    context.log.info("the answer is %d after %.3f s", answer["status"], answer["seconds"])
    if 300 <= answer["status"] < 400:
        raise Retry(f"the answer is a redirect ({answer['status']}), which is not followed")
    if not 200 <= answer["status"] < 300:
        raise Retry(f"the answer is {answer['status']}")


def _headers(context: Context, policy: WebhookPolicy, target: Mapping[str, Any], body: bytes) -> dict[str, str]:
    """Raises JobFailed: what should be authorized or signed is not sent without."""
    cloud = target["payload_format"] == "CloudEvents"
    headers = {
        "Content-Type": "application/cloudevents+json" if cloud else "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": http.USER_AGENT,
    }
    if target["auth_header"]:
        header = auth_header(target)
        if not header:
            raise JobFailed("the target's auth_header cannot be read any more; store it again")
        headers["Authorization"] = header
    if target["type"] == "slack":
        return headers
    keys = secrets_of(policy)
    if policy.secret and not keys:
        raise JobFailed("the secret of the webhook policy cannot be read any more; make a new one")
    message_id = webhook_events.message_id(context.parameters["event_id"])
    return headers | signing.headers(message_id, int(time.time()), body, keys)


def _post(context: Context, target: Mapping[str, Any], body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """What came back: status, headers, an excerpt of the body, seconds. Raises JobFailed, Retry."""
    seconds = env_int("JOBSERVICE_WEBHOOK_JOB_HTTP_CLIENT_TIMEOUT", 3, low=1, high=300)
    url, begun = target["address"], time.monotonic()
    context.log.info("posting %d bytes", len(body))
    try:
        with (
            http.client(url, seconds, begun + seconds, verify=not target["skip_cert_verify"]) as caller,
            caller.stream("POST", url, headers=headers, content=body) as response,
        ):
            excerpt, whole = _excerpt(response)
            return {
                "status": response.status_code,
                "headers": _shown(response.headers),
                "body": storable(excerpt.decode(errors="replace")),
                "truncated": not whole,
                "seconds": round(time.monotonic() - begun, 3),
            }
    except ssrf.RefusedTargetError as exc:
        raise JobFailed(str(exc)) from exc
    except httpx.TimeoutException as exc:
        raise Retry(f"no answer within {seconds} s") from exc
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as exc:
        raise Retry(f"the call failed: {exc}"[:500]) from exc


def _excerpt(response: httpx.Response) -> tuple[bytes, bool]:
    """The beginning of the body, and whether that is all. The status has decided already: a body that breaks off or
    takes too long changes nothing, or the receiver would be told again what it has taken."""
    body = bytearray()
    try:
        for chunk in response.iter_raw(EXCERPT_BYTES):
            body += chunk
            if len(body) > EXCERPT_BYTES:
                return bytes(body[:EXCERPT_BYTES]), False
    except httpx.HTTPError:
        return bytes(body), False
    return bytes(body), True


def _shown(headers: httpx.Headers) -> dict[str, str]:
    shown = [(name, value[:HEADER_CHARS]) for name, value in headers.items() if name not in UNSHOWN]
    return {storable(name): storable(value) for name, value in shown[:HEADERS_MAX]}
