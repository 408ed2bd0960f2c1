"""A process of its own that uses the engine as core does: evaluates one Python expression a line, answers in JSON."""

import json
import sys
import traceback

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

import tests.jobservice.jobtypes  # noqa: E402, F401 - registers job types
from jobservice import dispatch, logs  # noqa: E402
from jobservice.dispatch import TaskSpec  # noqa: E402
from jobservice.models import Execution, JobQueue, Schedule, Task, WorkerPool  # noqa: E402
from jobservice.selectors import executions, monitor  # noqa: E402
from jobservice.services import control, schedules, sweeps  # noqa: E402

NAMES = {
    "control": control,
    "dispatch": dispatch,
    "executions": executions,
    "logs": logs,
    "monitor": monitor,
    "schedules": schedules,
    "sweeps": sweeps,
    "transaction": transaction,
    "Execution": Execution,
    "JobQueue": JobQueue,
    "Schedule": Schedule,
    "Task": Task,
    "TaskSpec": TaskSpec,
    "WorkerPool": WorkerPool,
}

for line in sys.stdin:
    try:
        answer = {"value": eval(json.loads(line), dict(NAMES))}
    except Exception:  # is the answer: whoever asked raises it
        answer = {"error": traceback.format_exc()}
        connection.close()
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()
