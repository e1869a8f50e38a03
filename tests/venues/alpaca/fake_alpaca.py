"""An Alpaca that does as it is told: REST and the trading stream on a loopback port, scripted by its moods."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from tests.patience import PATIENCE_S

STAMP = "2026-03-02T15:00:{:02d}.{:09d}Z"
Lose = Callable[[str, str], str]


class FakeAlpaca:
    """Orders, positions and executions of one account; what goes wrong is said by its attributes."""

    def __init__(self) -> None:
        self.port = 0
        self.orders: dict[str, dict[str, Any]] = {}
        self.activities: list[dict[str, Any]] = []
        self.money: list[dict[str, Any]] = []  # what came and went
        self.positions: list[dict[str, Any]] = []
        self.account = {"id": "a", "status": "ACTIVE", "crypto_status": "ACTIVE", "cash": "10000", "equity": "10000"}
        self.account |= {"buying_power": "10000", "shorting_enabled": True, "pattern_day_trader": False}  # type: ignore[dict-item]
        self.assets = [
            asset("BTC/USD", "crypto", price_increment="0.01", min_trade_increment="0.0001", min_order_size="0.0001"),
            asset("COST", "us_equity", shortable=True, easy_to_borrow=True),
            asset("NKE", "us_equity", shortable=False, easy_to_borrow=False),
        ]
        self.days: list[dict[str, str]] = []
        self.asked: list[tuple[str, str, Any]] = []  # method, path, body or query
        self.sockets: list[web.WebSocketResponse] = []
        self.said: list[dict[str, Any]] = []  # by clients of the stream
        self.authorized = "authorized"
        self.binary = True
        self.position_qty = "1"
        self.clock = ""  # of the venue
        self.closes: str | None = None
        self.unknown_key = False
        self.mute = False  # the stream tells nothing
        self.refusals: list[tuple[int, Any]] = []  # of the next acts
        self.lose: list[str] = []  # of the next acts: "before" it is done, or "after", or how a second copy is refused
        self.flaky: list[int] = []  # HTTP statuses of the next questions
        self.rests = True  # orders wait in the book
        self.cancels = True  # a cancel happens at once
        self.swaps = True  # a replace happens at once
        self._numbers = count(1)
        self._ids = count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stamp(self) -> str:
        """Later each time, in ever other forms."""
        number = next(self._numbers)
        return STAMP.format(number % 60, number)

    # --- what the market does

    async def tell(self, event: str, row: dict[str, Any], **more: Any) -> None:
        """An update on every socket that stands."""
        told = {
            "stream": "trade_updates",
            "data": {"event": event, "timestamp": self.stamp(), "order": dict(row)} | more,
        }
        if self.mute:
            return
        for socket in self.sockets:
            if not socket.closed:
                data = json.dumps(told)
                await (socket.send_bytes(data.encode()) if self.binary else socket.send_str(data))

    async def fill(self, row: dict[str, Any], qty: str, price: str, *, told: bool = True) -> None:
        """A part of an order is filled."""
        row["filled_qty"] = str(Decimal(row["filled_qty"]) + Decimal(qty))
        whole = Decimal(row["filled_qty"]) >= Decimal(row["qty"])
        row["status"] = "filled" if whole else "partially_filled"
        at = self.stamp()
        number = next(self._ids)
        self.activities.append(
            {
                "id": f"20260302150000000::{number:08d}-aaaa",
                "activity_type": "FILL",
                "transaction_time": at,
                "type": "fill" if whole else "partial_fill",
                "price": price,
                "qty": qty,
                "side": row["side"],
                "symbol": row["symbol"],
                "order_id": row["id"],
                "cum_qty": row["filled_qty"],
            }
        )
        if told:
            event = "fill" if whole else "partial_fill"
            await self.tell(
                event, row, price=price, qty=qty, position_qty=self.position_qty, execution_id=f"{number:08d}-bbbb"
            )

    async def end(self, row: dict[str, Any], status: str = "canceled", *, told: bool = True) -> None:
        """An order is over."""
        row["status"] = status
        row["canceled_at"] = row["updated_at"] = self.stamp()
        if told:
            await self.tell(status, row)

    async def drop(self) -> None:
        """All sockets end without a word."""
        for socket in self.sockets:
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        await asyncio.sleep(0.01)

    def of(self, client_order_id: str) -> dict[str, Any]:
        return next(row for row in self.orders.values() if row["client_order_id"] == client_order_id)

    def acts(self) -> list[tuple[str, str, Any]]:
        """What was sent and is no question."""
        return [one for one in self.asked if one[0] != "GET"]

    # --- REST

    async def rest(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        body = await request.read()
        path, method = request.path, request.method
        self.asked.append((method, path, json.loads(body) if body else dict(request.query)))
        assert request.headers["APCA-API-KEY-ID"] == "key"
        if method == "GET":
            if self.flaky and path != "/v2/clock":  # which is asked by itself, too
                return web.json_response({"message": "later"}, status=self.flaky.pop(0), headers={"Retry-After": "0"})
            return self.question(request)
        lost = self.lose.pop(0) if self.lose else ""
        if lost == "before":
            return await self.cut(request)
        if self.refusals:
            status, told = self.refusals.pop(0)
            return web.json_response(told, status=status)
        answer = await self.act(method, path, json.loads(body) if body else {})
        if lost == "504":
            return web.Response(status=504, text="upstream timed out")
        if lost not in ("", "after"):
            return web.json_response({"code": 42210000, "message": lost}, status=422)
        return await self.cut(request) if lost else answer

    async def cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def question(self, request: web.Request) -> web.Response:
        path, query = request.path, request.query
        if path == "/v2/clock":
            return (
                web.json_response({"timestamp": self.clock, "is_open": True, "next_close": self.closes})
                if self.clock
                else missing()
            )
        if path == "/v2/account" and self.unknown_key:
            return web.json_response({"message": "forbidden."}, status=403)
        if path == "/v2/account":
            return web.json_response(self.account)
        if path == "/v2/assets":
            return web.json_response([one for one in self.assets if one["class"] == query["asset_class"]])
        if path.startswith("/v2/assets/"):
            found = [one for one in self.assets if one["symbol"] == path.rpartition("/")[2]]
            return web.json_response(found[0]) if found else missing()
        if path == "/v2/calendar":
            return web.json_response(self.days)
        if path == "/v2/positions":
            return web.json_response(self.positions)
        if path.startswith("/v2/account/activities"):
            rows, token = self.activities if path.endswith("FILL") else self.money, query.get("page_token")
            start = next((i + 1 for i, row in enumerate(rows) if row["id"] == token), 0)
            return web.json_response(rows[start : start + int(query["page_size"])])
        if path == "/v2/orders:by_client_order_id":
            found = [row for row in self.orders.values() if row["client_order_id"] == query["client_order_id"]]
            return web.json_response(found[0]) if found else missing()
        if path == "/v2/orders":
            after = query.get("after", "")
            over = () if query["status"] == "all" else ("filled", "canceled", "replaced")
            asked = [one for one in self.orders.values() if one["status"] not in over]
            return web.json_response([one for one in asked if one["submitted_at"] > after][: int(query["limit"])])
        row = self.orders.get(path.rpartition("/")[2])
        return web.json_response(row) if row else missing()

    async def act(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        row = self.orders.get(path.rpartition("/")[2])
        if method == "POST":
            if any(one["client_order_id"] == body["client_order_id"] for one in self.orders.values()):
                return web.json_response({"code": 40010001, "message": "client_order_id must be unique"}, status=422)
            return web.json_response(await self.place(body))
        if row is None:
            return missing()
        if row["status"] in ("filled", "canceled", "replaced"):
            text = f'order is already in "{row["status"]}" state'
            return web.json_response({"code": 42210000, "message": text}, status=422)
        if method == "DELETE":
            row["status"] = "pending_cancel"
            if self.cancels:
                await self.end(row)
            return web.Response(status=204)
        new = {k: row[k] for k in ("symbol", "qty", "side", "type", "time_in_force")} | body
        made = await self.place(new, replaces=row["id"])
        row |= {"replaced_by": made["id"], "status": "pending_replace"}
        if self.swaps:
            await self.end(row, "replaced")
        return web.json_response(made)

    async def place(self, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        """An order comes in; one that waits for nobody is over at once."""
        at = self.stamp()
        row = {"id": f"row-{next(self._ids)}", "created_at": at, "submitted_at": at, "updated_at": at, **body, **more}
        row |= {"filled_qty": "0", "status": "new", "asset_class": "crypto" if "/" in body["symbol"] else "us_equity"}
        self.orders[row["id"]] = row
        answered = dict(row)
        await self.tell("new", row)
        if body["time_in_force"] == "ioc":
            await self.end(row)
        return answered

    # --- the stream

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One socket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            said = json.loads(message.data)
            self.said.append(said)
            if said["action"] == "authenticate":
                status = {"status": self.authorized, "action": "authenticate"}
                await socket.send_bytes(json.dumps({"stream": "authorization", "data": status}).encode())
            else:
                await socket.send_str(json.dumps({"stream": "listening", "data": said["data"]}))
                self.sockets.append(socket)
        return socket


def asset(symbol: str, kind: str, **more: Any) -> dict[str, Any]:
    """A row of /v2/assets."""
    base = {"id": symbol, "class": kind, "symbol": symbol, "status": "active", "tradable": True, "fractionable": True}
    return base | {"shortable": False, "easy_to_borrow": False} | more


def missing() -> web.Response:
    return web.json_response({"code": 40410000, "message": "order not found"}, status=404)


@asynccontextmanager
async def fake_alpaca() -> AsyncIterator[FakeAlpaca]:
    """A venue that listens."""
    fake = FakeAlpaca()
    app = web.Application()
    app.add_routes([web.get("/stream", fake.stream), web.route("*", "/{path:.*}", fake.rest)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.port = runner.addresses[0][1]
    try:
        yield fake
    finally:
        await runner.cleanup()


Until = Callable[[Callable[[], object]], Awaitable[None]]


async def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
