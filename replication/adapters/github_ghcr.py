"""GitHub's container registry."""

from collections.abc import Iterator

from replication.adapters.base import UnhealthyError
from replication.adapters.docker_registry import DockerRegistry


class GitHub(DockerRegistry):
    """The secret is a personal access token with the scope ``read:packages`` (to push, ``write:packages``)."""

    kind = "github-ghcr"
    title = "GitHub (ghcr.io)"
    endpoints = {"ghcr.io": "https://ghcr.io"}

    def repositories(self) -> Iterator[str]:
        """Raises UnhealthyError: there is no list to ask for."""
        # 404 as from a registry without a catalog: asking again will not help.
        raise UnhealthyError("GitHub has no list of repositories: give the exact name of one, without wildcards", 404)
