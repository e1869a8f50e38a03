"""The tools' REST wrappers, and what tells a client which tools there are."""

import inspect
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from starlette.responses import Response

from daemon.http.bodies import NormalizeRequest
from daemon.http.documented import answers
from daemon.http.mcp_server import INSTRUCTIONS, NAME
from daemon.http.routes_stream import streamed
from daemon.http.service import API_VERSION, Service
from daemon.http.streams import Told
from daemon.http.toolbox import Caller, Toolbox
from daemon.http.tools import TOOLS, Tool, call, counted, listed

Exchange = Annotated[str, InPath(max_length=32, examples=["binance"])]
STREAM_NAME = "normalized"
OPEN: dict[str, Any] = {"openapi_extra": {"security": []}}


def mcp_router(toolbox: Toolbox) -> APIRouter:
    """All that is under /mcp but the protocol itself and the caches, and the well-known documents."""
    router = APIRouter(tags=["mcp"])
    for tool in TOOLS:
        if tool.path != "/mcp/normalize":
            _add(router, toolbox, tool)
    _add_normalize(router, toolbox)
    _add_discovery(router, toolbox.service)
    return router


def _add(router: APIRouter, toolbox: Toolbox, tool: Tool) -> None:
    """The wrapper of a tool: the same arguments, the same answer."""

    async def get(request: Request) -> Any:
        return await call(toolbox, tool.name, {}, _caller(toolbox.service, request))

    async def get_venue(request: Request, exchange: Exchange) -> Any:
        return await call(toolbox, tool.name, {"exchange": exchange}, _caller(toolbox.service, request))

    async def post(request: Request, asked: Any) -> Any:
        return await call(toolbox, tool.name, asked.model_dump(exclude_unset=True), _caller(toolbox.service, request))

    # The body's model is the tool's own, which FastAPI reads from the annotation.
    post.__annotations__["asked"] = tool.arguments
    post.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request),
            inspect.Parameter("asked", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=tool.arguments),
        ]
    )
    handler: Any = post if tool.method == "POST" else get_venue if "{" in tool.path else get
    statuses = (409, 422, 500, 504, 507) if tool.name == "generate_dataset" else (422, 500, 507)
    router.add_api_route(
        tool.path,
        handler,
        methods=[tool.method],
        name=tool.name,
        operation_id=tool.name,
        description=tool.description,
        responses=answers(*statuses),
    )


def _add_normalize(router: APIRouter, toolbox: Toolbox) -> None:
    tool = next(tool for tool in TOOLS if tool.path == "/mcp/normalize")
    schema = {"$ref": f"#/components/schemas/{NormalizeRequest.__name__}"}

    @router.post(
        tool.path,
        name=tool.name,
        operation_id=tool.name,
        description=f"{tool.description}. With stream, event by event as text/event-stream.",
        responses=answers(422, 500, 504, 507) | {204: {"description": "A stream of nothing."}},
        response_model=None,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def normalize(request: Request) -> Response:
        with counted(toolbox.service, tool.name):
            found = await toolbox.normalized(await request.body())
        if found.answer:
            return Response(found.answer, media_type="application/json")
        lines = ((0, line) for line in found.lines)
        told = Told(lines=lines, name=STREAM_NAME, first=0, speed=0.0, mode=STREAM_NAME)
        return await streamed(toolbox.service, told, request.state.caller.id)


def _add_discovery(router: APIRouter, service: Service) -> None:
    @router.get("/mcp/tools/list", **OPEN)
    async def tools_list() -> dict[str, Any]:
        """The tools with their schemas; needs no key."""
        return {"tools": listed()}

    @router.get("/.well-known/mcp.json", **OPEN)
    async def card(request: Request) -> dict[str, Any]:
        """The server's card, for registries; needs no key."""
        return _card(service.base_url(request))

    @router.get("/.well-known/mcp-config", **OPEN)
    async def config() -> dict[str, Any]:
        """What a session needs to be configured with; needs no key."""
        key = {"type": "string", "title": "API key", "description": "As `obid keys create --scope mcp` shows it."}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Session configuration",
            "type": "object",
            "properties": {"apiKey": key},
            "required": ["apiKey"],
            "additionalProperties": False,
        }

    @router.get("/mcp/manifest", responses=answers())
    async def manifest(request: Request) -> dict[str, Any]:
        """The tools with their schemas and REST wrappers."""
        rest = {tool.name: {"method": tool.method, "path": tool.path} for tool in TOOLS}
        return _card(service.base_url(request)) | {"tools": [one | {"rest": rest[one["name"]]} for one in listed()]}


def _card(base_url: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": API_VERSION,
        "description": INSTRUCTIONS,
        "protocolVersion": "2024-11-05",
        "transport": {"type": "streamable-http", "url": f"{base_url}mcp"},
        "authentication": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "capabilities": {"tools": {}},
        "tools": [{"name": tool.name, "description": tool.description} for tool in TOOLS],
    }


def _caller(service: Service, request: Request) -> Caller:
    return Caller(request.state.caller.id, service.base_url(request))
