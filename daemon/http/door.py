"""Who comes in: the key, what it may do, how often, and how much it may say, all before any work is done.

An ASGI layer around the whole application, because a body must be bounded before anybody reads it. What is not listed
here needs a key; what needs no key is listed by its full path.
"""

import asyncio
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.http.keys import Key, KeyRing
from daemon.http.limits import Buckets, Limits
from daemon.http.metrics import Metrics
from daemon.http.problems import Problem, response_of, unexpected
from supervisor.clock import NS_PER_S, Clock

OPEN = frozenset({"/", "/mcp/tools/list", "/.well-known/mcp.json", "/.well-known/mcp-config"})
"""Without a key: the page's root and discovery endpoints."""

SCOPES = (
    ("/metrics", "metrics"),
    ("/stream/", "stream"),
    ("/v1/stream/", "stream"),
    ("/data/", "generate"),
    ("/v1/data/", "generate"),
    ("/v1/jobs", "generate"),
    ("/artifacts/", "generate"),
    ("/mcp", "mcp"),
)
"""What a key must be for, by the beginning of the path; any good key does for what is not here."""

ALSO = {"generate": ("mcp",)}
"""Who made a data set by a tool may fetch it."""

PROTOCOL = "/mcp"
"""The one route that is not FastAPI's own."""

ALSO_PATHS = ("/artifacts/",)
DEPTH_MAX = 100
"""How deep a body's JSON may be nested: nothing here needs more than six."""


class Door:
    """Lets a request in, or answers it with what is wrong."""

    def __init__(self, app: ASGIApp, ring: KeyRing, limits: Limits, clock: Clock, metrics: Metrics) -> None:
        self.app, self.ring, self.limits, self.clock, self.metrics = app, ring, limits, clock, metrics
        self._callers = Buckets(limits.requests_per_s, limits.requests_burst)
        self._strangers = Buckets(limits.strangers_per_s, limits.strangers_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no web sockets here, and nothing to do at start and end
        begun_ns, started, ended = self.clock.now_ns(), False, False

        async def told(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                self._count(scope, int(message["status"]), begun_ns)
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            caller = self._caller(scope, begun_ns)
            body = await self._body(scope, receive)
            scope.setdefault("state", {})["caller"] = caller
            await self.app(scope, _replayed(body, receive), told)
        except Problem as problem:
            await response_of(problem, scope["path"])(scope, receive, told)
        except Exception as error:
            if ended:
                return  # answered and logged already
            if started:
                raise  # in the middle of an answer: the connection is cut, and the server logs why
            await unexpected(scope["path"], error)(scope, receive, told)

    def _caller(self, scope: Scope, now_ns: int) -> Key | None:
        """Whose request it is. Raises Problem."""
        path: str = scope["path"]
        headers = dict(scope["headers"])
        text = headers.get(b"x-api-key", b"").decode("latin-1")
        if not text:
            kind, _, rest = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
            text = rest.strip() if kind.lower() == "bearer" else ""
        key = self.ring.find(text, now_ns) if text else None
        if path in OPEN or key is None or key.revoked_ns:
            address = (scope.get("client") or ("unknown",))[0]
            self._take(self._strangers, address, now_ns)
        if path in OPEN:
            return None
        challenge = {"WWW-Authenticate": "Bearer"}
        if not text:
            raise Problem(401, "give an API key, as X-API-Key or as Authorization: Bearer", headers=challenge)
        if key is None:
            raise Problem(401, "there is no such API key", headers=challenge)
        if key.revoked_ns:
            raise Problem(401, f"the API key {key.id} was revoked", headers=challenge)
        self._take(self._callers, key.id, now_ns)
        needed = next((name for start, name in SCOPES if path.startswith(start)), "")
        also = ALSO.get(needed, ()) if path.startswith(ALSO_PATHS) else ()
        if needed and not {needed, *also} & set(key.scopes):
            raise Problem(403, f"the API key {key.id} has scope {', '.join(key.scopes)}, and this needs {needed}")
        self.ring.used(key, now_ns)
        return key

    def _take(self, buckets: Buckets, caller: str, now_ns: int) -> None:
        """Take a token. Raises Problem."""
        if wait_s := buckets.wait_s(caller, now_ns):
            right = f"at most {buckets.per_s:g} requests a second and {buckets.burst:g} at once; wait {wait_s:.2g} s"
            raise Problem(429, right, headers={"Retry-After": str(int(wait_s) + 1)})

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, which is JSON or empty. Raises Problem."""
        if scope["method"] in ("GET", "HEAD"):
            return b""
        most = self.limits.body_bytes_max
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            raise Problem(413, f"the body may have {most} bytes at most")
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s_max):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "the client left before its body had come")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise Problem(413, f"the body may have {most} bytes at most")
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            raise Problem(408, f"the body did not come within {self.limits.body_s_max:g} s") from None
        _refuse_bad_json(bytes(body))
        return bytes(body)

    def _count(self, scope: Scope, status: int, begun_ns: int) -> None:
        route = getattr(scope.get("route"), "path", PROTOCOL if scope["path"] == PROTOCOL else "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.add(method, route, str(status))
        self.metrics.latency.saw((self.clock.now_ns() - begun_ns) / NS_PER_S, method, route)


METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")


def _refuse_bad_json(body: bytes) -> None:
    """Refuse what is not JSON to the letter: NaN, text behind the end, bytes that are no UTF-8. Raises Problem."""
    if not body:
        return
    try:
        depth = _depth(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    except RecursionError:
        depth = DEPTH_MAX + 1
    if depth > DEPTH_MAX:
        raise Problem(400, f"the body is nested deeper than {DEPTH_MAX}")


def _depth(value: Any) -> int:
    """How deep lists and objects are nested in each other."""
    depth, level = 0, [value]
    while level:
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inner += part.values()
            elif isinstance(part, list):
                inner += part
        depth, level = depth + 1, inner
    return depth


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever else comes: that the client left."""
    said = False

    async def replay() -> Message:
        nonlocal said
        if not said:
            said = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
