"""Is everything this process needs there, and does it fit together? ``manage.py doctor`` asks; nothing is changed but a
probe object in storage that comes and goes."""

import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis.exceptions import RedisError

from auth.keys import registry_token
from auth.models import ADMIN_ID, User
from harbor_core import registry_client
from harbor_core.lib import crypto, http, storage
from harbor_core.lib.config_keys import SECRETS
from harbor_core.lib.errors import HarborError
from harbor_core.models import SystemConfig
from jobservice.models import Schedule
from jobservice.selectors import monitor
from projects.models import RepositoryBlob
from projects.services import tag_journal
from replication.models import Registry

OK, WARNING, ERROR = "ok", "warning", "error"
CLOCKS_MAY_DIFFER_SECONDS = 5
CERTIFICATE_DAYS = 21
LATE_SECONDS = 300
DEFAULT_PASSWORD = "Harbor12345"


@dataclass(frozen=True, slots=True)
class Finding:
    """``level`` is ok, warning or error; ``hint`` says what to do."""

    check: str
    level: str
    message: str
    hint: str = ""


Findings = Iterator[tuple[str, str, str]]  # level, message, hint


def examine() -> Iterator[Finding]:
    """Every check, one after the other. One that cannot go on is an error of its own and keeps none of the others."""
    for name, check in CHECKS.items():
        try:
            for level, message, hint in check():
                yield Finding(name, level, message, hint)
        except Exception as exc:  # whatever a broken part raises is what is asked for
            yield Finding(name, ERROR, f"{type(exc).__name__}: {exc}"[:500])


def _settings() -> Findings:
    found = checks.run_checks(include_deployment_checks=False)
    for message in found:
        level = ERROR if message.is_serious() else WARNING
        yield level, f"{message.msg} ({message.id})", str(message.hint or "")
    if not found:
        yield OK, "nothing to say", ""


# ---------------------------------------------------------------------- what stands behind
def _database() -> Findings:
    try:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT current_setting('server_version'), now(), pg_is_in_recovery()")
                version, now, replica = cursor.fetchone()
            else:
                cursor.execute("SELECT sqlite_version(), strftime('%s', 'now'), 0")
                version, seconds, replica = cursor.fetchone()
                now = datetime.fromtimestamp(int(seconds), UTC)
    except DatabaseError as exc:
        yield ERROR, f"it does not answer: {exc}", "HARBOR_DATABASE_URL"
        return
    if replica:
        yield ERROR, "it is a replica that takes no writes", "HARBOR_DATABASE_URL must lead to the primary"
    yield OK, f"{connection.vendor} {version} answers", ""
    yield _clock("the database's", now)
    yield from _schema()


def _schema() -> Findings:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        yield ERROR, f"{len(plan)} migrations are not applied, first {plan[0][0]}", "manage.py migrate"
    unknown = sorted(set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations))
    if unknown:
        yield WARNING, f"the schema is of a newer release ({'.'.join(unknown[0])})", "finish the upgrade"
    if not plan and not unknown:
        yield OK, "the schema is of this release", ""


def _clock(whose: str, other: datetime) -> tuple[str, str, str]:
    difference = abs((datetime.now(UTC) - other).total_seconds())
    if difference > CLOCKS_MAY_DIFFER_SECONDS:
        hint = "tokens and leases are timed: run a time service on every host"
        return ERROR, f"{whose} clock differs from this one's by {difference:.0f} s", hint
    return OK, f"{whose} clock agrees", ""


def _redis() -> Findings:
    try:
        with settings.REDIS.client(socket_timeout=3, socket_connect_timeout=3) as client:
            seconds, _ = client.time()
            info = client.info("server")
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "")
            limit = int(client.config_get("maxmemory").get("maxmemory", 0))
    except (RedisError, OSError) as exc:
        yield ERROR, f"it does not answer: {exc}", "HARBOR_REDIS_URL; pulls and pushes go on without it, jobs wait"
        return
    yield OK, f"version {info['redis_version']} answers", ""
    yield _clock("its", datetime.fromtimestamp(seconds, UTC))
    if limit and policy == "noeviction":
        yield WARNING, "it refuses writes when its memory is full", "maxmemory-policy volatile-lru"


def _storage() -> Findings:
    store, probe = storage.backend(), f"harbor/doctor-{uuid.uuid4().hex}"
    content = probe.encode()
    try:
        store.put(probe, content)
        same = store.read(probe) == content
        storage.delete(probe)
    except OSError as exc:
        yield ERROR, f"it cannot be written: {exc}", "HARBOR_STORAGE_*"
        return
    if not same:
        yield ERROR, "what was written is not what is read", "HARBOR_STORAGE_*"
        return
    yield OK, f"{settings.STORAGE_DRIVER} is written and read", ""
    free, total = store.free_bytes(), store.total_bytes()
    if free is None or not total:
        return
    if free < settings.LOW_SPACE_BYTES:
        yield ERROR, f"{free} bytes are free: pushes are refused", "HARBOR_LOW_SPACE_BYTES; collect garbage, add space"
    elif free < total / 10:
        yield WARNING, f"only {free * 100 // total} % are free", "collect garbage, add space"


def _registry() -> Findings:
    if not registry_client.ping():
        yield ERROR, f"{settings.REGISTRY_URL} does not answer", "HARBOR_REGISTRY_URL; uploads answer 503 without it"
        return
    try:
        answer = registry_client.call("GET", "/v2/", registry_token())
    except HarborError as error:
        yield ERROR, f"it does not take our tokens: {error.message}", "it must trust internal/registry.crt of our keys"
        return
    yield OK, "it answers and takes our tokens", ""
    if date := answer.headers.get("date"):
        yield _clock("its", parsedate_to_datetime(date))
    if settings.STORAGE_DRIVER != "filesystem":
        return
    some = (
        RepositoryBlob.objects.filter(is_manifest=False, blob__artifacts__isnull=False).select_related("blob").first()
    )
    if some is None:
        return
    path = f"/v2/{some.repository_name}/blobs/{some.blob.digest}"
    answer = registry_client.call("HEAD", path, registry_token((some.repository_name, ("pull",))))
    if answer.status != 200:
        hint = "both must have the same volume: HARBOR_STORAGE_FILESYSTEM_ROOTDIRECTORY"
        yield ERROR, f"it does not have {some.blob.digest}, which this storage promises", hint


# ---------------------------------------------------------------------- addresses, keys, accounts
def _authority() -> str:
    return Path(settings.CA_FILE).read_text(encoding="ascii") if settings.CA_FILE else ""


def _urls() -> Findings:
    for url in settings.PUBLIC_URLS:
        try:
            answer = http.request("GET", f"{url}/v2/", ca_certificate=_authority(), private=True)
        except http.OutboundError as exc:
            yield WARNING, f"{url} is not reached from here: {exc}", "clients must reach it; this host perhaps not"
            continue
        realm = f'Bearer realm="{url}/service/token"'
        if answer.status != 401 or not answer.headers.get("www-authenticate", "").startswith(realm):
            told = answer.headers.get("www-authenticate", "")[:200]
            yield (
                ERROR,
                f"{url}/v2/ answers {answer.status} {told!r}, not 401 with {realm}",
                ("HARBOR_EXTERNAL_URL, HARBOR_PUBLIC_URLS; behind a proxy its Host header and HARBOR_TRUSTED_PROXIES"),
            )
        else:
            yield OK, f"{url} leads here", ""


def _tls() -> Findings:
    for url in settings.PUBLIC_URLS:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            continue
        context = ssl.create_default_context(cadata=_authority() or None)
        try:
            with (
                socket.create_connection((parts.hostname, parts.port or 443), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname=parts.hostname) as connected,
            ):
                raw = connected.getpeercert(binary_form=True) or b""
        except ssl.SSLCertVerificationError as exc:
            yield ERROR, f"{url}: {exc.verify_message}", "clients refuse it: renew it, or have them trust its authority"
            continue
        except OSError as exc:
            yield WARNING, f"{url} is not reached from here: {exc}", ""
            continue
        yield _end(url, x509.load_der_x509_certificate(raw))
    if settings.INTERNAL_TLS is not None:
        for path in filter(None, (settings.INTERNAL_TLS.certificate, settings.INTERNAL_TLS.authority)):
            yield _end(path, x509.load_pem_x509_certificate(Path(path).read_bytes()))


def _end(name: str, certificate: x509.Certificate) -> tuple[str, str, str]:
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    level = WARNING if left < timedelta(days=CERTIFICATE_DAYS) else OK
    return level, f"{name}: the certificate ends in {left.days} days", "renew it" if level == WARNING else ""


def _keys() -> Findings:
    paths = sorted(settings.TOKEN_KEY_DIR.glob("*.pem"))
    if not paths:
        yield ERROR, f"there is no key for tokens in {settings.TOKEN_KEY_DIR}", "manage.py rotate_token_key"
    internal = settings.KEY_DIR / "internal"
    key = serialization.load_pem_private_key((internal / "registry.key").read_bytes(), password=None)
    certificate = x509.load_pem_x509_certificate((internal / "registry.crt").read_bytes())
    if key.public_key() != certificate.public_key():
        yield ERROR, "internal/registry.key and registry.crt do not belong together", "restore both from a backup"
    for path in [*paths, internal / "registry.key"]:
        if path.stat().st_mode & 0o007:
            yield WARNING, f"{path} is open to every account of the host", f"chmod o= {path}"
    yield OK, f"{len(paths)} keys for tokens", ""


def _secrets() -> Findings:
    stored = [
        *SystemConfig.objects.filter(key__in=SECRETS).exclude(value="").values_list("key", "value"),
        *Registry.objects.exclude(access_secret="").values_list("name", "access_secret"),
    ]
    unreadable = []
    for name, value in stored:
        try:
            crypto.decrypt(value)
        except crypto.UndecryptableError:
            unreadable.append(name)
    if unreadable:
        hint = "HARBOR_SECRET_KEY is another one: put the earlier one into HARBOR_SECRET_KEY_FALLBACKS"
        yield ERROR, f"stored credentials cannot be read: {', '.join(unreadable[:10])}", hint
    else:
        yield OK, f"{len(stored)} stored credentials can be read", ""


def _accounts() -> Findings:
    admin = User.objects.filter(pk=ADMIN_ID, deleted=False).first()
    if admin is None:
        yield WARNING, "there is no first administrator", "manage.py bootstrap, or reset_admin"
    # Not User.check_password: a mere look must not rewrite the stored hash.
    elif check_password(DEFAULT_PASSWORD, admin.password):
        local = urlsplit(settings.EXTERNAL_URL).hostname in ("localhost", "127.0.0.1", "::1")
        yield WARNING if local else ERROR, "admin still has the documented password", "manage.py reset_admin"
    else:
        yield OK, "admin's password is not the documented one", ""


def _jobs() -> Findings:
    pools = monitor.pool_list()
    if pools:
        yield OK, f"{len(pools)} worker processes with {sum(pool.concurrency for pool in pools)} threads", ""
    else:
        yield ERROR, "no worker gives a sign of life", "start a worker; jobs wait until then"
    due = timezone.now() - timedelta(seconds=LATE_SECONDS)
    late = Schedule.objects.filter(next_time__lt=due).count()
    if late and not monitor.schedules_paused():
        yield ERROR, f"{late} schedules are overdue", "start beat; nothing starts by the clock until then"
    for queue in monitor.queue_list():
        if queue.count and queue.latency > 3600:
            told = "is paused" if queue.paused else "waits"
            yield WARNING, f"{queue.job_type}: {queue.count} tasks, the first {told} for {queue.latency} s", ""


def _journal() -> Findings:
    written = storage.backend().modified(tag_journal.PATH)
    if written is None:
        yield WARNING, "there is no journal of tags in storage yet", "beat writes it, or manage.py export_tags"
    else:
        yield OK, f"the journal of tags was written {time.strftime('%F %T', written.utctimetuple())} UTC", ""


CHECKS: dict[str, Callable[[], Findings]] = {
    "settings": _settings,
    "database": _database,
    "redis": _redis,
    "storage": _storage,
    "registry": _registry,
    "urls": _urls,
    "tls": _tls,
    "keys": _keys,
    "secrets": _secrets,
    "accounts": _accounts,
    "jobs": _jobs,
    "journal": _journal,
}
