"""Tencent Cloud's container registry."""

from replication.adapters.docker_registry import DockerRegistry


class Tencent(DockerRegistry):
    """As a plain registry at ``https://<instance>.tencentcloudcr.com``: the credentials are those of ``docker login``,
    not a SecretId and its key."""

    kind = "tencent-tcr"
    title = "Tencent Cloud TCR"
