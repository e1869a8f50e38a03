"""From a request to a run: the manifest that was asked for, its length, and whether it is allowed."""

from typing import Any

from msgspec import Struct

from config.errors import ConfigError
from daemon.generate import batch_of
from daemon.http.bodies import GenerateRequest
from daemon.http.limits import Limits
from daemon.http.problems import Problem
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SYNONYMS, SimulationManifest, field_types, read_manifest
from venues.aleatoric.presets import get_preset

TRADES_MARGIN = 2
"""A run may have more trades than its mean says: moods and bursts come and go."""


class Run(Struct, frozen=True):
    """A run that may be made."""

    batch: Batch
    rows_estimated: int
    request: GenerateRequest


def manifest_asked(preset: str | None, config: dict[str, Any]) -> SimulationManifest:
    """The preset's manifest, or the plain one, with the configuration over it. Raises ConfigError."""
    if preset is None:
        return read_manifest(config)
    base = get_preset(preset)
    given = read_manifest(config)  # refuses what is wrong by the name the client gave it
    told = {name: getattr(base, name) for name in field_types()}
    named = (SYNONYMS.get(name, name) for name in config)
    return read_manifest(told | {name: getattr(given, name) for name in named})


def batch_named(manifest: SimulationManifest, seconds: float, field: str) -> Batch:
    """So many seconds of a market; a length that can't be is told by the request's own name. Raises ConfigError."""
    try:
        return batch_of(manifest, seconds)
    except ConfigError as error:
        raise ConfigError(field, error.right, seconds) if error.field == "seconds" else error from None


def run_of(request: GenerateRequest, limits: Limits) -> Run:
    """The run that a request means. Raises ConfigError, and Problem for what is more than is allowed."""
    manifest = manifest_asked(request.preset, request.config)
    if request.duration_seconds > limits.seconds_max:
        raise Problem(422, f"duration_seconds: at most {limits.seconds_max:g} here", "duration_seconds")
    batch = batch_named(manifest, request.duration_seconds, "duration_seconds")
    rows = round(batch.steps + TRADES_MARGIN * request.duration_seconds * batch.model.flow.trades_per_s)
    if rows > limits.rows_max:
        right = f"about {rows} rows, and {limits.rows_max} are allowed: make it shorter, or its books rarer"
        raise Problem(422, right, "duration_seconds")
    return Run(batch, rows, request)
