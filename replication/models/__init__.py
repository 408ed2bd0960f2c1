from replication.models.drift import PolicyDrift
from replication.models.policy import ReplicationPolicy
from replication.models.proxy import Flight, PendingManifest, UpstreamTag
from replication.models.registry import Registry

__all__ = ["Flight", "PendingManifest", "PolicyDrift", "Registry", "ReplicationPolicy", "UpstreamTag"]
