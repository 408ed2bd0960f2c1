"""What an artifact consists of: its manifest taken apart, and the history written in an image's config."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from projects.manifests.parse import Manifest, parse
from projects.models import Artifact

CONFIG_READ_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """One step of the build. ``created`` is None where the builder did not say; ``size`` in bytes of the layer the
    step made, None for a step that changed only the config."""

    created: datetime | None
    command: str
    author: str
    comment: str
    size: int | None


def manifest_of(artifact: Artifact) -> Manifest:
    """The stored manifest; it was checked when it was pushed."""
    return parse(bytes(artifact.manifest), artifact.manifest_media_type)


def image_config(manifest: Manifest) -> dict[str, Any]:
    """The config blob of an image as written by its builder; empty where it is none, or is no JSON object.

    Raises SERVICE_UNAVAILABLE when storage cannot be read.
    """
    config = manifest.config
    if config is None or config.size > CONFIG_READ_MAX:
        return {}
    try:
        document = json.loads(storage.read_blob(config.digest))
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be read", headers={"Retry-After": "5"}) from exc
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def build_history(manifest: Manifest, config: dict[str, Any]) -> list[HistoryStep]:
    """Steps in build order (OCI image spec, image config ``history``). Layer sizes are matched to the steps that made
    one, when the builder wrote as many as there are layers."""
    history = config.get("history")
    if not isinstance(history, list):
        return []
    steps = [step for step in history if isinstance(step, dict)]
    sizes = iter(layer.size for layer in manifest.layers)
    matched = sum(not step.get("empty_layer") for step in steps) == len(manifest.layers)
    return [
        HistoryStep(
            created=_time(step.get("created")),
            command=_words(step.get("created_by")),
            author=_words(step.get("author")),
            comment=_words(step.get("comment")),
            size=next(sizes) if matched and not step.get("empty_layer") else None,
        )
        for step in steps
    ]


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:  # well formed, but no such day
        return None
