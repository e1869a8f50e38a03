"""An emulated venue behind a line with latency, which tells all it knows: what the kill harness trades at.

    python -m tests.soak.kill_venue hyperliquid --seed 3 --speed 8

A request that changes something arrives 0 to 60 ms late, some of them much later, and is answered 0 to 60 ms late.
Questions are faster, so they overtake orders. What a client has sent arrives although he is dead, as on a real line:
the emulator alone would drop it.
"""

import argparse
import asyncio
import contextlib
import json
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

from aiohttp import web

from daemon import emulate, emulate_alpaca
from supervisor.draws import uniform
from tests.soak.kill_points import LATE_HEADER
from venues.emulator.alpaca.config import ExchangeConfig
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.hyperliquid import usage
from venues.emulator.hyperliquid.doors import HyperliquidDoors
from venues.emulator.hyperliquid.sockets import SocketLimits
from venues.emulator.serve import Server

LATE_S = 0.060
"""At most, each way, in our time: issue 6 asks for requests that are under way for 0 to 60 ms."""

QUESTION_S = 0.004
"""At most, each way: a question that overtakes an order is what wrong verdicts are made of."""

STRAGGLERS, STRAGGLER_S = 0.06, 18.0
"""Of orders of a daemon that lives on, so many arrive so late, at most, in the venue's time: it gives up waiting after
ten seconds, and some come when their fence is over and must be refused."""

ASKED_S_MAX = 30.0
"""In our time."""
ORDER_STATUS = b'"orderStatus"'

SYMBOLS = {
    "hyperliquid": ("BTC", "ETH", "SOL", "DOGE", "AVAX"),
    "alpaca": ("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD", "LINK/USD"),
}
USD = 1_000_000
MANY = 10**9
ALPACA_KEY = "PKEMULATED1"
ALPACA_START = "2026-01-05T15:00Z"


def changes(request: web.Request) -> bool:
    """Whether a request may change something."""
    return request.path == "/exchange" or (request.method != "GET" and request.path.startswith("/v2/"))


def asked_about(request: web.Request, body: bytes) -> str:
    """The name of the order that a question is about, if it is about one."""
    if request.path.startswith("/v2/orders:by_client"):
        return request.query.get("client_order_id", "")
    return str(json.loads(body)["oid"]) if request.path == "/info" and ORDER_STATUS in body else ""


class Waiting:
    """Requests that come when somebody has been told that they have not."""

    def __init__(self) -> None:
        self.left: dict[asyncio.Future[None], int] = {}  # answers to wait for
        self.bodies: dict[asyncio.Future[None], bytes] = {}

    async def behind(self, answers: int, body: bytes) -> None:
        """Wait for so many answers about its order; not for ever: a request that is under way ends some time."""
        waiter = asyncio.get_running_loop().create_future()
        self.left[waiter], self.bodies[waiter] = answers, body
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiter, ASKED_S_MAX)
        del self.left[waiter], self.bodies[waiter]

    def answered(self, name: str) -> None:
        """A question about an order was answered."""
        for waiter, body in self.bodies.items():
            if name.encode() in body:
                self.left[waiter] -= 1
                if not self.left[waiter] and not waiter.done():
                    waiter.set_result(None)


def put_late(seed: int, speed: float) -> None:
    """Give every request its time on the line; only those that change something go on without their client.

    A client that will not survive his request may say himself how late it is to come.
    """
    usual, count, waiting = Server._request, Counter[str](), Waiting()

    async def request_late(self: Server, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/emulator/"):
            return await usual(self, request)
        acts = changes(request)
        most, purpose = (LATE_S, "act") if acts else (QUESTION_S, "question")
        count[purpose] += 1
        there, back = (uniform(seed, f"{purpose}/{way}", count[purpose]) * most for way in ("there", "back"))
        if acts and uniform(seed, "straggler", count[purpose]) < STRAGGLERS:
            there = uniform(seed, "straggler/there", count[purpose]) * STRAGGLER_S / speed
        there = float(request.headers.get(LATE_HEADER, there))
        body = await request.read()

        async def travel() -> web.StreamResponse:
            await (waiting.behind(round(-there), body) if there < 0 else asyncio.sleep(there))
            answer = await usual(self, request)
            if name := asked_about(request, body):
                waiting.answered(name)
            await asyncio.sleep(back)
            return answer

        return await asyncio.shield(asyncio.ensure_future(travel())) if acts else await travel()

    Server._request = request_late  # type: ignore[method-assign]


def lift_limits() -> None:
    """A daemon that is started every ten seconds of the venue's time needs more requests than one that lives."""
    usage.WEIGHT_MAX = MANY
    limits = SocketLimits(connections_per_minute=MANY)
    emulate.HyperliquidDoors = partial(HyperliquidDoors, limits=limits)  # type: ignore[misc,assignment]
    emulate_alpaca.ExchangeConfig = partial(ExchangeConfig, requests_per_minute=0, handshakes_per_minute=MANY)  # type: ignore[misc,assignment]


def tell_all() -> None:
    """Let the control door's truth have every order and fill, by the names that clients gave."""

    def of_hyperliquid(self: HyperliquidDoors, now_ns: int) -> Any:
        (account,) = self.exchange.accounts.values()
        ((user, told),) = usual(self, now_ns).items()
        names = {oid: order.cloid for oid, order in account.orders.items()}
        orders = [
            order_of(one.cloid, one.status, one.status == "open", account.shown(one) * one.asset.lot)
            for one in account.orders.values()
        ]
        fills = [{"name": names.get(fill["oid"]), "size": fill["sz"], "symbol": fill["coin"]} for fill in account.fills]
        return {user: {"positions": told["positions"], "orders": orders, "fills": fills}}

    def of_alpaca(self: AlpacaDoors, now_ns: int) -> Any:
        ((user, told),) = usual_alpaca(self, now_ns).items()
        names = {order["id"]: order["client_order_id"] for order in told["orders"]}
        resting = {order["id"] for order in told["open_orders"]}
        orders = [
            order_of(
                one["client_order_id"],
                one["status"],
                one["id"] in resting,
                Decimal(one["qty"]) - Decimal(one["filled_qty"]),
            )
            | {"price": one["limit_price"]}
            for one in told["orders"]
        ]
        fills = [
            {"name": names.get(fill["order_id"]), "size": fill["qty"], "symbol": fill["symbol"]}
            for fill in told["fills"]
        ]
        return {user: {"positions": told["positions"], "orders": orders, "fills": fills}}

    usual, HyperliquidDoors.truth = HyperliquidDoors.truth, of_hyperliquid  # type: ignore[method-assign]
    usual_alpaca, AlpacaDoors.truth = AlpacaDoors.truth, of_alpaca  # type: ignore[method-assign]


def order_of(name: str | None, status: str, is_open: bool, left: Decimal) -> dict[str, Any]:
    """An order as the checks want it: by the name that its client gave, with what it may still fill."""
    return {"name": name, "open": is_open, "status": status, "left": str(left) if is_open else "0"}


def serve(venue: str, seed: int, speed: float) -> int:
    """Serve until a signal comes; the first line says where, as `obid emulate --json` does."""
    put_late(seed, speed)
    lift_limits()
    tell_all()
    where = emulate.Where("127.0.0.1", 0)
    if venue == "alpaca":
        asked_alpaca = emulate_alpaca.asked_alpaca(
            where=where,
            seed=seed,
            speed=speed,
            start=ALPACA_START,
            accounts=[f"{ALPACA_KEY}:{USD}"],
            symbols=SYMBOLS[venue],
        )
        return emulate_alpaca.serve_alpaca(asked_alpaca, as_json=True)
    key = emulate.throw_away_key(seed)
    asked = emulate.asked(
        where=where,
        seed=seed,
        speed=speed,
        faults="none",
        accounts=[f"{emulate.address_of(key)}:{USD}"],
        symbols=SYMBOLS[venue],
    )
    return emulate.serve_hyperliquid(asked, as_json=True)


def environment_of(venue: str, told: dict[str, Any], seed: int) -> dict[str, str]:
    """The keys of a daemon that trades there."""
    if venue == "alpaca":
        return {
            "OBID_ALPACA_PAPER_KEY_ID": told["throw_away_key_id"],
            "OBID_ALPACA_PAPER_SECRET": told["throw_away_secret"],
        }
    return {"OBID_HYPERLIQUID_AGENT_KEY": emulate.throw_away_key(seed)}


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venue", choices=tuple(SYMBOLS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=8)
    asked = parser.parse_args()
    return serve(asked.venue, asked.seed, asked.speed)


if __name__ == "__main__":
    raise SystemExit(main())
