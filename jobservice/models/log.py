from django.db import models


class LogChunk(models.Model):
    """A piece of a task's log where logs are kept in the database: ``data`` starts at byte ``offset`` of the log."""

    task = models.ForeignKey(
        "harbor_jobservice.Task", on_delete=models.CASCADE, related_name="log_chunks", db_index=False
    )
    offset = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "offset"], name="log_chunk_once")]

    def __str__(self) -> str:
        return f"log of task {self.task_id} from {self.offset}"
