"""Metadata of a project: string values under the keys of contract 2.10. ``public`` is a column, the rest a map."""

import re
from collections.abc import Callable, Mapping

from django.db import IntegrityError, transaction

from auth.actor import Actor
from harbor_core.lib import patterns
from harbor_core.lib.doublestar import BadPattern
from harbor_core.lib.errors import HarborError
from harbor_core.lib.public import is_own_host
from harbor_core.services import audit
from projects import access
from projects.models import MirrorName, Project

SEVERITIES = ("none", "low", "medium", "high", "critical")
SERVER_ONLY = ("retention_id", "projectScanner")  # clients read them at most
INT32 = 2**31 - 1
MIRROR = "proxy_mirror_names"
MIRROR_NAMES_MAX = 20
SPARSE = "sparse_indexes"
_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?", re.ASCII)


def _bad(key: str, problem: str) -> HarborError:
    return HarborError("BAD_REQUEST", f"metadata {key} {problem}")


def _flag(key: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise _bad(key, "must be true or false")
    return value.lower()


def _severity(key: str, value: str) -> str:
    if value.lower() not in SEVERITIES:
        raise _bad(key, f"must be one of {', '.join(SEVERITIES)}")
    return value.lower()


def _whole(key: str, value: str, low: int) -> str:
    """A whole number from ``low`` on that 32 bits hold, or -1 for no limit."""
    digits = value.removeprefix("-")
    number = int(value) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else -2
    if number != -1 and not low <= number <= INT32:
        raise _bad(key, f"must be -1 or a whole number from {low} to {INT32}")
    return str(number)


def _speed(key: str, value: str) -> str:
    """KB/s; 0 and -1 set no limit."""
    return _whole(key, value, 0)


def _connections(key: str, value: str) -> str:
    return _whole(key, value, 1)


def _pattern(key: str, value: str) -> str:
    if len(value) > 1024:
        raise _bad(key, "must have at most 1024 characters")
    return value


def _freshness(key: str, value: str) -> str:
    """``always``, ``never``, or how many seconds what was looked at counts as fresh."""
    if value not in ("always", "never") and _whole(key, value, 1) == "-1":
        raise _bad(key, "must be always, never or a whole number of seconds")
    return value


def _kind(key: str, value: str) -> str:
    if value not in ("doublestar", "regex"):
        raise _bad(key, "must be doublestar or regex")
    return value


def _mirror_names(key: str, value: str) -> str:
    """Host names, with a port where clients name one, separated by commas."""
    names = sorted({name.strip().lower() for name in value.split(",")} - {""})
    if len(names) > MIRROR_NAMES_MAX:
        raise _bad(key, f"must hold at most {MIRROR_NAMES_MAX} host names")
    for name in names:
        if not _HOST.fullmatch(name):
            raise _bad(key, "must be host names separated by commas, each with a port if it needs one")
        if is_own_host(name):
            raise _bad(key, f"must not hold {name}, under which the registry itself is reached")
    return ",".join(names)


KEYS: dict[str, Callable[[str, str], str]] = {
    "public": _flag,
    "enable_content_trust": _flag,
    "enable_content_trust_cosign": _flag,
    "prevent_vul": _flag,
    "severity": _severity,
    "auto_scan": _flag,
    "auto_sbom_generation": _flag,
    "reuse_sys_cve_allowlist": _flag,
    "proxy_speed_kb": _speed,
    "max_upstream_conn": _connections,
    "proxy_cache_local_on_not_found": _flag,
    "proxy_referrer_api": _flag,
    "proxy_cache_filter_pattern": _pattern,
    "proxy_cache_filter_kind": _kind,
    # Ours.
    "proxy_cache_deny_pattern": _pattern,
    "proxy_cache_freshness": _freshness,
    "proxy_cache_offline": _flag,
    MIRROR: _mirror_names,
    SPARSE: _flag,
}
# What only proxy projects know, and what they do not: signatures of what comes from elsewhere are not asked for, and
# indexes come without their children anyway.
PROXY_ONLY = frozenset(key for key in KEYS if key.startswith("proxy_")) | {"max_upstream_conn"}
_FILTERS = ("proxy_cache_filter_pattern", "proxy_cache_deny_pattern")
NOT_FOR_PROXY = frozenset({"enable_content_trust", "enable_content_trust_cosign", SPARSE})


def checked(values: Mapping[str, str | None]) -> dict[str, str]:
    """The values as they are stored; None means not given. Raises BAD_REQUEST for a key or value that cannot be."""
    result = {}
    for key, value in values.items():
        if value is None:
            continue
        if key in SERVER_ONLY:
            raise _bad(key, "is set by the server")
        if key not in KEYS:
            raise _bad(key[:100], "is not known")
        result[key] = KEYS[key](key, value)
    return result


def foreign(project: Project) -> frozenset[str]:
    """Keys that mean nothing to a project of this kind."""
    return NOT_FOR_PROXY if project.registry_id else PROXY_ONLY


def fitting(project: Project, values: Mapping[str, str]) -> dict[str, str]:
    """Without what projects of this kind do not know: in a whole project such keys are passed over (contract 2.10)."""
    return {key: value for key, value in values.items() if key not in foreign(project)}


def shown(project: Project) -> dict[str, str]:
    """What clients see: everything but the server's own entry for the scanner."""
    values = {key: value for key, value in project.metadata.items() if key != "projectScanner"}
    return {"public": "true" if project.public else "false"} | values


def write(project: Project, values: Mapping[str, str]) -> None:
    """Put checked values into a project that the caller has locked, and will save. Raises BAD_REQUEST for values that
    do not go together."""
    rest = dict(values)
    public = rest.pop("public", None)
    if public is not None:
        project.public = public == "true"
    project.metadata = project.metadata | rest
    if rest.keys() & {*_FILTERS, "proxy_cache_filter_kind"}:
        _check_filter(project.metadata)


def bind(actor: Actor, project: Project) -> None:
    """Let the names its metadata say lead to the project, after it was saved in the transaction of the change. Raises
    FORBIDDEN for who does not administer the system, CONFLICT for a name that leads to another project."""
    if not project.registry_id:
        return
    wanted = {name for name in project.metadata.get(MIRROR, "").split(",") if name}
    bound = set(MirrorName.objects.filter(project=project).values_list("name", flat=True))
    if wanted == bound:
        return
    if not access.can(actor, "project:create"):
        raise HarborError("FORBIDDEN", "only system administrators may change under which names a project is a mirror")
    MirrorName.objects.filter(project=project).exclude(name__in=wanted).delete()
    try:
        with transaction.atomic():
            MirrorName.objects.bulk_create(MirrorName(name=name, project=project) for name in sorted(wanted - bound))
    except IntegrityError as exc:
        raise HarborError("CONFLICT", "one of these names is that of another project's mirror") from exc


def _check_filter(values: Mapping[str, str]) -> None:
    if values.get("proxy_cache_filter_kind") != "regex":
        return
    for key in _FILTERS:
        try:
            patterns.check(patterns.REGEX, values.get(key, ""))
        except BadPattern as exc:
            raise _bad(key, f"cannot be used: {exc}") from exc


def add(actor: Actor, project_id: int, values: Mapping[str, str]) -> None:
    """Raises CONFLICT for a key the project has."""
    key, value = _single(values)
    with transaction.atomic():
        project = _locked(project_id)
        if key in foreign(project):
            raise _bad(key, f"is not for {'proxy' if project.registry_id else 'ordinary'} projects")
        if key in shown(project):
            raise HarborError("CONFLICT", f"metadata {key} already exists")
        _save(actor, project, "create", {key: value})


def update(actor: Actor, project_id: int, name: str, values: Mapping[str, str]) -> None:
    """Raises BAD_REQUEST unless the one key given is ``name``, NOT_FOUND for a key the project has not."""
    key, value = _single(values)
    if key != name:
        raise HarborError("BAD_REQUEST", f"the body must hold metadata {name[:100]}")
    with transaction.atomic():
        project = _locked(project_id)
        _known(project, key)
        _save(actor, project, "update", {key: value})


def delete(actor: Actor, project_id: int, name: str) -> None:
    """Without the key its default applies again. Raises NOT_FOUND, BAD_REQUEST for a key of the server."""
    if name in SERVER_ONLY:
        raise _bad(name, "is set by the server")
    with transaction.atomic():
        project = _locked(project_id)
        _known(project, name)
        project.metadata.pop(name, None)
        _save(actor, project, "delete", {"public": "false"} if name == "public" else {})


def get(project: Project, name: str) -> dict[str, str]:
    """Raises NOT_FOUND."""
    _known(project, name)
    return {name: shown(project)[name]}


def _single(values: Mapping[str, str]) -> tuple[str, str]:
    if len(values) != 1:
        raise HarborError("BAD_REQUEST", "the body must hold exactly one key")
    return next(iter(checked(values).items()))


def _known(project: Project, name: str) -> None:
    if name not in shown(project):
        raise HarborError("NOT_FOUND", f"metadata {name[:100]} not found")


def _locked(project_id: int) -> Project:
    project = Project.objects.select_for_update().filter(pk=project_id, deleted=False).first()
    if project is None:
        raise HarborError("NOT_FOUND", "the project has just been deleted")
    return project


def _save(actor: Actor, project: Project, operation: str, values: Mapping[str, str]) -> None:
    write(project, values)
    project.save(update_fields=["public", "metadata", "update_time"])
    bind(actor, project)
    audit.record(actor, operation, "metadata", project.name, project_id=project.pk)
    transaction.on_commit(access.forget)
