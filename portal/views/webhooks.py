"""Webhooks of a project or of the system: how their deliveries went, a try, once more, and the secret they are signed
with. ``project`` is empty on the pages of the system."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from harbor_core.lib.errors import HarborError
from jobservice.models import Execution, Task
from jobservice.selectors import executions
from portal.forms.webhooks import event_name
from portal.hooks import Owner, open_owner
from portal.isolation import named
from portal.job_words import TRIGGERS, badge_of
from portal.listing import Listing
from portal.logview import log_chunk, offset_of, task_piece
from portal.project_pages import ask_first
from portal.shortcuts import Confirmation, actor_of, confirm, confirmed, page, respond
from projects.models import WebhookPolicy
from projects.selectors import webhooks as selectors
from projects.services import webhook_calls, webhooks


@page("GET")
def delivery_list(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    """Query: ``sort``, ``page``, ``page_size``."""
    owner = open_owner(request, project)
    policy = owner.policy(webhook)
    listing = Listing(request, sorts={"started": "start_time"}, default="-started")
    rows = listing.fill(selectors.deliveries(policy))
    tasks = selectors.tasks_of(rows)
    told = selectors.last_triggers([policy])
    context = owner.context | {
        "policy": policy,
        "listing": listing,
        "rows": [_row(owner, policy, row, tasks.get(row.pk)) for row in rows],
        "alive": any(row.end_time is None for row in rows),
        "triggers": [(event_name(name), told.get((policy.pk, name))) for name in policy.event_types],
        "links": _links(owner, policy),
        "may_change": "update" in owner.actions,
    }
    return respond(request, "portal/webhooks/deliveries.html", "portal/webhooks/_deliveries.html", context)


def _links(owner: Owner, policy: WebhookPolicy) -> dict[str, str]:
    names = {"ping": "webhook-ping", "secret": "webhook-secret", "edit": "webhook", "unsign": "webhook-secret-remove"}
    return {key: owner.url(name, policy.pk) for key, name in names.items()} | {"back": owner.url("webhooks")}


def _row(owner: Owner, policy: WebhookPolicy, row: Execution, task: Task | None) -> dict[str, Any]:
    target = selectors.target_of(policy, task)
    return {
        "row": row,
        "task": task,
        "url": owner.url("webhook-delivery", policy.pk, row.pk),
        "event": event_name(row.extra_attrs.get("event_type", "")),
        "address": target["address"] if target else "",
        "badge": badge_of(task.status if task else row.status),
        "trigger": TRIGGERS.get(row.trigger, row.trigger),
        "response": task.extra_attrs.get("response") if task else None,
    }


def _delivery(owner: Owner, webhook: int, delivery: int) -> tuple[WebhookPolicy, Execution, Task]:
    policy = owner.policy(webhook)
    try:
        row = executions.execution_get(selectors.deliveries(policy), delivery)
    except HarborError as error:
        raise Http404 from error
    task = selectors.tasks_of([row]).get(row.pk)
    if task is None:
        raise Http404
    return policy, row, task


@page("GET")
def delivery_detail(request: HttpRequest, webhook: int, delivery: int, project: str = "") -> HttpResponse:
    """What was posted, what came back, how often it was tried, and the log while it grows."""
    owner = open_owner(request, project)
    policy, row, task = _delivery(owner, webhook, delivery)
    text, offset, ended = task_piece(task, 0)
    earlier = row.extra_attrs.get("redelivery_of")
    context = owner.context | _row(owner, policy, row, task) | {
        "policy": policy,
        "payload": json.dumps(json.loads(row.extra_attrs["payload"]), indent=2, ensure_ascii=False),
        "alive": row.end_time is None,
        "back": owner.url("webhook-deliveries", policy.pk),
        "redeliver": owner.url("webhook-redeliver", policy.pk, row.pk) if "update" in owner.actions else "",
        "earlier": (earlier, owner.url("webhook-delivery", policy.pk, earlier)) if earlier else None,
        "log": {
            "text": text,
            "offset": offset,
            "ended": ended,
            "url": owner.url("webhook-delivery-log", policy.pk, row.pk),
        },
    }  # fmt: skip
    return respond(request, "portal/webhooks/delivery.html", "portal/webhooks/_delivery.html", context)


@page("GET")
def delivery_log(request: HttpRequest, webhook: int, delivery: int, project: str = "") -> HttpResponse:
    """What follows ``offset``, in bytes."""
    _policy, _row, task = _delivery(open_owner(request, project), webhook, delivery)
    text, offset, ended = task_piece(task, offset_of(request))
    return log_chunk(text, offset=offset, ended=ended)


@page("GET", "POST")
def redeliver(request: HttpRequest, webhook: int, delivery: int, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "update")
    policy, row, task = _delivery(owner, webhook, delivery)
    target = selectors.target_of(policy, task)
    asked = Confirmation(
        title=_("Deliver %(number)d once more?") % {"number": row.pk},
        action=_("Redeliver"),
        danger=False,
        back=owner.url("webhook-delivery", policy.pk, row.pk),
        consequences=[
            _("The same body with the same id is posted to %(address)s.") % {"address": target["address"]},
            _("What of this delivery still waits for another attempt is stopped."),
        ]
        if target
        else [],
        blockers=[] if target else [_("The webhook does not have this target any more.")],
    )
    if not target or not confirmed(request, asked):
        return confirm(request, asked)
    made = webhook_calls.redeliver(actor_of(request), policy, row)
    return redirect(owner.url("webhook-delivery", policy.pk, made.pk))


@page("GET", "POST")
def ping(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    """Post a PING to every target."""
    owner = open_owner(request, project, "update")
    policy = owner.policy(webhook)
    asked = Confirmation(
        title=_("Try webhook %(name)s?") % named(policy.name),
        action=_("Send a ping"),
        danger=False,
        back=owner.url("webhook-deliveries", policy.pk),
        consequences=[
            _("A PING is posted to %(address)s.") % {"address": target["address"]} for target in policy.targets
        ],
    )
    return ask_first(request, asked, lambda: webhook_calls.ping(actor_of(request), policy), _("A ping is on its way."))


@page("GET", "POST")
def secret(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    """Make a secret, and show it this once."""
    owner = open_owner(request, project, "update")
    policy = owner.policy(webhook)
    consequences = [_("Receivers know by the signature, as Standard Webhooks has it, who posted a delivery.")]
    if policy.secret:
        consequences.append(
            _("For a day deliveries are signed with the present secret, too; give receivers the new one until then.")
        )
    asked = Confirmation(
        title=_("Sign what webhook %(name)s posts?") % named(policy.name),
        action=_("Make a new secret") if policy.secret else _("Make a secret"),
        danger=bool(policy.secret),
        back=owner.url("webhook-deliveries", policy.pk),
        consequences=consequences,
    )
    if not confirmed(request, asked):
        return confirm(request, asked)
    made = webhooks.new_secret(actor_of(request), owner.project, policy.pk)
    context = owner.context | {"policy": policy, "secret": made, "back": asked.back}
    response = render(request, "portal/webhooks/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@page("GET", "POST")
def secret_remove(request: HttpRequest, webhook: int, project: str = "") -> HttpResponse:
    owner = open_owner(request, project, "update")
    policy = owner.policy(webhook)
    asked = Confirmation(
        title=_("Stop signing what webhook %(name)s posts?") % named(policy.name),
        action=_("Remove the secret"),
        back=owner.url("webhook-deliveries", policy.pk),
        consequences=[_("Receivers that check signatures refuse what is posted from now on.")],
    )
    act = lambda: webhooks.drop_secret(actor_of(request), owner.project, policy.pk)  # noqa: E731  # one line says it
    return ask_first(request, asked, act, _("Deliveries are not signed any more."))
