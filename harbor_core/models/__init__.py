from harbor_core.models.audit import AuditLog, Event
from harbor_core.models.config import SystemConfig

__all__ = ["AuditLog", "Event", "SystemConfig"]
