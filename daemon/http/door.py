"""Who comes in: the key, what it may do, how often, and how much it may say, all before any work is done.

An ASGI layer around the whole application, because a body must be bounded before anybody reads it. What is not listed
here needs a key; what needs no key is listed by its full path.
"""

import asyncio
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.http.keys import Key, KeyRing
from daemon.http.limits import Buckets, Limits
from daemon.http.problems import LOG, Problem, response_of, unexpected
from daemon.http.streams import Hub
from daemon.http.strict_json import BadJson, strict_json
from supervisor.clock import NS_PER_S

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
TARGET_BYTES_MAX = 8 * 1024
HEAD_BYTES_MAX = 32 * 1024
HEAD_LINES_MAX = 100
TAKE_S_MAX = 30.0
"""A client that has taken nothing for so long is cut off, whatever it asked for."""
LARGE = "/mcp/normalize"
"""Its rows may be many, so another process reads them: here the loop would stand still meanwhile."""


class NotTaken(Exception):
    """The client does not take what is said; its connection is cut."""


class Door:
    """Lets a request in, or answers it with what is wrong."""

    def __init__(self, app: ASGIApp, ring: KeyRing, limits: Limits, hub: Hub) -> None:
        self.app, self.ring, self.limits, self.hub = app, ring, limits, hub
        self.clock, self.metrics = hub.clock, hub.metrics
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
            try:
                async with asyncio.timeout(TAKE_S_MAX):
                    await send(message)
            except TimeoutError:
                raise NotTaken from None

        try:
            await self._answer(scope, receive, told, begun_ns)
        except NotTaken:
            self.hub.cut(scope)
        except Exception as error:
            if ended:
                return  # answered and logged already
            if started:
                raise  # in the middle of an answer: the connection is cut, and the server logs why
            await unexpected(scope["path"], error)(scope, receive, told)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, now_ns: int) -> None:
        """Let it in, or answer it with what is wrong."""
        try:
            _refuse_bad_head(scope)
            caller = self._caller(scope, now_ns)
            if caller is not None:
                _refuse_twice(scope)
            body = await self._body(scope, receive)
            scope.setdefault("state", {})["caller"] = caller
            await self.app(scope, _replayed(body, receive), send)
        except Problem as problem:
            await response_of(problem, scope["path"])(scope, receive, send)

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
        try:
            self.ring.used(key, now_ns)
        except OSError as error:
            LOG.error("the use of a key could not be noted", exc_info=error)
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
        large = scope["path"] == LARGE
        most = self.limits.rows_bytes_max if large else self.limits.body_bytes_max
        too_large = Problem(413, f"the body may have {most} bytes at most", headers=CLOSE)
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s_max):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "the client left before its body had come")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            right = f"the body did not come within {self.limits.body_s_max:g} s"
            raise Problem(408, right, headers=CLOSE) from None
        if body:
            _refuse_other_types(scope)
        if not large:
            _refuse_bad_json(bytes(body))
        return bytes(body)

    def _count(self, scope: Scope, status: int, begun_ns: int) -> None:
        route = getattr(scope.get("route"), "path", PROTOCOL if scope["path"] == PROTOCOL else "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.add(method, route, str(status))
        self.metrics.latency.saw((self.clock.now_ns() - begun_ns) / NS_PER_S, method, route)


METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")


CLOSE = {"Connection": "close"}
"""With an answer that comes before the body has: what is still to come is nobody's next request."""


def _refuse_bad_head(scope: Scope) -> None:
    """Refuse what is longer than any client needs, and a body whose length is told twice. Raises Problem."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES_MAX:
        raise Problem(414, f"path and query may have {TARGET_BYTES_MAX} bytes at most", headers=CLOSE)
    headers = scope["headers"]
    if len(headers) > HEAD_LINES_MAX or sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES_MAX:
        right = f"at most {HEAD_LINES_MAX} headers of {HEAD_BYTES_MAX} bytes in all"
        raise Problem(431, right, headers=CLOSE)
    names = {name for name, _ in headers}
    if {b"content-length", b"transfer-encoding"} <= names:
        right = "Content-Length and Transfer-Encoding together: a proxy may see another request in it"
        raise Problem(400, right, "Content-Length", CLOSE)


def _refuse_twice(scope: Scope) -> None:
    """Refuse a query that says one thing twice: who reads the first would do something else. Raises Problem."""
    seen = set[bytes]()
    for part in scope["query_string"].split(b"&"):
        name = unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b" "))
        if name in seen:
            text = name.decode("utf-8", "replace")
            raise Problem(400, f"{text}: is twice in the query", text)
        seen.add(name)


def _refuse_other_types(scope: Scope) -> None:
    """Refuse a body that is said to be no JSON. Raises Problem."""
    told = dict(scope["headers"]).get(b"content-type", b"application/json").decode("latin-1")
    kind = told.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, "send JSON, with Content-Type: application/json", "Content-Type")


def _refuse_bad_json(body: bytes) -> None:
    """Refuse what is not JSON to the letter. Raises Problem."""
    try:
        if body:
            strict_json(body)
    except BadJson as error:
        raise Problem(400, str(error), error.field) from None


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
