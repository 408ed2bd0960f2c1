"""Pages of webhooks: deliveries, a try, once more, the secret; of a project and of the system."""

import json
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.rbac import Role
from harbor_core.services import config
from jobservice import dispatch
from jobservice.models import Execution, Task
from portal.routes import webhooks as routes
from projects.models import Project, WebhookPolicy
from projects.selectors.webhooks import secrets_of, target_key
from projects.services import webhooks
from tests.cast import actor_of
from tests.portal import content
from tests.portal.conftest import World, signed_in

TARGET = {
    "type": "http",
    "address": "https://ci.example.com/hook",
    "auth_header": "",
    "skip_cert_verify": False,
    "payload_format": "Default",
}
ANSWER = {"status": 503, "headers": {"retry-after": "5"}, "body": "<b>busy</b>", "truncated": False, "seconds": 0.25}


def policy(world: World, project: Project | None) -> WebhookPolicy:
    values = {"name": "pipeline", "description": "", "enabled": True, "event_types": ["PUSH_ARTIFACT"]}
    return webhooks.create(actor_of(world.admin), project, values | {"targets": [TARGET]})


def delivery(row: WebhookPolicy) -> Execution:
    payload = json.dumps({"type": "PUSH_ARTIFACT", "event_data": {"name": "Größe"}})
    made = dispatch.submit(
        "WEBHOOK",
        vendor_id=row.pk,
        parameters={"policy_id": row.pk, "target": target_key(row.targets[0]), "event_id": 1},
        extra_attrs={"event_type": "PUSH_ARTIFACT", "payload": payload},
    )
    Task.objects.filter(execution=made).update(extra_attrs={"response": ANSWER}, run_count=2)
    return made


@pytest.fixture(params=["project", "system"])
def hook(request: pytest.FixtureRequest, world: World) -> WebhookPolicy:
    return policy(world, world.secret if request.param == "project" else None)


def base(row: WebhookPolicy) -> str:
    return f"/harbor/projects/{row.project_id}/webhooks" if row.project_id else "/harbor/webhooks"


def pages(row: WebhookPolicy, made: Execution) -> list[str]:
    one = f"{base(row)}/{row.pk}"
    below = ("", "/state", "/delete", "/ping", "/secret", "/secret/remove", "/deliveries", f"/deliveries/{made.pk}")
    return [base(row), f"{base(row)}/new", *(one + rest for rest in below), f"{one}/deliveries/{made.pk}/redeliver"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_renders(hook: WebhookPolicy, admin: Client, language: str) -> None:
    admin.cookies["harbor_lang"] = language
    for url in pages(hook, delivery(hook)):
        answer = admin.get(url)
        text = answer.content.decode()
        assert answer.status_code == 200 and f'<html lang="{language}"' in text, url
        assert ">None<" not in text and "{{" not in text and "{%" not in text, url
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), url


def test_who_sees_what(world: World) -> None:
    content.member(world.secret, keeper := content.user("keeper"), Role.MAINTAINER)
    own, ours = policy(world, world.secret), policy(world, None)
    made = delivery(own)
    reading = (base(own), f"{base(own)}/{own.pk}/deliveries", f"{base(own)}/{own.pk}/deliveries/{made.pk}")
    changing = [url for url in pages(own, made) if url not in reading]
    maintainer = signed_in(keeper)
    assert {maintainer.get(url).status_code for url in reading} == {200}
    assert {maintainer.get(url).status_code for url in changing} == {403}
    assert "Redeliver" not in maintainer.get(reading[2]).content.decode()
    assert {maintainer.post(url).status_code for url in changing} == {403}
    for account in (world.developer, world.guest, world.outsider):
        assert {signed_in(account).get(url).status_code for url in pages(own, made)} == {404}
    for client in (maintainer, Client(HTTP_HOST="localhost:8080")):
        assert {client.get(url).status_code for url in pages(ours, delivery(ours))} == {404}


def test_others_are_not_found(world: World, admin: Client) -> None:
    own, ours = policy(world, world.secret), policy(world, None)
    made = delivery(own)
    assert admin.get(f"{base(ours)}/{own.pk}/deliveries").status_code == 404
    assert admin.get(f"{base(own)}/{ours.pk}/deliveries").status_code == 404
    for rest in ("", "/log", "/redeliver"):
        assert admin.get(f"{base(ours)}/{ours.pk}/deliveries/{made.pk}{rest}").status_code == 404


def test_what_a_delivery_says(hook: WebhookPolicy, admin: Client) -> None:
    made = delivery(hook)
    url = f"{base(hook)}/{hook.pk}/deliveries"
    row = admin.get(url, headers={"HX-Request": "true"}).content.decode()
    assert row.lstrip().startswith('<section id="list"') and "503" in row and "Artifact pushed" in row
    text = admin.get(f"{url}/{made.pk}").content.decode()
    assert "Größe" in text and "&lt;b&gt;busy&lt;/b&gt;" in text and "retry-after" in text
    assert TARGET["address"] in text and "after 0.25 s" in text
    log = admin.get(f"{url}/{made.pk}/log?offset=0")
    assert log.status_code == 200 and log["Content-Type"].startswith("text/plain")


def test_a_try_and_once_more(hook: WebhookPolicy, admin: Client) -> None:
    url = f"{base(hook)}/{hook.pk}"
    answer = admin.post(f"{url}/ping")
    assert answer.status_code == 302 and answer["Location"] == f"{url}/deliveries"
    ping = Execution.objects.get(vendor_id=hook.pk)
    assert ping.extra_attrs["event_type"] == "PING" and "Ping" in admin.get(f"{url}/deliveries").content.decode()
    again = admin.post(f"{url}/deliveries/{ping.pk}/redeliver")
    made = Execution.objects.filter(vendor_id=hook.pk).latest("pk")
    assert again["Location"] == f"{url}/deliveries/{made.pk}" and made.extra_attrs["redelivery_of"] == ping.pk
    WebhookPolicy.objects.filter(pk=hook.pk).update(targets=[TARGET | {"address": "https://other.example.com"}])
    refused = admin.post(f"{url}/deliveries/{ping.pk}/redeliver")
    assert b"does not have this target any more" in refused.content
    assert Execution.objects.filter(vendor_id=hook.pk).count() == 2


def test_a_secret_is_shown_once(hook: WebhookPolicy, admin: Client) -> None:
    url = f"{base(hook)}/{hook.pk}"
    assert not secrets_of(hook) and b"whsec_" not in admin.get(f"{url}/secret").content
    shown = admin.post(f"{url}/secret")
    hook.refresh_from_db()
    (made,) = secrets_of(hook)
    assert made.startswith("whsec_") and made in shown.content.decode().replace("&#x3D;", "=")
    assert "no-store" in shown["Cache-Control"]
    assert all(b"whsec_" not in admin.get(f"{url}{rest}").content for rest in ("", "/deliveries", "/secret"))
    admin.post(f"{url}/secret/remove")
    hook.refresh_from_db()
    assert not secrets_of(hook)


def test_a_webhook_of_the_system(world: World, admin: Client) -> None:
    given = {"name": "all", "event_types": ["PUSH_ARTIFACT"], "type": "http", "address": "ftp://x", "verify": "on"}
    wrong = admin.post("/harbor/webhooks/new", given)
    assert wrong.status_code == 400 and b"no address of http" in wrong.content and b'value="all"' in wrong.content
    given["address"] = TARGET["address"]
    assert admin.post("/harbor/webhooks/new", given)["Location"] == "/harbor/webhooks"
    row = WebhookPolicy.objects.get()
    assert row.project_id is None and ">all<" in admin.get("/harbor/webhooks").content.decode()
    assert b"There is a webhook of this name" in admin.post("/harbor/webhooks/new", given).content
    admin.post(f"/harbor/webhooks/{row.pk}/state", {"enabled": "0"})
    row.refresh_from_db()
    assert not row.enabled
    admin.post(f"/harbor/webhooks/{row.pk}/delete")
    assert not WebhookPolicy.objects.exists()


def test_every_route_is_tried(world: World) -> None:
    row = policy(world, None)
    made = delivery(row)
    tried = {re.sub(rf"/({row.pk})(?=/|$)", "/N", url) for url in pages(row, made)}
    tried = {re.sub(r"deliveries/\d+|deliveries/N", "deliveries/N", url) for url in tried} | {
        "/harbor/webhooks/N/deliveries/N/log"
    }
    known = {"/" + re.sub(r"<int:\w+>", "N", str(pattern.pattern)) for pattern in routes.urlpatterns}
    assert {route.replace("/projects/<str:project>", "") for route in known} == tried


def test_constant_queries(hook: WebhookPolicy, admin: Client) -> None:
    url = f"{base(hook)}/{hook.pk}/deliveries?page_size=50"

    def cost() -> int:
        cache.clear()
        config.forget()
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(url).status_code == 200
        return len(queries)

    delivery(hook)
    admin.get("/harbor/projects")
    before = cost()
    for _ in range(20):
        delivery(hook)
    assert cost() == before <= 12
