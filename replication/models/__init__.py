from replication.models.policy import ReplicationPolicy
from replication.models.proxy import Flight, PendingManifest, UpstreamTag
from replication.models.registry import Registry

__all__ = ["Flight", "PendingManifest", "Registry", "ReplicationPolicy", "UpstreamTag"]
