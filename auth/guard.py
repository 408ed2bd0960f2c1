"""Slow down guessing, without letting anyone lock an account out for its owner.

Failures are counted per (account, address): after five the pair waits 2, 4, 8 ... seconds, 300 at most. An account that
collects failures from many addresses is checked at most once per 1.5 s for addresses that never got in; an address
that succeeded lately is exempt from that. Counters live in the shared cache and vanish with it.
"""

import hashlib
import time

from django.core.cache import cache

from harbor_core.lib.errors import HarborError

FREE_FAILURES = 5
MAX_WAIT_SECONDS = 300
ACCOUNT_FREE_FAILURES = 20
ACCOUNT_DELAY_SECONDS = 1.5
WINDOW_SECONDS = 15 * 60
KNOWN_SECONDS = 24 * 3600


def _key(*parts: str) -> str:
    return "login:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _refuse(seconds: float) -> HarborError:
    wait = max(1, int(seconds + 0.999))
    return HarborError(
        "TOOMANYREQUESTS",
        f"too many failed attempts for this account, retry in {wait} s",
        headers={"Retry-After": str(wait)},
    )


def check(account: str, address: str) -> None:
    """Raise TOOMANYREQUESTS (429 with Retry-After) while this account has to wait at this address."""
    failures, until = cache.get(_key("pair", account, address)) or (0, 0.0)
    if failures and until > time.time():
        raise _refuse(until - time.time())
    if (cache.get(_key("account", account)) or 0) > ACCOUNT_FREE_FAILURES and not cache.get(
        _key("known", account, address)
    ):
        turn = _key("turn", account)
        if not cache.add(turn, 1, ACCOUNT_DELAY_SECONDS):
            raise _refuse(ACCOUNT_DELAY_SECONDS)


def failed(account: str, address: str) -> None:
    pair = _key("pair", account, address)
    failures = (cache.get(pair) or (0, 0.0))[0] + 1
    wait = min(2 ** (failures - FREE_FAILURES + 1), MAX_WAIT_SECONDS) if failures >= FREE_FAILURES else 0
    cache.set(pair, (failures, time.time() + wait), WINDOW_SECONDS)
    total = _key("account", account)
    cache.set(total, (cache.get(total) or 0) + 1, WINDOW_SECONDS)


def succeeded(account: str, address: str) -> None:
    cache.delete(_key("pair", account, address))
    cache.set(_key("known", account, address), 1, KNOWN_SECONDS)
