"""REST requests as they are understood: which question it is, of whom, about what; and who asks how often."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct, field

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca.errors import Refused

KEY, SECRET = "APCA-API-KEY-ID", "APCA-API-SECRET-KEY"
MINUTE_S = 60
QUESTIONS = {
    ("GET", "account"): "account",
    ("GET", "account/configurations"): "configurations",
    ("PATCH", "account/configurations"): "configure",
    ("GET", "account/activities"): "activities",
    ("GET", "clock"): "clock",
    ("GET", "calendar"): "calendar",
    ("GET", "assets"): "assets",
    ("GET", "positions"): "positions",
    ("DELETE", "positions"): "close_all",
    ("GET", "orders"): "orders",
    ("POST", "orders"): "order",
    ("DELETE", "orders"): "cancel_all",
    ("GET", "orders:by_client_order_id"): "order_by_client_id",
}
WITH_NAME = {
    ("GET", "account/activities"): "activities",
    ("GET", "assets"): "asset",
    ("GET", "positions"): "position",
    ("DELETE", "positions"): "close",
    ("GET", "orders"): "order_by_id",
    ("PATCH", "orders"): "replace",
    ("DELETE", "orders"): "cancel",
}
ACTIONS = {"order", "replace", "cancel", "cancel_all", "close", "close_all"}
"""What changes something: the door "exchange" of the faults."""

TRADING, STOCKS, CRYPTO = "/v2/", "/v2/stocks/", "/v1beta3/crypto/us/"


class Request(Struct, frozen=True):
    """One request: `room` is trading, stocks or crypto; `question` one of the names above or market data's path."""

    room: str
    question: str
    name: str
    query: Mapping[str, str]
    body: dict[str, Any]
    key: str
    secret: str


def read(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Request:
    """Understand a request. Raises Refused."""
    key, secret = headers.get(KEY, ""), headers.get(SECRET, "")
    for room in (STOCKS, CRYPTO):
        if path.startswith(room):
            if method != "GET":
                raise Refused(405, None, "method not allowed")
            return Request(room, path.removeprefix(room), "", query, {}, key, secret)
    if not path.startswith(TRADING):
        raise Refused(404, None, "not found")
    rest = unquote(path.removeprefix(TRADING)).rstrip("/")
    question, name = QUESTIONS.get((method, rest), ""), ""
    if not question:
        for (known, start), what in WITH_NAME.items():
            if known == method and rest.startswith(f"{start}/"):
                question, name = what, rest.removeprefix(f"{start}/")
    if not question:
        raise Refused(404, None, "endpoint not found")
    return Request(TRADING, question, name, query, _body(raw), key, secret)


def _body(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refused(400, 40010000, "request body format is invalid") from error


class Meter(Struct):
    """How often one asks in a minute of the clock, and how often at most."""

    minute: int = -1
    asked: int = 0
    highest: int = 0
    total: int = 0
    refused: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, now_ns: int, most: int) -> bool:
        """One request more; False where it is one too many."""
        minute = now_ns // NS_PER_S // MINUTE_S
        if minute != self.minute:
            self.minute, self.asked = minute, 0
        self.asked += 1
        self.total += 1
        self.highest = max(self.highest, self.asked)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        allowed = not most or self.asked <= most
        self.refused += not allowed
        return allowed

    def headers(self, most: int) -> dict[str, str]:
        """What every answer says of it."""
        left = max(0, most - self.asked)
        reset = (self.minute + 1) * MINUTE_S
        return {"X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(reset)}
