"""The kinds of remote registries. One file per kind; a kind is imported when it is first used."""

from functools import cache
from importlib import import_module

from django.conf import settings

from harbor_core.lib.errors import HarborError
from replication.adapters.base import Adapter, Endpoint

ADAPTERS = {
    "harbor": "replication.adapters.harbor.Harbor",
    "docker-hub": "replication.adapters.docker_hub.DockerHub",
    "docker-registry": "replication.adapters.docker_registry.DockerRegistry",
    "quay": "replication.adapters.quay.Quay",
    "github-ghcr": "replication.adapters.github_ghcr.GitHub",
    "gitlab": "replication.adapters.gitlab.GitLab",
    "jfrog-artifactory": "replication.adapters.jfrog_artifactory.Artifactory",
    "google-gcr": "replication.adapters.google_gcr.Google",
    "azure-acr": "replication.adapters.azure_acr.Azure",
    "dtr": "replication.adapters.dtr.TrustedRegistry",
    "aws-ecr": "replication.adapters.aws_ecr.AmazonEcr",
    "ali-acr": "replication.adapters.ali_acr.Alibaba",
    "huawei-SWR": "replication.adapters.huawei_swr.Huawei",
    "tencent-tcr": "replication.adapters.tencent_tcr.Tencent",
    "volcengine-cr": "replication.adapters.volcengine_cr.Volcengine",
    "helm-hub": "replication.adapters.helm_hub.HelmRepository",
}


def is_allowed(kind: str) -> bool:
    """Does the operator's list of kinds, if there is one, have it?"""
    return not settings.REPLICATION_ADAPTERS or kind in settings.REPLICATION_ADAPTERS


@cache
def adapter_class(kind: str) -> type[Adapter]:
    """Raises BAD_REQUEST for a kind that is not known."""
    path = ADAPTERS.get(kind)
    if path is None:
        raise HarborError("BAD_REQUEST", f"registries of type {kind[:100]!r} are not known")
    module, _, name = path.rpartition(".")
    found: type[Adapter] = getattr(import_module(module), name)
    return found


def adapter(kind: str, endpoint: Endpoint) -> Adapter:
    """Speaks with one remote registry. Raises BAD_REQUEST as :func:`adapter_class`, and for a kind that is not used
    here."""
    found = adapter_class(kind)
    if not is_allowed(kind):
        raise HarborError("BAD_REQUEST", f"registries of type {kind} are not allowed here")
    return found(endpoint)
