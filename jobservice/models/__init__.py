from jobservice.models.execution import Execution, Task
from jobservice.models.finding import StorageFinding
from jobservice.models.log import LogChunk
from jobservice.models.queue import JobQueue, JobTotal, WorkerPool
from jobservice.models.schedule import Schedule

__all__ = ["Execution", "JobQueue", "JobTotal", "LogChunk", "Schedule", "StorageFinding", "Task", "WorkerPool"]
