"""Run one task: take it, call its function, record how it ended."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from harbor_core.lib import tracing
from harbor_core.lib.text import storable
from jobservice import dispatch
from jobservice.jobs import JOB_TYPES, Halt, Interrupted, JobFailed, JobType, LeaseLost, Postponed, Retry, StopRequested
from jobservice.services.leases import held
from jobservice.services.transitions import after, move
from jobservice.states import FINAL, Status
from jobservice.worker.context import Context
from jobservice.worker.keeper import Keeper

logger = logging.getLogger(__name__)
RECORD_SECONDS = 600.0  # how long to try to record an outcome while the database is away
DATABASE_PAUSE = 5.0  # before a job is tried again that the database left in the lurch


def work(keeper: Keeper) -> bool:
    """Answer a bell: run the most urgent task. Returns whether there was one."""
    context = keeper.take()
    if context is None:
        return False
    try:
        _wake_next(keeper)  # one bell may stand for many tasks, and bells get lost
        _run(context, JOB_TYPES[context.task.job_type])
    finally:
        keeper.drop(context)
    _wake_next(keeper)
    return True


def _wake_next(keeper: Keeper) -> None:
    try:
        keeper.ring_if_waiting()
    except DatabaseError as exc:  # the clock rings
        logger.warning("could not look for more work: %s", exc)


def _run(context: Context, job_type: JobType) -> None:
    task = context.task
    with tracing.task(task.job_type, task.traceparent, id=task.pk, execution=task.execution_id, run=task.run_count):
        outcome = _outcome(context, job_type)
        tracing.note(job_status=outcome.target.value)
        if outcome.level != "INFO":
            tracing.failed()
        _record(context, outcome)


def _outcome(context: Context, job_type: JobType) -> "Outcome":
    task = context.task
    context.log.info("run %d of task %d (%s) begins", task.run_count, task.pk, task.job_type)
    try:
        if task.failures + task.lost > 0:
            context.log.info("failed before: %d, lost with a worker: %d", task.failures, task.lost)
        job_type.function(context)
        return _end(Status.SUCCESS)
    except Halt as halt:
        return _halted(context, halt)
    except JobFailed as failure:
        return _end(Status.ERROR, str(failure))
    except Retry as failure:
        return _again(context, job_type, str(failure), failure.seconds)
    except (OperationalError, InterfaceError) as failure:
        logger.warning("task %d: the database failed it", task.pk, exc_info=failure)
        return _abandoned(context, job_type)
    except Exception as failure:
        # What an unexpected error says may hold secrets: it goes to the operator's log, its name to the user's.
        logger.exception("task %d (%s) failed", task.pk, task.job_type)
        return _again(context, job_type, f"internal error: {type(failure).__name__}", None)


class Outcome:
    """Where the task goes, with which values, and the last line of its log."""

    def __init__(self, target: Status, level: str, line: str, **changes: Any) -> None:
        self.target, self.level, self.line, self.changes = target, level, line, changes


def _end(target: Status, message: str = "") -> Outcome:
    level, message = "ERROR" if target is Status.ERROR else "INFO", storable(message)
    line = f"the task ends as {target.value}" + (f": {message}" if message else "")
    return Outcome(target, level, line, status_message=message)


def _halted(context: Context, halt: Halt) -> Outcome:
    match halt:
        case StopRequested():
            return _end(Status.STOPPED, "stopped on request")
        case Interrupted():
            return Outcome(Status.PENDING, "INFO", "the worker shuts down, the task goes back to the queue")
        case Postponed():
            seconds = max(halt.seconds, 1.0)
            line = f"{halt}; the task waits for {seconds:.0f} s"
            return Outcome(Status.SCHEDULED, "INFO", line, due_at=after(seconds), status_message=str(halt))
        case LeaseLost():
            context.halt(LeaseLost)
    # No heartbeat got through for too long. If nobody has taken the task up yet, it goes back.
    return Outcome(Status.PENDING, "WARNING", "the task was lost to the queue")


def _again(context: Context, job_type: JobType, message: str, seconds: float | None) -> Outcome:
    failures, message = context.task.failures + 1, storable(message)
    if context.is_last_attempt:
        return Outcome(Status.ERROR, "ERROR", f"the task ends as Error: {message}", **_failed(failures, message))
    pause = job_type.backoff(failures) if seconds is None else max(seconds, 0)
    line = f"attempt {failures} of {job_type.attempts} failed: {message}; the next in {pause:g} s"
    return Outcome(Status.SCHEDULED, "WARNING", line, due_at=after(pause), **_failed(failures, message))


def _failed(failures: int, message: str) -> dict[str, Any]:
    return {"failures": failures, "status_message": message[:2000]}


def _abandoned(context: Context, job_type: JobType) -> Outcome:
    lost = context.task.lost + 1
    if lost >= job_type.lives:
        message = f"the database failed the task {lost} times"
        return Outcome(Status.ERROR, "ERROR", f"the task ends as Error: {message}", lost=lost, status_message=message)
    return Outcome(Status.SCHEDULED, "WARNING", "the database failed the task", lost=lost, due_at=after(DATABASE_PAUSE))


def _record(context: Context, outcome: Outcome) -> None:
    """Write the outcome if the task still is this run's; while the database is away, try again."""
    values = {name: value for name, value in context.progress_values().items() if value}
    if not context.is_lost:
        context.task_log.end(outcome.level, outcome.line)
    moved = _insist(lambda: _move(context, outcome.target, **(values | outcome.changes)), context)
    logger.info("task %d (%s): %s", context.task.pk, context.task.job_type, outcome.line)
    if not moved:
        logger.warning("task %d was taken up by another worker, this run's outcome is dropped", context.task.pk)
    elif outcome.target is Status.PENDING:
        dispatch.ring([context.task.job_type])


def _move(context: Context, target: Status, **changes: Any) -> int:
    """A task that would go back to waiting ends instead if a stop was requested."""
    rows = held(context.holding)
    if target in FINAL:
        return move(rows, Status.RUNNING, target, **changes)
    return move(rows.filter(stop_requested=False), Status.RUNNING, target, **changes) or move(
        rows.filter(stop_requested=True), Status.RUNNING, Status.STOPPED, status_message="stopped on request"
    )


def _insist(write: Callable[[], int], context: Context) -> int:
    deadline = time.monotonic() + RECORD_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as exc:
            connection.close()
            if time.monotonic() > deadline:
                logger.error("the outcome of task %d is lost, it will run again: %s", context.task.pk, exc)
                return 0
            time.sleep(1)
