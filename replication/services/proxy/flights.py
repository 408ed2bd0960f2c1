"""One fetches, the others wait: across threads, processes and machines.

Who fetches holds a row of the database and renews it; a killed process loses it within LEASE_SECONDS and the next one
takes over. Redis has no part in it.
"""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from harbor_core.lib import sql
from harbor_core.lib.errors import HarborError
from replication.models import Flight, Registry
from replication.services.proxy.asking import turn
from replication.services.proxy.upstreams import Upstream

T = TypeVar("T")
LEASE_SECONDS, RENEW_SECONDS = 20.0, 5.0
WAIT_SECONDS = 240.0  # below what the gateway waits for core
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
_TAKE = """
    INSERT INTO harbor_replication_flight (key, owner, project_id, expires_at, upload, size)
    VALUES (%(key)s, %(owner)s, %(project)s, %(until)s, '', NULL)
    ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, upload = '', size = NULL
    WHERE harbor_replication_flight.expires_at < %(now)s
    RETURNING owner
"""


@dataclass
class Lease:
    """The right to fetch."""

    key: str
    owner: uuid.UUID = field(default_factory=uuid.uuid4)
    _renewed: float = field(default_factory=time.monotonic)

    def tell(self, upload: str, size: int | None) -> None:
        """Where the others can watch it arrive."""
        self._rows().update(upload=upload, size=size)

    def renew(self) -> None:
        """Cheap to call often."""
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            self._rows().update(expires_at=_until())

    def release(self) -> None:
        self._rows().delete()

    def _rows(self):
        return Flight.objects.filter(key=self.key, owner=self.owner)


def _until():
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)


def key_of(upstream: Upstream, what: str) -> str:
    return hashlib.sha256(f"{upstream.project_id} {what}".encode()).hexdigest()


def take(upstream: Upstream, key: str) -> Lease | None:
    """None while somebody else has it, or while the project has as many connections to upstream as it may."""
    with transaction.atomic():
        if upstream.connections > 0:
            # Counted and taken by one at a time.
            Registry.objects.select_for_update().filter(pk=upstream.registry_id).first()
            others = Flight.objects.filter(project_id=upstream.project_id, expires_at__gte=timezone.now())
            if others.exclude(key=key).count() >= upstream.connections:
                return None
        lease = Lease(key)
        values = {
            "key": key,
            "owner": sql.identifier(lease.owner),
            "project": upstream.project_id,
            "until": sql.time(_until()),
            "now": sql.time(timezone.now()),
        }
        return lease if sql.fetch_one(_TAKE, values) else None


def current(key: str) -> Flight | None:
    """Who has it now."""
    return Flight.objects.filter(key=key, expires_at__gte=timezone.now()).first()


def alone(upstream: Upstream, key: str, here: Callable[[], T | None], fetch: Callable[[Lease], T]) -> T:
    """What ``here`` finds, or else ``fetch`` brings. Raises TOOMANYREQUESTS when its turn does not come,
    CrowdedError."""
    return wait_for(upstream, key, here, lambda lease: _held(lease, here, fetch))


def _held(lease: Lease, here: Callable[[], T | None], fetch: Callable[[Lease], T]) -> T:
    try:
        found = here()  # it may have come between looking and taking
        return fetch(lease) if found is None else found
    finally:
        lease.release()


def wait_for(upstream: Upstream, key: str, here: Callable[[], T | None], taken: Callable[[Lease], T]) -> T:
    """As :func:`alone`, but ``taken`` looks after the lease."""
    end, pause = time.monotonic() + WAIT_SECONDS, FIRST_PAUSE
    while True:
        found = here()
        if found is not None:
            return found
        turn(upstream)
        lease = take(upstream, key)
        if lease is not None:
            return taken(lease)
        if time.monotonic() > end:
            raise HarborError(
                "TOOMANYREQUESTS", "others are still fetching from upstream", headers={"Retry-After": "5"}
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
