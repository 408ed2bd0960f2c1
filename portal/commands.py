"""Command lines shown for copying, in the words of the container runtime a person chose.

Every value in them has passed the grammar of names and tags (harbor_core.lib.names) or is our own host, and user names
are quoted, so nothing in a line can mean anything to a shell.
"""

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

# Kinds of artifacts that a container runtime cannot pull.
_HELM, _GENERIC = "helm", "oras"
_TOOL_OF_KIND = {"IMAGE": "", "CNAB": "", "CHART": _HELM}
_WITH_LOGIN = ("docker", "podman", "nerdctl")
_PLAIN_HTTP_FLAG = {
    "podman": "--tls-verify=false ",
    "nerdctl": "--insecure-registry ",
    "ctr": "--plain-http ",
    _HELM: " --plain-http",
    _GENERIC: "--plain-http ",
}


@dataclass(frozen=True, slots=True)
class Registry:
    """How clients address us: ``host`` with its port; plain HTTP needs a flag in most clients. ``user`` is who has to
    sign in to pull, empty where anybody may."""

    host: str
    plain_http: bool
    user: str = ""

    def flag(self, tool: str) -> str:
        return _PLAIN_HTTP_FLAG.get(tool, "") if self.plain_http else ""


def registry_of(url: str) -> Registry:
    """From one of the public URLs. Docker speaks plain HTTP to loopback by itself and needs daemon settings elsewhere,
    so no flag can be shown for it."""
    parts = urlsplit(url)
    return Registry(parts.netloc, parts.scheme == "http")


def pull(registry: Registry, runtime: str, kind: str, repository: str, *, tag: str = "", digest: str = "") -> str:
    """``repository`` is the full name; exactly one of ``tag`` and ``digest`` is given. Runtimes without a ``login`` of
    their own get the credentials with the command, where some are needed."""
    name = f"{registry.host}/{repository}"
    tool = _TOOL_OF_KIND.get(kind, _GENERIC) or runtime
    flag = registry.flag(tool)
    reference = f"{name}:{tag}" if tag else f"{name}@{digest}"
    if tool == _HELM:
        return f"helm pull oci://{name} --version {tag}{flag}" if tag else f"helm pull oci://{reference}{flag}"
    if tool == "ctr":
        # ctr asks for the password when only the name is given.
        credentials = f"--user {shlex.quote(registry.user)} " if registry.user else ""
        return f"ctr images pull {flag}{credentials}{reference}"
    if tool == "crictl" and registry.user:
        # Quoted as a whole: PASSWORD stands for the password or a token, which may hold anything.
        return f"crictl pull --creds {shlex.quote(f'{registry.user}:PASSWORD')} {reference}"
    return f"{tool} pull {flag}{reference}"


def login(registry: Registry, runtime: str, user: str, secret: str = "") -> str:
    """Sign in with a password or token. ``secret`` goes through a pipe, so that it is in no list of processes; it has
    our own alphabet. Runtimes without a ``login`` are given docker's."""
    tool = runtime if runtime in _WITH_LOGIN else "docker"
    line = f"{tool} login {registry.flag(tool)}-u {shlex.quote(user)}"
    if not secret:
        return f"{line} {registry.host}"
    return f"printf %s {shlex.quote(secret)} | {line} --password-stdin {registry.host}"


@dataclass(frozen=True, slots=True)
class PushGuide:
    """Lines that put an image into a project, in order. ``tool`` differs from the chosen runtime where that one cannot
    push."""

    tool: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def push_guide(registry: Registry, runtime: str, repository: str, username: str) -> PushGuide:
    """``repository`` may hold placeholders in capitals, as in ``library/REPOSITORY``."""
    target = f"{registry.host}/{repository}:TAG"
    user = shlex.quote(username) if username else "USER"
    if runtime == "ctr":
        flag = registry.flag("ctr")
        return PushGuide(
            "ctr", (f"ctr images tag SOURCE:TAG {target}", f"ctr images push {flag}--user {user} {target}")
        )
    tool = "docker" if runtime == "crictl" else runtime
    flag = registry.flag(tool)
    return PushGuide(
        tool,
        (
            f"{tool} login {flag}-u {user} {registry.host}",
            f"{tool} tag SOURCE:TAG {target}",
            f"{tool} push {flag}{target}",
        ),
    )
