"""Volcengine's container registry."""

from replication.adapters.docker_registry import DockerRegistry


class Volcengine(DockerRegistry):
    """As a plain registry at ``https://<instance>-<region>.cr.volces.com``: the credentials are those of ``docker
    login``."""

    kind = "volcengine-cr"
    title = "Volcengine CR"
