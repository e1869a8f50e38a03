"""The tools over the Model Context Protocol: one server, whatever carries its messages."""

import json
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from starlette.requests import Request

from daemon.http.problems import LOG, Problem
from daemon.http.service import API_VERSION
from daemon.http.toolbox import LOCAL_OWNER, Caller, Toolbox
from daemon.http.tools import TOOLS, call

NAME = "aleatoric-engine"
INSTRUCTIONS = (
    "Synthetic market data that is the same bytes for the same manifest. Look at get_presets, check a configuration "
    "with validate_config, make files with generate_dataset."
)


def server_of(toolbox: Toolbox, base_url: str = "") -> "Server[Any]":
    """A server of the tools. `base_url` is what links begin with where no HTTP request says it."""

    async def list_tools(ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_told(tool.name) for tool in TOOLS])

    async def call_tool(ctx: "ServerRequestContext[Any]", params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            answer = await call(toolbox, params.name, params.arguments or {}, _caller(toolbox, ctx, base_url))
        except Problem as problem:
            return _said(problem.detail, is_error=True)
        except Exception as error:
            LOG.error("the tool %s failed", params.name, exc_info=error)
            return _said("the tool failed; the service's log says why", is_error=True)
        return _said(json.dumps(answer), is_error=False)

    return Server(
        NAME, version=API_VERSION, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


def _told(name: str) -> types.Tool:
    from daemon.http.tools import BY_NAME

    tool = BY_NAME[name]
    hints = types.ToolAnnotations(read_only_hint=tool.read_only, open_world_hint=False)
    return types.Tool(name=name, description=tool.description, input_schema=tool.schema, annotations=hints)


def _said(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


def _caller(toolbox: Toolbox, ctx: Any, base_url: str) -> Caller:
    """Whose key opened the door, or whoever started us."""
    request = ctx.request
    if isinstance(request, Request):
        return Caller(request.state.caller.id, toolbox.service.base_url(request))
    return Caller(LOCAL_OWNER, base_url)
