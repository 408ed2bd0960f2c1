"""What the two ends of a policy have of it by now: tags that are missing at the target, extra there, or different.

Looking writes nothing. What was found is mended by a run of the policy (replication.services.policies.repair), which
looks again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harbor_core.lib.errors import HarborError
from projects.models import Tag
from projects.selectors.immutability import is_referrer_tag
from replication.adapters.base import UnhealthyError
from replication.adapters.harbor import Harbor
from replication.client import RemoteError
from replication.models import ReplicationPolicy
from replication.selectors.policies import policy_get
from replication.services import planning
from replication.services.charts import Charts
from replication.services.choosing import Choice, target_name
from replication.services.ends import Source, Target, source_of, target_of
from replication.services.local import Local
from replication.services.transfer import explained

MISSING, EXTRA, DIFFERENT = "missing", "extra", "different"
SHOWN, SECONDS = 200, 10.0


@dataclass(frozen=True, slots=True)
class Drift:
    """One tag. ``source`` and ``target`` are the digests, empty where it is not there."""

    repository: str
    destination: str
    tag: str
    state: str
    source: str = ""
    target: str = ""


@dataclass(slots=True)
class Comparison:
    """``compared`` tags, of which ``rows`` differ. ``partial``: there may be more. ``problem``: an end could not be
    asked to the end."""

    rows: list[Drift] = field(default_factory=list)
    compared: int = 0
    partial: bool = False
    problem: str = ""


class _EnoughError(Exception):
    """It has looked long enough."""


def differences(
    policy: ReplicationPolicy,
    source: Source,
    target: Target,
    check: Callable[[], None],
    seen: Callable[[int], None] = lambda count: None,
) -> Iterator[Drift]:
    """Of all that the policy takes. ``check`` is called before each question and may raise; ``seen`` is told how many
    tags a repository has at the source. Raises RemoteError, UnhealthyError, HarborError."""
    choice = Choice(policy.filters)
    for name, references in planning.found(choice, source, check):
        destination = target_name(name, policy.dest_namespace, policy.replace_count)
        tags = [tag for tag in references if ":" not in tag]  # what has none is told by its digest: see there
        seen(len(tags))
        here, there = _digests(source, name, tags, check), _digests(target, destination, None, check)
        for tag in tags:
            if tag not in there:
                yield Drift(name, destination, tag, MISSING, here.get(tag, ""))
            elif tag in here and here[tag] != there[tag]:
                yield Drift(name, destination, tag, DIFFERENT, here[tag], there[tag])
        for tag in sorted(there.keys() - set(tags)):
            # Only what the policy could have brought there; whatever else is kept there is not its business.
            if choice.takes_tag(tag) and not choice.labels and not choice.resource and not is_referrer_tag(tag):
                yield Drift(name, destination, tag, EXTRA, "", there[tag])


def _digests(end: Source, name: str, tags: list[str] | None, check: Callable[[], None]) -> dict[str, str]:
    """By tag, of those given or of all there are."""
    if isinstance(end, Local):
        rows = Tag.objects.filter(repository__name=name, repository__project__deleted=False)
        return dict(rows.values_list("name", "artifact__digest"))
    if isinstance(end, Charts):
        return {}  # each would have to be fetched: that a version is there must do
    if isinstance(end.adapter, Harbor):
        return _told(end.adapter, name)
    found = {}
    for tag in end.tags(name) if tags is None else tags:
        check()
        if digest := end.digest(name, tag):
            found[tag] = digest
    return found


def _told(adapter: Harbor, name: str) -> dict[str, str]:
    """One list instead of a question for each tag."""
    try:
        return {tag: artifact.digest for artifact in adapter.artifacts(name) for tag in artifact.tags}
    except UnhealthyError as exc:
        if exc.status == 404:  # neither the project nor the repository has to be there
            return {}
        raise


def compare(policy_id: int) -> Comparison:
    """As far as some seconds and :data:`SHOWN` rows go. Raises NOT_FOUND."""
    policy, shown, deadline = policy_get(policy_id), Comparison(), time.monotonic() + SECONDS

    def check() -> None:
        if time.monotonic() > deadline:
            raise _EnoughError

    def sleep(seconds: float) -> None:
        if time.monotonic() + seconds > deadline:
            raise RemoteError("the registry is busy or does not answer")
        time.sleep(seconds)

    def seen(count: int) -> None:
        shown.compared += count

    try:
        with source_of(policy, sleep, SECONDS) as source, target_of(policy, sleep, SECONDS) as target:
            for row in differences(policy, source, target, check, seen):
                shown.rows.append(row)
                if len(shown.rows) == SHOWN:
                    raise _EnoughError
    except _EnoughError:
        shown.partial = True
    except (RemoteError, UnhealthyError, HarborError) as exc:
        shown.problem = explained(exc)
    return shown
