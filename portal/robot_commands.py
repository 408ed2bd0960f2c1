"""Command lines that hand a robot's secret to clients, safe to paste into a POSIX shell."""

from shlex import quote

from portal.commands import Registry

_LOGS_IN = ("docker", "podman", "nerdctl")


def login(registry: Registry, runtime: str, name: str, secret: str) -> str:
    """Of a runtime that logs in; the others get docker's."""
    tool = runtime if runtime in _LOGS_IN else "docker"
    flag = registry.flag(tool)
    return f"printf %s {quote(secret)} | {tool} login {flag}-u {quote(name)} --password-stdin {registry.host}"


def pull_secret(registry: Registry, secret_name: str, name: str, secret: str) -> str:
    """For ``imagePullSecrets`` in Kubernetes."""
    return (
        f"kubectl create secret docker-registry {quote(secret_name)} --docker-server={registry.host} "
        f"--docker-username={quote(name)} --docker-password={quote(secret)}"
    )
