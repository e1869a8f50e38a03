"""The nine tools: name, words, arguments and REST wrapper of each, in one table that MCP, REST and discovery read."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from config.errors import ConfigError
from daemon.http import bodies
from daemon.http.bodies import SHOWN_MAX, fault_of
from daemon.http.problems import Problem, problem_of
from daemon.http.service import Service
from daemon.http.toolbox import Answer, Caller, Toolbox
from venues.aleatoric.canonical.events import BadRequest

Run = Callable[[Toolbox, Any, Caller], Awaitable[Answer]]


class Tool(Struct, frozen=True):
    """One tool."""

    name: str
    description: str
    arguments: type[BaseModel]
    run: Run
    method: str  # of its REST wrapper
    path: str
    read_only: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return self.arguments.model_json_schema()


TOOLS = (
    Tool(
        "get_health",
        "Lightweight health check",
        bodies.NoArguments,
        Toolbox.get_health,
        *("GET", "/mcp/health"),
    ),
    Tool(
        "get_presets",
        "List simulation presets: name, market, spread, pace; the universes' symbols; kinds of scenarios",
        bodies.NoArguments,
        Toolbox.get_presets,
        *("GET", "/mcp/presets"),
    ),
    Tool(
        "get_config_schema",
        "Get SimulationManifest JSON Schema, with a unit, a range and a default for each field",
        bodies.NoArguments,
        Toolbox.get_config_schema,
        *("GET", "/mcp/config/schema"),
    ),
    Tool(
        "validate_config",
        "Validate configs and compute deterministic hash: the same hash names the same bytes",
        bodies.ValidateRequest,
        Toolbox.validate_config,
        *("POST", "/mcp/config/validate"),
    ),
    Tool(
        "generate_dataset",
        "Generate synthetic market data batches: books and trades as Parquet files to download",
        bodies.GenerateRequest,
        Toolbox.generate_dataset,
        *("POST", "/mcp/generate_dataset"),
        read_only=False,
    ),
    Tool(
        "normalize_events",
        "Normalize exchange data to canonical format; rows that can't be used are reported by position and field",
        bodies.NormalizeRequest,
        Toolbox.normalize_events,
        *("POST", "/mcp/normalize"),
    ),
    Tool(
        "simulate_funding_regime",
        "Calculate funding rates across venues. Returns periods[] array alongside scalar fields",
        bodies.FundingRequest,
        Toolbox.simulate_funding_regime,
        *("POST", "/mcp/simulate_funding_regime"),
    ),
    Tool(
        "get_venue_details",
        "Get exchange adapter capabilities: products, frames, funding rules",
        bodies.VenueRequest,
        Toolbox.get_venue_details,
        *("GET", "/mcp/venues/{exchange}"),
    ),
    Tool(
        "get_cache_stats",
        "Cache statistics: entries, sizes, compression, hits",
        bodies.NoArguments,
        Toolbox.get_cache_stats,
        *("GET", "/mcp/caches/stats"),
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


def listed() -> list[dict[str, Any]]:
    """The tools as tools/list has them."""
    return [{"name": tool.name, "description": tool.description, "inputSchema": tool.schema} for tool in TOOLS]


async def call(toolbox: Toolbox, name: str, arguments: dict[str, Any], caller: Caller) -> Answer:
    """Call a tool by its name. Raises Problem."""
    tool = BY_NAME.get(name)
    if tool is None:
        raise Problem(404, f"there is no tool {name[:SHOWN_MAX]!r}; there are {', '.join(BY_NAME)}", "name")
    with counted(toolbox.service, name):
        return await tool.run(toolbox, _read(tool, arguments), caller)


@contextmanager
def counted(service: Service, name: str) -> Iterator[None]:
    """Count how a tool's call ends. Raises Problem for what it refuses."""
    metrics = service.metrics.tools
    try:
        yield
    except (Problem, ConfigError, BadRequest) as error:
        metrics.add(name, "refused")
        raise problem_of(error) from error
    except Exception:
        metrics.add(name, "failed")
        raise
    metrics.add(name, "ok")


def _read(tool: Tool, arguments: dict[str, Any]) -> BaseModel:
    """The arguments, checked. Raises Problem."""
    try:
        return tool.arguments.model_validate(arguments)
    except ValidationError as error:
        raise Problem(422, *fault_of(error.errors(include_url=False)[0])) from None
