"""Hyperliquid's core behind the doors that the server opens: POST /info, POST /exchange, and the WebSocket at /ws."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from supervisor.clock import NS_PER_S
from venues.emulator.doors import JSON, TEXT, Answer, Around, Ask, Delivery, Link, Question
from venues.emulator.faults import SPOILT, Fault
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.exchange import Happening, HyperliquidExchange
from venues.emulator.hyperliquid.sockets import Conversation, Reception, SocketLimits, inner_error, question_of

PATHS = {"/info": "info", "/exchange": "exchange"}
NOT_JSON = "Failed to parse the request body as JSON"
CONTROL = "control"
"""The address that the control door asks from, so that no client pays for what tests ask."""
USER_FILLS, USER = b'{"channel":"userFills"', b'{"channel":"user","data":{"fills"'


class HyperliquidDoors:
    """Doors to one emulated Hyperliquid."""

    name = "hyperliquid"
    socket_paths: tuple[str, ...] = ("/ws",)

    def __init__(self, exchange: HyperliquidExchange, limits: SocketLimits | None = None) -> None:
        self.exchange = exchange
        self.reception = Reception(limits or SocketLimits())

    def understand(self, ask: Ask) -> Question | Answer:
        """What a request asks for, or 404, 405, 400 for what is none."""
        if (door := PATHS.get(ask.path)) is None:
            return Answer(b"", 404, TEXT)
        if ask.method != "POST":
            return Answer(b"", 405, TEXT)
        try:
            body = msgspec.json.decode(ask.body)
        except msgspec.DecodeError as error:
            return Answer(f"{NOT_JSON}: {error}".encode(), 400, TEXT)
        return question_of(self.exchange, door, body, ask.ip)

    def answer(self, question: Question, now_ns: int) -> Answer:
        """Ask the exchange."""
        do = self.exchange.info if question.door == "info" else self.exchange.exchange
        try:
            return Answer(do(question.body, now_ns, question.ip))
        except errors.Refused as refused:
            return Answer(refused.body.encode(), refused.status, JSON if refused.body == errors.TOO_MANY else TEXT)

    def wrong(self, question: Question, text: str) -> Answer:
        """Status "ok" with an error for each part."""
        return Answer(msgspec.json.encode(inner_error(question.body, text)))

    def too_many(self) -> Answer:
        """429 with the word null, as the venue says it."""
        return Answer(errors.TOO_MANY.encode(), 429)

    def admits(self, ip: str, now_ns: int) -> bool:
        """Whether an address may have one more socket."""
        return self.reception.admits(ip, now_ns)

    def session(self, link: Link, around: Around, now_ns: int) -> Conversation:
        """A socket that was let in."""
        return Conversation(self.exchange, self.reception, link, around, now_ns)

    def advance(self, now_ns: int) -> Sequence[Delivery]:
        """Move the market on; frames that tell of fills are marked as such."""
        return [_delivery(happening) for happening in self.exchange.advance(now_ns)]

    def befall(self, fault: Fault, now_ns: int) -> None:
        """Let a fault of the exchange itself happen."""
        if fault.kind == "delist":
            self.exchange.delist(fault.symbols[0], now_ns)
        elif fault.kind == "restart":
            self.exchange.restart(now_ns + round((fault.for_s + fault.post_only_s) * NS_PER_S))
        elif fault.kind == "partial_fills":
            self.exchange.scarce(fault.share, now_ns + round(fault.for_s * NS_PER_S))
        elif fault.kind == "orders_lost":
            self.exchange.lose_orders(now_ns)
        elif fault.kind in SPOILT:
            self.exchange.spoilt = fault.kind, now_ns + round(fault.for_s * NS_PER_S)

    def symbols(self) -> Sequence[str]:
        """Every name that trades."""
        listing = self.exchange.listing
        return [name for name in listing.assets if listing.trades(name)]

    def truth(self, now_ns: int) -> Any:
        """Every account's positions, open orders and fills, as it would be told them."""
        usage = self.exchange.usage
        asked = dict(usage.asked)
        told = {user: self._of_user(user, now_ns) for user in self.exchange.users()}
        usage.weights.pop(CONTROL, None)  # as if it had not been asked
        usage.asked = asked
        return told

    def _of_user(self, user: str, now_ns: int) -> dict[str, Any]:
        def ask(kind: str, **more: str) -> Any:
            return msgspec.json.decode(self.exchange.info({"type": kind, "user": user, **more}, now_ns, CONTROL))

        dexs = list(self.exchange.listing.dexs)
        states = {dex: ask("clearinghouseState", dex=dex) for dex in dexs}
        return {
            "positions": {
                row["position"]["coin"]: row["position"]["szi"]
                for state in states.values()
                for row in state["assetPositions"]
            },
            "account_value": {dex: state["marginSummary"]["accountValue"] for dex, state in states.items()},
            "open_orders": [order for dex in dexs for order in ask("frontendOpenOrders", dex=dex)],
            "fills": ask("userFills"),
        }

    def statistics(self, now_ns: int) -> Any:
        """Use of the venue's limits by address: now, at most in any minute, and what was refused."""
        usage = self.exchange.usage
        ips = sorted({*usage.weights, *usage.messages, *self.reception.guests} - {CONTROL})
        return {
            "refused_429": usage.refused_429,
            "asked": usage.asked,
            "by_ip": {ip: self._of_ip(ip) for ip in ips},
            "limits": structs.asdict(self.reception.limits),
        }

    def _of_ip(self, ip: str) -> dict[str, Any]:
        usage, guest = self.exchange.usage, self.reception.guest(ip)
        weights, messages = usage.weights.get(ip), usage.messages.get(ip)
        return {
            "weight_per_minute_highest": weights.highest if weights else 0,
            "weight": weights.total if weights else 0,
            "messages_per_minute_highest": messages.highest if messages else 0,
            "messages": messages.total if messages else 0,
            "sockets": guest.sockets,
            "subscriptions": guest.subscriptions,
            "highest": dict(guest.most),
            "refused": dict(guest.refused),
        }


class _Fill(msgspec.Struct):
    coin: str


class _Told(msgspec.Struct):
    fills: list[_Fill]


class _Frame(msgspec.Struct):
    data: _Told


_DECODER = msgspec.json.Decoder(_Frame)


def _delivery(happening: Happening) -> Delivery:
    """A frame with its channel and coins, where it tells of fills."""
    frame = happening.frame
    if frame.startswith(USER_FILLS):
        channel = "userFills"
    elif frame.startswith(USER):
        channel = "userEvents"
    else:
        return Delivery(happening.key, frame)
    coins = {fill.coin for fill in _DECODER.decode(frame).data.fills}
    return Delivery(happening.key, frame, channel, tuple(sorted(coins)))
