"""Executions and tasks as the REST API shows them, for every part of it that runs jobs."""

import json
from typing import Any

from harbor_core.lib.schema import FLAG, INT, NUMBER, TEXT, TIME, choice, mapping, obj
from harbor_core.lib.timefmt import rfc3339, seconds
from harbor_core.lib.wire import compact
from jobservice.models import Execution, Schedule, Task
from jobservice.selectors.executions import Progress
from jobservice.states import Status, Trigger

STATUS = choice(*Status.values)
METRICS = obj(
    "Metrics",
    {"task_count?": INT} | {f"{status.counter}_task_count?": INT for status in Status},
)
PROGRESS = obj(
    "Progress",
    {
        "tasks?": INT,
        "all_tasks?": INT,
        "done?": INT,
        "total?": INT,
        "bytes?": INT,
        "rate?": NUMBER,
        "byte_rate?": NUMBER,
        "percent?": INT,
    },
    about="How far it is: tasks that have ended, items done of a total, bytes moved, items and bytes per second.",
)
EXECUTION = obj(
    "Execution",
    {
        "id": INT,
        "vendor_type": TEXT,
        "vendor_id": INT,
        "status": STATUS,
        "status_message?": TEXT,
        "metrics?": METRICS,
        "trigger": choice(*Trigger.values),
        "extra_attrs?": mapping(),
        "start_time": TEXT,
        "end_time?": TEXT,
        "progress?": PROGRESS,
    },
)
TASK = obj(
    "Task",
    {
        "id": INT,
        "execution_id": INT,
        "status": STATUS,
        "status_message?": TEXT,
        "run_count?": INT,
        "extra_attrs?": mapping(),
        "creation_time": TEXT,
        "update_time": TEXT,
        "start_time?": TEXT,
        "end_time?": TEXT,
        "progress?": PROGRESS,
    },
)
SCHEDULE_TYPES = ("Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule")
SCHEDULE = obj("ScheduleObj", {"type?": choice(*SCHEDULE_TYPES), "cron?": TEXT, "next_scheduled_time?": TIME})
HISTORY_FIELDS = {
    "id?": INT,
    "job_name": TEXT,
    "job_kind?": TEXT,
    "job_parameters?": TEXT,
    "schedule?": SCHEDULE,
    "job_status?": STATUS,
    "deleted?": FLAG,
    "creation_time": TIME,
    "update_time": TIME,
}


def metrics_json(execution: Execution) -> dict[str, Any]:
    """Metrics."""
    counts = {f"{status.counter}_task_count": getattr(execution, status.counter) for status in Status}
    return compact({"task_count": sum(counts.values())} | counts)


def execution_json(execution: Execution, progress: Progress | None = None) -> dict[str, Any]:
    """Execution."""
    return compact(
        {
            "id": execution.pk,
            "vendor_type": execution.vendor_type,
            "vendor_id": execution.vendor_id,
            "status": execution.status,
            "status_message": execution.status_message,
            "metrics": metrics_json(execution),
            "trigger": execution.trigger,
            "extra_attrs": execution.extra_attrs,
            "start_time": seconds(execution.start_time),
            "end_time": seconds(execution.end_time),
            "progress": progress_json(progress) if progress else {},
        },
        "vendor_id",
    )


def progress_json(progress: Progress) -> dict[str, Any]:
    """Progress."""
    names = ("tasks", "all_tasks", "done", "total", "bytes", "rate", "byte_rate", "percent")
    return compact({name: getattr(progress, name) for name in names})


def task_json(task: Task) -> dict[str, Any]:
    """Task."""
    names = ("done", "total", "bytes", "rate", "byte_rate")
    return compact(
        {
            "id": task.pk,
            "execution_id": task.execution_id,
            "status": task.status,
            "status_message": task.status_message,
            "run_count": task.run_count,
            "extra_attrs": task.extra_attrs,
            "creation_time": seconds(task.creation_time),
            "update_time": seconds(task.update_time),
            "start_time": seconds(task.start_time),
            "end_time": seconds(task.end_time),
            "progress": compact({name: getattr(task, name) for name in names}),
        }
    )


def history_json(execution: Execution) -> dict[str, Any]:
    """ExecHistory, GCHistory: a run of a system job. Its parameters and results are one JSON text."""
    by_schedule = execution.trigger == Trigger.SCHEDULE
    cron = execution.schedule.cron if by_schedule and execution.schedule else ""
    return compact(
        {
            "id": execution.pk,
            "job_name": execution.vendor_type,
            "job_kind": execution.trigger,
            "job_parameters": json.dumps(execution.extra_attrs),
            "schedule": compact({"type": "Schedule" if by_schedule else "Manual", "cron": cron}),
            "job_status": execution.status,
            "creation_time": rfc3339(execution.start_time),
            "update_time": rfc3339(execution.update_time),
        }
    )


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """ExecHistory, GCHistory: the schedule of a system job."""
    when = {"type": schedule.cron_type, "cron": schedule.cron}
    if schedule.next_time:
        when["next_scheduled_time"] = rfc3339(schedule.next_time)
    return {
        "id": schedule.pk,
        "job_name": schedule.vendor_type,
        "job_kind": Trigger.SCHEDULE.value,
        "job_parameters": json.dumps(schedule.parameters),
        "schedule": when,
        "creation_time": rfc3339(schedule.creation_time),
        "update_time": rfc3339(schedule.update_time),
    }
