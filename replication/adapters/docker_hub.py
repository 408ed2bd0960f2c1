"""Docker Hub: its pages are at one address, the registry at another."""

from urllib.parse import urlsplit

from replication.adapters.docker_registry import DockerRegistry

REGISTRY = "https://registry-1.docker.io"
HOSTS = ("hub.docker.com", "docker.io", "index.docker.io", "registry-1.docker.io")


class DockerHub(DockerRegistry):
    kind = "docker-hub"
    endpoints = {"hub.docker.com": "https://hub.docker.com"}

    @property
    def registry_url(self) -> str:
        """Of Docker Hub itself, or of a mirror that stands for it."""
        return REGISTRY if urlsplit(self.endpoint.url).hostname in HOSTS else self.endpoint.url
