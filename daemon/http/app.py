"""The application: all endpoints behind one door, and the OpenAPI document of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import ASGIApp

from daemon.http.bodies import NormalizeRequest
from daemon.http.documented import answers
from daemon.http.door import OPEN, Door
from daemon.http.examples import EXAMPLES
from daemon.http.mcp_http import McpEndpoint
from daemon.http.mcp_server import server_of
from daemon.http.problems import ProblemBody, add_handlers
from daemon.http.routes_caches import cache_router
from daemon.http.routes_generate import generate_router
from daemon.http.routes_mcp import mcp_router
from daemon.http.routes_stream import stream_router
from daemon.http.service import API_VERSION, Service
from daemon.http.toolbox import Toolbox
from daemon.prometheus import MEDIA_TYPE
from venues.aleatoric.model import GENERATOR_VERSION

TITLE = "Aleatoric"
SUMMARY = (
    "Synthetic market data: the same manifest gives the same bytes, as a file, as a stream and as a tool's answer."
)
SCHEMES = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def app_of(service: Service) -> ASGIApp:
    """The service as an ASGI application."""
    app = FastAPI(
        title=TITLE,
        version=API_VERSION,
        summary=SUMMARY,
        docs_url=None,  # it would load its scripts from a stranger's machine
        redoc_url=None,
        redirect_slashes=False,
    )
    add_handlers(app)
    app.include_router(generate_router(service))
    app.include_router(stream_router(service))
    toolbox = Toolbox(service)
    app.include_router(mcp_router(toolbox))
    app.include_router(cache_router(service))
    manager = StreamableHTTPSessionManager(server_of(toolbox), json_response=True, stateless=True)
    service.beside.append(manager.run)
    app.router.routes.append(Route("/mcp", McpEndpoint(manager), methods=["GET", "POST", "DELETE"]))
    _add_plain(app, service)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return Door(app, service.ring, service.limits, service.hub)


def _add_plain(app: FastAPI, service: Service) -> None:
    @app.get("/", tags=["service"], openapi_extra={"security": []})
    async def root() -> dict[str, Any]:
        """What this is; needs no key."""
        return {
            "name": "aleatoric-engine",
            "version": API_VERSION,
            "generator_version": GENERATOR_VERSION,
            "status": "ok",
        }

    @app.get("/metrics", tags=["service"], response_class=Response, responses=answers())
    async def scrape() -> Response:
        """Counts, for Prometheus."""
        return Response(service.metrics.text(), media_type=MEDIA_TYPE)


def _protocol() -> dict[str, Any]:
    """What the document says of POST /mcp, whose messages the protocol describes."""
    message = {"type": "object", "required": ["jsonrpc", "method"], "properties": {"jsonrpc": {"const": "2.0"}}}
    health = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    health |= {"params": {"name": "get_health", "arguments": {}}}
    content = {"schema": message, "examples": {"get_health": {"value": health}}}
    answer = {"description": "The answer.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "tags": ["mcp"],
        "summary": "Model Context Protocol: JSON-RPC 2.0 over streamable HTTP",
        "operationId": "mcp",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": answer, "202": {"description": "A notification was taken."}}
        | {str(status): said for status, said in answers(406, 415).items()},
    }


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once: with the errors' schema and the keys that endpoints need."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        parts = document.setdefault("components", {})
        problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        parts.setdefault("schemas", {})["ProblemBody"] = problem
        rows = NormalizeRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        parts["schemas"][NormalizeRequest.__name__] = rows
        parts["securitySchemes"] = SCHEMES
        document["security"] = [{name: []} for name in SCHEMES]
        for path, examples in EXAMPLES.items():
            content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            content["examples"] = {name: {"value": value} for name, value in examples.items()}
        for path, methods in document["paths"].items():
            for said in methods.values():
                # FastAPI's own error schema is not what this service answers.
                problem_answer = answers(422)[422]
                if path not in OPEN and "422" in said["responses"]:
                    said["responses"]["422"] = problem_answer
        document["paths"]["/mcp"] = {"post": _protocol()}
        parts["schemas"].pop("HTTPValidationError", None)
        parts["schemas"].pop("ValidationError", None)
        app.openapi_schema = document
    return app.openapi_schema
