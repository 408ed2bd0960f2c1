"""Google's registries: Container Registry, and Artifact Registry (``https://<location>-docker.pkg.dev``)."""

from replication.adapters.base import CredentialPattern
from replication.adapters.docker_registry import DockerRegistry

HOSTS = ("gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io")
LOCATIONS = ("us", "europe", "asia")


class Google(DockerRegistry):
    """The secret is the key of a service account as Google gives it out, a JSON document."""

    kind = "google-gcr"
    title = "Google Container Registry, Artifact Registry"
    endpoints = {host: f"https://{host}" for host in (*HOSTS, *(f"{name}-docker.pkg.dev" for name in LOCATIONS))}
    credentials = CredentialPattern("_json_key", is_document=True)
