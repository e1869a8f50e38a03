"""From a stream's query to its market: which manifest, from when on, and where an earlier connection left off."""

import re
from hashlib import sha256
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from config.universe import load_universe
from daemon.http.bodies import SEED_MAX
from daemon.http.limits import Limits
from daemon.http.problems import Problem
from daemon.http.runs import batch_named
from supervisor.clock import NS_PER_MS, NS_PER_S
from supervisor.entropy import unguessable
from venues.aleatoric.batch import SECONDS_MAX, Batch
from venues.aleatoric.dialects.speakers import SPEAKERS, speaker_of
from venues.aleatoric.manifest import SimulationManifest, manifest_hash, read_manifest
from venues.aleatoric.presets import ENGINES, PRESETS, get_preset

MS_PER_S = 1000
NAME_FIGURES = 12  # hexadecimal, of the manifest's hash: enough to see that an id is another stream's
DRAWN_BYTES = 6  # of a seed that nobody gave: it fits the numbers of every JSON reader
EVENT_ID = re.compile(r"([0-9a-f]{12})\.(\d{1,19})\.(\d{1,13})\.(\d{1,13})\.(\d{1,12})", re.ASCII)
"""The hash, the seed, the market's start and when the stream began (both ms), the event's number."""
SPEED_MAX = 10_000
SPEED_MIN = 0.001
"""Slower than that, the next event is not to be lived to, and its time leaves the range of floats."""


class StreamQuery(BaseModel):
    """What is to be streamed; the page's parameters, and three of ours."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    symbol: str = Field(max_length=32, description="Ticker symbol.", examples=["BTCUSDT"])
    seed: int | None = Field(None, ge=0, le=SEED_MAX, description="Same seed, same stream. Else a new one, from now.")
    mode: Literal["single", "composite_pair"] = Field("single", description="One market, or spot and perp together.")
    src_latency_mode: Literal["zero", "colocated", "retail"] = Field("zero", description="0, 1 to 5, 50 to 200 ms.")
    duration_s: float | None = Field(None, gt=0, le=SECONDS_MAX, description="Seconds; omit for no end.")
    preset: str | None = Field(None, max_length=64, description="Ours: the market's preset; else by its symbol.")
    dialect: Literal["wire", "binance", "hyperliquid", "okx", "bybit"] = Field(
        "wire", description="Ours: the page's format, or an exchange's own frames."
    )
    speed: float = Field(1.0, ge=0, le=SPEED_MAX, description="Ours: times real time; 0: as fast as you take it.")
    start_ms: int | None = Field(None, ge=0, lt=9 * 10**12, description="Ours: the market's time at the start.")


class StreamRun(Struct, frozen=True):
    """A market to stream."""

    batch: Batch
    form: str  # of its lines
    name: str  # of the stream, which holds all that the query may not say
    skip: int  # events that the client has
    begun_ns: int  # when it began, to an earlier connection or now; 0 where it has no pace


def stream_run(query: StreamQuery, last_event_id: str | None, limits: Limits, now_ns: int) -> StreamRun:
    """The market of a query. Raises ConfigError and Problem."""
    had = _event_id(last_event_id) if last_event_id else None
    if query.mode == "composite_pair" and query.dialect != "wire":
        raise Problem(422, "dialect: a composite pair has the page's format only; omit it", "dialect")
    refuse_slow(query.speed)
    manifest = replace(_market(query), src_latency_mode=query.src_latency_mode)
    if query.seed is not None:
        manifest = replace(manifest, seed=query.seed)
    else:
        drawn = int.from_bytes(sha256(unguessable().encode()).digest()[:DRAWN_BYTES], "big")
        manifest = replace(manifest, seed=drawn, start_ms=now_ns // NS_PER_S * MS_PER_S)
    if query.start_ms is not None:
        manifest = replace(manifest, start_ms=query.start_ms)
    if had is not None:
        manifest = replace(manifest, seed=had.seed, start_ms=had.start_ms)
    form = "pair" if query.mode == "composite_pair" else "wire" if query.dialect == "wire" else "venue"
    batch = batch_named(manifest, query.duration_s if query.duration_s is not None else SECONDS_MAX, "duration_s")
    if form == "venue":
        speaker_of(manifest, batch.model)  # refuses what the exchange can't say
    said = f"{manifest_hash(manifest)} {form}"
    hashed = sha256(said.encode()).hexdigest()[:NAME_FIGURES]
    if had is not None and had.hashed != hashed:
        raise Problem(422, "Last-Event-ID: another stream's; ask for what you asked for then", "Last-Event-ID")
    skip = 0 if had is None else had.number + 1
    if skip > limits.events_resumed_max:
        right = f"Last-Event-ID: at most {limits.events_resumed_max} events can be made again; start anew"
        raise Problem(422, right, "Last-Event-ID")
    begun_ms = (now_ns // NS_PER_MS if had is None else had.begun_ms) if query.speed else 0
    name = f"{hashed}.{manifest.seed}.{manifest.start_ms}.{begun_ms}"
    return StreamRun(batch, form, name, skip, begun_ms * NS_PER_MS)


def refuse_slow(speed: float) -> None:
    """Refuse a pace between standing still and the slowest. Raises Problem."""
    if 0 < speed < SPEED_MIN:
        raise Problem(422, f"speed: must be 0, or at least {SPEED_MIN:g}", "speed")


class _EventId(Struct, frozen=True):
    """What an event's id says of its stream."""

    hashed: str
    seed: int
    start_ms: int
    begun_ms: int
    number: int


def _event_id(text: str) -> _EventId:
    found = EVENT_ID.fullmatch(text.strip())
    if found is None or int(found[2]) > SEED_MAX or int(found[3]) >= 9 * 10**12:
        raise Problem(422, "Last-Event-ID: not an id that this service gave", "Last-Event-ID")
    return _EventId(found[1], *(int(found[part]) for part in range(2, 6)))


def _market(query: StreamQuery) -> SimulationManifest:
    """The manifest of a symbol: its preset's, the universes', or the plain one by that name. Raises ConfigError."""
    wanted = None if query.dialect == "wire" else query.dialect
    if query.preset is not None:
        manifest = read_manifest({"symbol": query.symbol})  # refuses a name that is none
        manifest = replace(get_preset(query.preset), symbol=manifest.symbol)
    else:
        manifest = _known(query.symbol, wanted) or read_manifest({"symbol": query.symbol})
    if wanted is None or manifest.exchange == wanted:
        return manifest
    # The same market at another exchange; one that has no spot frames has perpetuals.
    asset = manifest.asset_class if (wanted, manifest.asset_class) in SPEAKERS else "perp"
    return replace(manifest, exchange=wanted, asset_class=asset)


def _known(symbol: str, exchange: str | None) -> SimulationManifest | None:
    """The preset of a symbol, at the exchange that is wanted if it has one there."""
    named = [manifest for manifest in PRESETS.values() if manifest.symbol == symbol]
    for manifest in sorted(named, key=lambda manifest: manifest.exchange != exchange):
        return manifest
    engine = next((engine for engine in ENGINES if symbol in load_universe(engine)), None)
    return None if engine is None else get_preset(f"{engine}:{symbol}")
