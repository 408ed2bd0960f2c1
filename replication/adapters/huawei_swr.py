"""Huawei Cloud's container registry (SWR)."""

from replication.adapters.docker_registry import DockerRegistry

REGIONS = ("cn-north-1", "cn-north-4", "cn-east-2", "cn-east-3", "cn-south-1", "cn-southwest-2", "ap-southeast-1")


class Huawei(DockerRegistry):
    """As a plain registry: the credentials are those of ``docker login`` (``<region>@<access key>`` and its login
    key)."""

    kind = "huawei-SWR"
    title = "Huawei Cloud SWR"
    endpoints = {name: f"https://swr.{name}.myhuaweicloud.com" for name in REGIONS}
