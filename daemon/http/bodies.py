"""Requests of the service as pydantic models: what the OpenAPI document and the tools' schemas are made of.

Nothing unknown is taken, nothing is converted: "60" is no number and true is none either.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from venues.aleatoric.artifacts.driver import BACKOFF_S, RETRIES_MAX, WORKERS_MAX
from venues.aleatoric.batch import SECONDS_MAX
from venues.aleatoric.manifest import manifest_schema

SEED_MAX = 2**63 - 1


def _config_schema() -> dict[str, Any]:
    """The manifest's schema where a `$ref` would lead out of the document that it is put into."""
    schema = dict(manifest_schema())
    scenario = schema.pop("$defs")["Scenario"]
    properties = dict(schema.pop("properties"))
    properties["scenarios"] = {**properties["scenarios"], "items": scenario}
    del schema["$schema"]
    schema.pop("required", None)
    schema |= {"title": "SimulationManifest", "additionalProperties": False, "properties": properties}
    schema["description"] = "Fields of the manifest over the preset's or the defaults; GET /mcp/config/schema has all."
    schema["examples"] = [{"symbol": "BTC", "initial_price": 50000.0, "volatility_annual": 0.60, "seed": 42}]
    return schema


Config = Annotated[dict[str, Any], WithJsonSchema(_config_schema())]
Preset = Annotated[
    str | None, Field(None, max_length=64, description="A preset to start from; GET /mcp/presets lists them.")
]


SHOWN_MAX = 80  # characters of a bad value


def fault_of(error: Mapping[str, Any], place: Sequence[str | int] | None = None) -> tuple[str, str]:
    """What is wrong with a request, and the field, from the first of pydantic's errors."""
    field = ".".join(map(str, error["loc"] if place is None else place))
    text = ascii(error.get("input"))
    shown = text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."
    given = "" if error["type"] == "missing" else f", not {shown}"
    return f"{field or 'the body'}: {error['msg']}{given}", field


class Asked(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Driver(Asked):
    """How a run is made. None of it changes a byte of it."""

    multiprocess: bool = Field(True, description="Checked, as workers is.")
    workers: int = Field(1, ge=1, le=WORKERS_MAX, description="Checked; a run is made by one warm process.")
    window_seconds: float = Field(2.0, gt=0, le=86_400, description="Seconds of market that are made at a time.")
    max_retries: int = Field(RETRIES_MAX, ge=0, le=20, description="Of what failed.")
    backoff_seconds: float = Field(BACKOFF_S, ge=0, le=60, description="Before the first retry, then doubled.")


class GenerateRequest(Asked):
    """A run to make."""

    preset: Preset
    config: Config = Field(default_factory=dict)
    duration_seconds: float = Field(
        gt=0, le=SECONDS_MAX, description="Seconds of market; closed hours take none.", examples=[60]
    )
    driver: Driver = Field(default_factory=Driver)
    enable_cache: bool = Field(False, description="Keep the run in the cache, and take it from there if it is there.")


class ValidateRequest(Asked):
    """A configuration to look at."""

    preset: Preset
    config: Config = Field(default_factory=dict)


class NormalizeRequest(Asked):
    """Rows of one source to make canonical events of."""

    source: Literal["synthetic", "hyperliquid", "binance", "cme", "sgx"]
    symbol: str | None = Field(None, min_length=1, max_length=64, description="Only this one; else all that come.")
    events: list[dict[str, Any]] = Field(description='Rows, as {"payload": ...} or bare.')
    stream: bool = Field(False, description="Answer event by event, as text/event-stream.")
    enable_cache: bool = Field(False, description="Keep what came of it in the cache.")


class FundingRequest(Asked):
    """A spot and a mark price whose funding is wanted."""

    exchange: Literal["binance", "hyperliquid", "okx", "bybit", "cme", "sgx"]
    spot_price: float = Field(gt=0, le=1e12, examples=[50_000.0])
    mark_price: float = Field(gt=0, le=1e12, examples=[50_050.0])
    position_size: float | None = Field(None, ge=-1e12, le=1e12, description="In coins; negative is short.")
    num_periods: int = Field(1, ge=1, le=12, description="Settlement intervals, the current one first.")
    use_soft_cap: bool = Field(True, description="Whether the exchange's soft cap holds.")
    seed: int = Field(42, ge=0, le=SEED_MAX, description="Of the periods after the first.")
    profile: Literal["aleatoric", "venue"] = Field("aleatoric", description="The page's figures, or today's rules.")
    start_ms: int | None = Field(None, ge=0, le=9 * 10**12, description="When it starts; else the generator's start.")


class NoArguments(Asked):
    """Nothing to say."""


class VenueRequest(Asked):
    """Which exchange."""

    exchange: Literal["binance", "hyperliquid", "okx", "bybit", "cme", "sgx"]
