"""gunicorn's own lines in the form that HARBOR_LOG_FORMAT asks for (``--logger-class``)."""

from typing import Any

from gunicorn.glogging import Logger as PlainLogger

from harbor_core.env import env_str
from harbor_core.lib.logs import JsonFormatter


class Logger(PlainLogger):
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if env_str("HARBOR_LOG_FORMAT") == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(JsonFormatter())
