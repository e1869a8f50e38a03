"""What the nine tools do: one method each, whoever asks, over MCP or REST."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from config.errors import ConfigError
from config.universe import load_universe
from daemon.http import bodies
from daemon.http.normalizing import Normalized, Room, normalize
from daemon.http.problems import Problem
from daemon.http.routes_generate import waited
from daemon.http.runs import manifest_asked
from daemon.http.service import API_VERSION, Service
from daemon.http.workers import Refused
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.aleatoric.funding.details import venue_details
from venues.aleatoric.funding.regime import RegimeRequest, simulate_funding_regime
from venues.aleatoric.manifest import START_MS, canonical_json, manifest_hash, manifest_schema
from venues.aleatoric.manifest_model import model_of, resolved
from venues.aleatoric.model import GENERATOR_VERSION
from venues.aleatoric.presets import ENGINES, PRESETS
from venues.aleatoric.scenarios import describe

SCENARIO = ("kind", "what", "for", "size", "side")


class Caller(Struct, frozen=True):
    """Who calls a tool."""

    owner: str  # id of the key
    base_url: str  # that links begin with


LOCAL_OWNER = "local"
"""Who calls over stdio."""

Answer = dict[str, Any]


class Toolbox:
    """The tools of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def get_health(self, asked: bodies.NoArguments, caller: Caller) -> Answer:
        """Whether it is well."""
        now = datetime.fromtimestamp(self.service.clock.now_ns() / NS_PER_S, UTC)
        return {"status": "ok", "timestamp": now.isoformat(), "version": API_VERSION}

    async def get_presets(self, asked: bodies.NoArguments, caller: Caller) -> Answer:
        """What there is to start from."""
        return {
            "presets": [_about(name) for name in PRESETS],
            "universes": {engine: [f"{engine}:{symbol}" for symbol in load_universe(engine)] for engine in ENGINES},
            "scenarios": [dict(zip(SCENARIO, row, strict=True)) for row in describe()],
        }

    async def get_config_schema(self, asked: bodies.NoArguments, caller: Caller) -> Answer:
        """What a manifest is."""
        return manifest_schema()

    async def validate_config(self, asked: bodies.ValidateRequest, caller: Caller) -> Answer:
        """Whether a manifest is one."""
        try:
            manifest = manifest_asked(asked.preset, asked.config)
            model_of(manifest)
        except ConfigError as error:
            said = {"field": error.field, "message": str(error)}
            return {"valid": False, "manifest_hash": None, "errors": [said], "manifest": None}
        told = msgspec.json.decode(canonical_json(manifest))
        return {
            "valid": True,
            "manifest_hash": manifest_hash(manifest),
            "errors": [],
            "manifest": told,
            "generator_version": GENERATOR_VERSION,
        }

    async def generate_dataset(self, asked: bodies.GenerateRequest, caller: Caller) -> Answer:
        """A run, waited for."""
        return await waited(self.service, asked, caller.owner, caller.base_url)

    async def normalize_events(self, asked: bodies.NormalizeRequest, caller: Caller) -> Answer:
        """Canonical events of rows."""
        given = asked.model_dump(exclude_unset=True) | {"stream": False}
        result: Answer = msgspec.json.decode((await self.normalized(msgspec.json.encode(given))).answer)
        return result

    async def normalized(self, body: bytes) -> Normalized:
        """What comes of the body of a request. Raises Problem."""
        service = self.service
        room = Room(service.limits.events_normalized_max, service.events.folder, service.full_cache())
        try:
            found = await service.jobs.work(normalize, body, room)
        except Refused as error:
            raise Problem(error.status, error.detail, error.field) from None
        if found.cache_hit is not None:
            (service.metrics.hits if found.cache_hit else service.metrics.misses).add()
        return found

    async def simulate_funding_regime(self, asked: bodies.FundingRequest, caller: Caller) -> Answer:
        """Funding from now on."""
        start_ms = asked.start_ms if asked.start_ms is not None else START_MS
        given = asked.model_dump(exclude={"start_ms"})
        try:
            found = simulate_funding_regime(RegimeRequest(**given, start_ns=start_ms * NS_PER_MS))
        except ValueError as error:
            raise Problem(422, str(error), str(error).partition(" ")[0]) from error
        result: Answer = msgspec.to_builtins(found)
        return result

    async def get_venue_details(self, asked: bodies.VenueRequest, caller: Caller) -> Answer:
        """What is known of an exchange."""
        result: Answer = msgspec.json.decode(msgspec.json.encode(venue_details(asked.exchange)))
        return result

    async def get_cache_stats(self, asked: bodies.NoArguments, caller: Caller) -> Answer:
        """What the cache holds and how small it is."""
        return self.service.cache_stats()


def _about(name: str) -> Answer:
    """A preset in a line."""
    manifest = PRESETS[name]
    now = resolved(manifest)
    fields = ("symbol", "exchange", "asset_class", "initial_price", "base_spread_bps", "volatility_annual")
    more = ("book_update_interval_ms", "trade_intensity_base")
    told = {field: getattr(now, field) for field in (*fields, *more)}
    return {"name": name, **told, "manifest_hash": manifest_hash(manifest)}
