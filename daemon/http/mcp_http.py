"""POST /mcp: the protocol over streamable HTTP, one request at a time and without sessions.

The API page's own examples leave out what the protocol asks for: the version and capabilities of `initialize`, and an
Accept header. They are filled in, so that the page's clients and the SDKs' are both served.
"""

from typing import Any

import msgspec
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from daemon.http.problems import Problem

POST_ONLY = {"Allow": "POST"}
OLDEST = "2024-11-05"
ACCEPT = b"application/json, text/event-stream"
JSON = b"application/json"


class McpEndpoint:
    """The endpoint as an ASGI application."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self.manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            # Without sessions the server has nothing to say unasked, and there is nothing to end.
            raise Problem(405, "POST only: there are no sessions, and no stream of their own", headers=POST_ONLY)
        body = await Request(scope, receive).body()
        headers = dict(scope["headers"])
        refuse_bad_id(body)
        body = completed(body)
        accept = headers.get(b"accept", b"*/*")
        headers[b"accept"] = ACCEPT if b"*/*" in accept or accept.strip() == JSON else accept
        headers.setdefault(b"content-type", JSON)
        headers[b"content-length"] = str(len(body)).encode()
        await self.manager.handle_request({**scope, "headers": list(headers.items())}, _once(body, receive), send)


def refuse_bad_id(body: bytes) -> None:
    """Refuse a request whose id is neither text nor a whole number: nobody would hear its answer. Raises Problem."""
    try:
        said: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return  # the SDK says what is wrong with it
    request = isinstance(said, dict) and "id" in said and "method" in said
    if request and (isinstance(said["id"], bool) or not isinstance(said["id"], str | int)):
        raise Problem(400, "id: must be a string or a whole number", "id")


def completed(body: bytes) -> bytes:
    """A message with what the page's example of `initialize` leaves out; any other as it is."""
    try:
        said: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body  # the SDK says what is wrong with it
    if not isinstance(said, dict) or said.get("method") != "initialize" or not isinstance(said.get("params"), dict):
        return body
    params = {"protocolVersion": OLDEST, "capabilities": {}, **said["params"]}
    return msgspec.json.encode({**said, "params": params})


def _once(body: bytes, receive: Receive) -> Receive:
    said = False

    async def replay() -> Message:
        nonlocal said
        if not said:
            said = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
