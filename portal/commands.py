"""Command lines shown for copying, in the words of the container runtime a person chose.

Every value in them has passed the grammar of names and tags (harbor_core.lib.names) or is our own host, so nothing in
a line can mean anything to a shell.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

# Kinds of artifacts that a container runtime cannot pull.
_HELM, _GENERIC = "helm", "oras"
_TOOL_OF_KIND = {"IMAGE": "", "CNAB": "", "CHART": _HELM}
_PLAIN_HTTP_FLAG = {
    "podman": "--tls-verify=false ",
    "nerdctl": "--insecure-registry ",
    "ctr": "--plain-http ",
    _HELM: " --plain-http",
    _GENERIC: "--plain-http ",
}


@dataclass(frozen=True, slots=True)
class Registry:
    """How clients address us: ``host`` with its port; plain HTTP needs a flag in most clients."""

    host: str
    plain_http: bool

    def flag(self, tool: str) -> str:
        return _PLAIN_HTTP_FLAG.get(tool, "") if self.plain_http else ""


def registry_of(url: str) -> Registry:
    """From one of the public URLs. Docker speaks plain HTTP to loopback by itself and needs daemon settings elsewhere,
    so no flag can be shown for it."""
    parts = urlsplit(url)
    return Registry(parts.netloc, parts.scheme == "http")


def pull(registry: Registry, runtime: str, kind: str, repository: str, *, tag: str = "", digest: str = "") -> str:
    """``repository`` is the full name; exactly one of ``tag`` and ``digest`` is given."""
    name = f"{registry.host}/{repository}"
    tool = _TOOL_OF_KIND.get(kind, _GENERIC) or runtime
    flag = registry.flag(tool)
    reference = f"{name}:{tag}" if tag else f"{name}@{digest}"
    if tool == _HELM:
        return f"helm pull oci://{name} --version {tag}{flag}" if tag else f"helm pull oci://{reference}{flag}"
    if tool == "ctr":
        return f"ctr images pull {flag}{reference}"
    return f"{tool} pull {flag}{reference}"


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
    user = username or "USER"
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
