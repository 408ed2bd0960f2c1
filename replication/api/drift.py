"""``/replication/drift``: what the two ends of policies do not have alike, as their last comparisons found it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from harbor_core.api.base import ID, ApiView
from harbor_core.lib.schema import CREATED, DONE, FLAG, INT, TEXT, TIME, array, choice, obj
from harbor_core.lib.timefmt import rfc3339
from harbor_core.lib.wire import LISTING, Flag, Items, Whole, compact
from jobservice.models import Execution
from replication.api.executions import STATE, state_of
from replication.models import PolicyDrift, ReplicationPolicy
from replication.selectors import policies as selectors
from replication.services import drift
from replication.services import policies as services
from replication.services.drift import DIFFERENT, EXTRA, MISSING

COUNTS = {"compared": INT, "missing": INT, "different": INT, "extra": INT}
RUN = {"taken_time?": TIME, "execution_id?": INT, "status?": STATE, "problem?": TEXT}
DRIFT_SUMMARY = obj(
    "ReplicationDriftSummary",
    {"policy_id": INT, "policy_name": TEXT, **COUNTS, **RUN},
    "What the last comparison of a policy found (taken_time), and how the latest run of one is (status, problem).",
)
REPLICATION_DRIFT = obj(
    "ReplicationDrift",
    {
        **COUNTS,
        **RUN,
        "partial": FLAG,
        "items": array(
            obj(
                "ReplicationDriftItem",
                {
                    "repository": TEXT,
                    "destination": TEXT,
                    "tag": TEXT,
                    "state": choice(MISSING, EXTRA, DIFFERENT),
                    "source_digest?": TEXT,
                    "destination_digest?": TEXT,
                },
            )
        ),
    },
    "Tags that the two ends of a policy did not have alike at taken_time; without that none was ever compared.",
)
STARTED = obj("ReplicationComparison", {"policy_id": INT, "execution_id": INT})


def _summary(found: PolicyDrift | None, run: Execution | None, problem: str) -> dict[str, Any]:
    """The fields that both shapes have."""
    counts = {name: getattr(found, name) if found else 0 for name in COUNTS}
    told: dict[str, Any] = {"taken_time": rfc3339(found.taken_at)} if found else {}
    told |= {"execution_id": run.pk, "status": state_of(run)} if run else {}
    return counts | told | ({"problem": problem} if problem else {})


def drift_json(found: PolicyDrift | None, run: Execution | None, problem: str) -> dict[str, Any]:
    """ReplicationDrift."""
    items = [
        compact(
            {
                "repository": row["repository"],
                "destination": row["destination"],
                "tag": row["tag"],
                "state": row["state"],
                "source_digest": row["source"],
                "destination_digest": row["target"],
            }
        )
        for row in (found.rows if found else [])
    ]
    return _summary(found, run, problem) | {"partial": bool(found and found.partial), "items": items}


class DriftList(ApiView):
    permissions = {"GET": "replication-policy:list", "POST": "replication:create"}
    parameters = {"GET": LISTING}
    bodies = {"POST": {"policy_ids": Items(Whole(low=1), required=True, about="The policies whose ends are compared.")}}
    answers = {"GET": [DRIFT_SUMMARY], "POST": [STARTED]}
    errors = {"POST": (404,)}

    def get(self, request: Request) -> Response:
        page = selectors.policy_list(self.listing)
        ids = [policy.pk for policy in page.items]
        drifts, runs = selectors.drifts_of(ids), selectors.last_comparisons(ids)
        problems = selectors.problems_of(runs.values())

        def shown(policy: ReplicationPolicy) -> dict[str, Any]:
            run = runs.get(policy.pk)
            told = _summary(drifts.get(policy.pk), run, problems.get(run.pk, "") if run else "")
            return {"policy_id": policy.pk, "policy_name": policy.name} | told

        return self.page(page, shown)

    def post(self, request: Request) -> Response:
        """Compare the ends of these policies, each by a job of its own; one that is under way goes on."""
        started = drift.start(self.actor, self.body["policy_ids"])
        return Response([{"policy_id": policy, "execution_id": run.pk} for policy, run in started.items()])


class DriftItem(ApiView):
    """GET is what the last comparison found, POST a run that looks again and mends, DELETE ends a comparison."""

    permissions = {
        "GET": "replication-policy:read",
        "POST": "replication:create",
        "DELETE": "replication:create",
    }
    paths = {"id": ID}
    bodies = {
        "POST": {"delete": Flag(default=False, about="Take away at the destination what the source does not have.")}
    }
    answers = {"GET": REPLICATION_DRIFT, "POST": CREATED, "DELETE": DONE}
    errors = {"POST": (404, 412), "DELETE": (404,)}

    def get(self, request: Request, id: int) -> Response:
        policy = selectors.policy_get(id)
        run = selectors.last_comparisons([policy.pk]).get(policy.pk)
        problems = selectors.problems_of([run] if run else [])
        found = selectors.drifts_of([policy.pk]).get(policy.pk)
        return Response(drift_json(found, run, problems.get(run.pk, "") if run else ""))

    def post(self, request: Request, id: int) -> Response:
        run = services.repair(self.actor, id, delete=self.body["delete"])
        return self.created("replication", "executions", run.pk)

    def delete(self, request: Request, id: int) -> Response:
        drift.stop(self.actor, id)
        return self.done()
