"""HTTP to a venue: bytes out, bytes back, and for every failure whether it may have been done.

One client keeps its connections. Nothing is retried on its own: an order that is sent twice is two orders, and a
question costs of a limit that only the caller's budget knows. Redirects are not followed, proxies of the environment
are not used: what is signed or carries a key goes where the configuration says or nowhere.

Errors name the path and what the other end said. They never hold the body (which may be signed), the query, headers
(which may be keys) nor the host part of the URL (which may hold a password).
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from supervisor.secrets import KNOWN
from venues.venue import VenueMisspoke, VenueUnreachable

SERVER_FAULT = 500
SHOWN_MAX = 200
"""So much of an answer goes into an error."""

SENDING = (".send_request_headers.started", ".send_connection_init.started")
"""What the client says of itself when the first byte of a request is about to leave (httpx, "Trace" extension)."""


class RestLimits(Struct, frozen=True, kw_only=True):
    """Deadlines and bounds of one request."""

    connect_s: float = 4.0  # also the wait for one of the connections there may be
    read_s: float = 8.0  # between two pieces of an answer
    total_s: float = 9.0  # under the ten seconds that who asks a venue waits (actors/executor.py)
    idle_s: float = 30.0  # a connection that nobody used for so long is not trusted with an order
    connections_max: int = 8
    request_bytes_max: int = 256 * 1024  # a batch of 1,000 orders with cloids is 0.2 MB
    answer_bytes_max: int = 16 * 1024 * 1024  # the longest seen, all perpetuals' contexts, is under 1 MB


class NotAnswered(VenueUnreachable):
    """No answer that says anything. `sent`: the venue may have done what was asked; False is proof that it did not."""

    def __init__(self, path: str, text: str, *, sent: bool, status: int = 0):
        super().__init__(f"{path}: {text} ({'it may have been done' if sent else 'it was not sent'})")
        self.path = path
        self.sent = sent
        self.status = status  # HTTP's; 0 where there was none


class TooLarge(ValueError):
    """A request longer than the bound: ours to mend, it was not sent."""


class Answer(Struct, frozen=True):
    """What came back, whole."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}  # names in lower case


def rest_url(base_url: str) -> str:
    """A base URL without a slash at its end, its path kept. Raises ValueError for what is no http(s) URL."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"base_url must be http(s)://host[:port][/path], not {parts.scheme or 'no scheme'!r}...")
    return base_url.rstrip("/")


@cache
def _tls() -> ssl.SSLContext:
    """Reading the authorities takes 50 ms, and the same will do for every host."""
    return httpx.create_ssl_context(trust_env=False)


class Rest:
    """One client of one host, with the headers that go with every request."""

    def __init__(self, base_url: str, limits: RestLimits | None = None, headers: Mapping[str, str] | None = None):
        self.limits = limits = limits or RestLimits()
        self._url = rest_url(base_url)
        self.answers = 0  # that came, whatever they say, but for a server's own faults: the way there and back is open
        self._client = httpx.AsyncClient(
            verify=_tls(),
            timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s, pool=limits.connect_s),
            limits=httpx.Limits(max_connections=limits.connections_max, keepalive_expiry=limits.idle_s),
            follow_redirects=False,
            trust_env=False,
            # no compression: a bomb could not be bounded before it has gone off
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})},
        )

    async def post(self, path: str, body: bytes) -> Answer:
        """One POST and whatever answer it gets, as `request`."""
        return await self.request("POST", path, body)

    async def request(
        self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer:
        """One request and whatever answer it gets. Raises NotAnswered, VenueMisspoke (too long), TooLarge."""
        if len(body) > self.limits.request_bytes_max:
            raise TooLarge(f"{path}: {len(body)} bytes, {self.limits.request_bytes_max} are allowed")
        sent = False

        async def trace(event: str, _: Any) -> None:
            nonlocal sent
            sent = sent or event.endswith(SENDING)

        request = self._client.build_request(
            method, self._url + path, content=body or None, params=query, extensions={"trace": trace}
        )
        try:
            async with asyncio.timeout(self.limits.total_s):
                answer = await self._send(path, request)
        except TimeoutError as error:
            raise NotAnswered(path, f"no answer within {self.limits.total_s:g} s", sent=sent) from error
        except httpx.TimeoutException as error:
            raise NotAnswered(path, type(error).__name__, sent=sent) from error
        except (httpx.TransportError, httpx.StreamError) as error:
            raise NotAnswered(path, f"{type(error).__name__}: {error}", sent=sent) from error
        self.answers += answer.status < SERVER_FAULT
        return answer

    async def _send(self, path: str, request: httpx.Request) -> Answer:
        pieces, size, bytes_max = [], 0, self.limits.answer_bytes_max
        response = await self._client.send(request, stream=True)
        try:
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > bytes_max:
                    raise VenueMisspoke(f"{path}: HTTP {response.status_code}: an answer of over {bytes_max} bytes")
                pieces.append(piece)
        finally:
            await response.aclose()
        return Answer(response.status_code, KNOWN.mask(b"".join(pieces)), dict(response.headers))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def shown(body: bytes) -> str:
    """So much of an answer as goes into an error."""
    return body[:SHOWN_MAX].decode("utf-8", "replace")
