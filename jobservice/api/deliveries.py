"""Below ``/projects/{project}/webhook/policies/{policy}`` and ``/system/webhook/policies/{policy}``: what was delivered
and how it went; a try, and once more what was told before."""

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, OwnerView
from harbor_core.lib.schema import CREATED, TEXT, Answer
from harbor_core.lib.wire import LISTING
from jobservice.api import shapes
from jobservice.models import Execution
from jobservice.selectors import executions
from projects.models import WebhookPolicy
from projects.selectors import webhooks as selectors
from projects.services import webhook_calls


class DeliveryView(OwnerView):
    """Below a policy, and below one of its executions where the path names one."""

    @property
    def policy(self) -> WebhookPolicy:
        return selectors.policy_get(self.owner, self.kwargs["webhook_policy_id"])

    def policy_executions(self) -> QuerySet[Execution]:
        return selectors.deliveries(self.policy)

    def execution(self) -> Execution:
        return executions.execution_get(self.policy_executions(), self.kwargs["execution_id"])


class PolicyPing(DeliveryView):
    """Ours: post a PING to every target."""

    permissions = {"POST": "notification-policy:update"}
    paths = {"webhook_policy_id": ID}
    answers = {"POST": [shapes.EXECUTION]}

    def post(self, request: Request, **_path: str) -> Response:
        return Response([shapes.execution_json(made) for made in webhook_calls.ping(self.actor, self.policy)])


class PolicyExecutions(DeliveryView):
    permissions = {"GET": "notification-policy:read"}
    paths = {"webhook_policy_id": ID}
    parameters = {"GET": LISTING}
    answers = {"GET": [shapes.EXECUTION]}

    def get(self, request: Request, **_path: str) -> Response:
        return self.page(executions.execution_list(self.policy_executions(), self.listing), shapes.execution_json)


class PolicyRedelivery(DeliveryView):
    """Ours: the same body with the same id, once more."""

    permissions = {"POST": "notification-policy:update"}
    paths = {"webhook_policy_id": ID, "execution_id": ID}
    answers = {"POST": CREATED}
    errors = {"POST": (412,)}

    def post(self, request: Request, **_path: str) -> Response:
        policy = self.policy
        made = webhook_calls.redeliver(self.actor, policy, self.execution())
        return self.created(*self.base, "webhook", "policies", policy.pk, "executions", made.pk)


class PolicyTasks(DeliveryView):
    permissions = {"GET": "notification-policy:read"}
    paths = {"webhook_policy_id": ID, "execution_id": ID}
    parameters = {"GET": LISTING}
    answers = {"GET": [shapes.TASK]}

    def get(self, request: Request, **_path: str) -> Response:
        return self.page(executions.task_list(self.execution(), self.listing), shapes.task_json)


class PolicyTaskLog(DeliveryView):
    permissions = {"GET": "notification-policy:read"}
    paths = {"webhook_policy_id": ID, "execution_id": ID, "task_id": ID}
    answers = {"GET": Answer(TEXT, media_type="text/plain")}

    def get(self, request: Request, **_path: str) -> HttpResponse:
        task = executions.task_get(self.execution(), self.kwargs["task_id"])
        return HttpResponse(executions.whole_log(task), content_type="text/plain; charset=utf-8")
