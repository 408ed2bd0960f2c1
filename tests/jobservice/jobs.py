"""Jobs for the tests: what they did is seen in files, which outlive every process that is killed."""

import os
import time
from pathlib import Path

from django.db import connection

from jobservice.dispatch import TaskSpec
from jobservice.jobs import JobFailed, Retry
from jobservice.worker.context import Context


def note(context: Context, what: str) -> None:
    """One line, appended at once: ``what``, run, process."""
    path = context.parameters.get("notes")
    if path:
        with Path(path).open("a", encoding="ascii") as file:
            file.write(f"{what} {context.task.run_count} {os.getpid()}\n")


def steps(context: Context) -> None:
    """``steps`` steps of ``pause`` seconds, each with a line and progress; then until the file ``gate`` is there."""
    number, pause = context.parameters.get("steps", 1), context.parameters.get("pause", 0)
    note(context, "begin")
    for step in range(1, number + 1):
        context.check_stop()
        context.log.info("step %d of %d", step, number)
        context.progress(step, number, step * 1000)
        time.sleep(pause)
    gate = context.parameters.get("gate")
    while gate and not Path(gate).exists():
        context.check_stop()
        time.sleep(0.05)
    context.report(steps=number)
    note(context, "end")


def fails(context: Context) -> None:
    raise JobFailed(context.parameters.get("message", "it cannot work"))


def retries(context: Context) -> None:
    """Fails with Retry until its run number is ``good``."""
    if context.task.run_count < context.parameters.get("good", 99):
        raise Retry("not yet", seconds=context.parameters.get("seconds"))


def breaks(context: Context) -> None:
    raise KeyError("password=hunter2")


def plans(context: Context) -> None:
    """Adds tasks to its execution, then goes on for a while."""
    spec = TaskSpec(context.parameters["child"], job_type="TEST")
    context.log.info("planned %d tasks", context.spawn([spec] * context.parameters["children"]))
    context.sleep(context.parameters.get("pause", 0))


def asks(context: Context) -> None:
    """Uses the database all the time for ``seconds``."""
    until = time.monotonic() + context.parameters["seconds"]
    note(context, "begin")
    while time.monotonic() < until:
        context.check_stop()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        time.sleep(0.05)
    note(context, "end")


def deaf(context: Context) -> None:
    """Never looks whether it should stop."""
    note(context, "begin")
    time.sleep(context.parameters["seconds"])
    note(context, "end")
