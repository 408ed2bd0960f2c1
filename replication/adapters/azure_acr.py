"""Azure's container registry."""

from replication.adapters.docker_registry import DockerRegistry


class Azure(DockerRegistry):
    """The address is ``https://<name>.azurecr.io``; the credentials are those of a service principal, of a token of the
    registry, or of its administrator. Repositories are listed with the permission ``registry:catalog:*``."""

    kind = "azure-acr"
    title = "Azure Container Registry"
