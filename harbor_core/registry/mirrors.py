"""Transparent mirrors: requests that do not name the project they are for (docs/proxy-cache.md).

A host name may be bound to a proxy project, and so may the registry that containerd names in ``?ns=``. Behind the
door the request is about the project's repository; whoever sent it is answered in its own words: challenges,
``Location`` and ``Link`` do not name the project either, and the realm tells the token service which one is meant.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from projects.selectors.mirrors import project_of

Environ = dict[str, Any]
_PROJECT, _QUERY = "harbor.mirror", "harbor.mirror.query"
_OWN = ("", "_catalog")  # below /v2/, of no repository


def enter(environ: Environ) -> None:
    """Lead a request for a mirror to its project; once, however often it is asked for."""
    path = environ["PATH_INFO"]
    if _PROJECT in environ or not path.startswith("/v2/"):
        return
    query = environ.get("QUERY_STRING", "")
    namespace = dict(reversed(parse_qsl(query))).get("ns", "") if "ns=" in query else ""
    project = _bound(environ, namespace)
    if project and path[4:] not in _OWN:
        environ["PATH_INFO"] = f"/v2/{project}/{path[4:]}"


def repository_of(environ: Environ) -> str:
    """The repository the gateway asks about."""
    name: str = environ["HTTP_X_HARBOR_REPOSITORY"]
    project = _bound(environ, unquote(environ.get("HTTP_X_HARBOR_NAMESPACE", "")))
    return f"{project}/{name}" if project else name


def _bound(environ: Environ, namespace: str) -> str:
    """The host decides before the namespace does: it was chosen for the mirror."""
    host = environ.get("HTTP_HOST", "").lower()
    project = project_of(host) or project_of(host.rpartition(":")[0]) or project_of(namespace.lower())
    if project:
        environ[_PROJECT] = project
        environ[_QUERY] = f"ns={quote(namespace, safe='')}" if namespace else ""
    return project


def project_behind(environ: Environ) -> str:
    """Empty for a request that names its project itself."""
    project: str = environ.get(_PROJECT, "")
    return project


def shown(environ: Environ, repository: str) -> str:
    """What the client calls it."""
    project = project_behind(environ)
    return repository.removeprefix(f"{project}/") if project else repository


def answering(environ: Environ, start_response: Callable[..., Any]) -> Callable[..., Any]:
    """``start_response`` for headers in the client's words."""
    project = project_behind(environ)
    if not project:
        return start_response

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [(name, _worded(environ, name, value)) for name, value in headers], *rest)

    return start


def _worded(environ: Environ, name: str, value: str) -> str:
    opening, ending = {"location": ("", ""), "link": ("<", ">")}.get(name.lower(), ("", None))
    behind = f"{opening}/v2/{project_behind(environ)}/"
    if ending is None or not value.startswith(behind):
        return value
    end = value.index(ending) if ending else len(value)
    target, rest = value[len(behind) : end], value[end:]
    if environ[_QUERY]:
        target += f"{'&' if '?' in target else '?'}{environ[_QUERY]}"
    return f"{opening}/v2/{target}{rest}"
