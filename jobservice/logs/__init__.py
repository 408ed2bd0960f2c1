"""Logs of tasks: lines go to the stores of HARBOR_JOB_LOGGERS, and are read from the first of them that can."""

from jobservice.logs.stores import LogStore, delete, read, size
from jobservice.logs.tasklog import TaskLog

__all__ = ["LogStore", "TaskLog", "delete", "read", "size"]
