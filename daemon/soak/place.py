"""An emulated venue of a world: its server in the simulated network, its one account, and all that is so there."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from config.universe import load_universe
from daemon import emulate, emulate_alpaca
from daemon.options import Mode
from daemon.soak.plan import WorldPlan
from supervisor.clock import Clock
from supervisor.network import Listener
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.faults import Fault
from venues.emulator.hyperliquid.doors import HyperliquidDoors
from venues.emulator.program import nothing_to_wind_down, program_of
from venues.emulator.schedule import Faults
from venues.emulator.serve import Emulator

HYPERLIQUID, ALPACA = "hyperliquid", "alpaca"
PORTS = {HYPERLIQUID: 3001, ALPACA: 3002}
VENUE_OF = {"perps": HYPERLIQUID, "crypto": ALPACA, "equities": ALPACA}
SYMBOLS_DEFAULT = {
    "perps": ("BTC", "ETH", "SOL", "DOGE", "AVAX"),
    "crypto": ("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD", "LINK/USD"),
    "equities": ("LDOS", "GD", "EXE", "SLB", "USO", "URA"),
}
ALPACA_KEY = "PKEMULATED1"


class Placed(Struct, frozen=True):
    """An order that the venue has had."""

    name: str  # that its client gave it
    open: bool
    status: str
    symbol: str
    limit: Decimal | None = None  # where a twin of the same name is possible


class Done(Struct, frozen=True):
    """A fill at the venue."""

    id: str
    name: str  # of its order; empty: nobody's that we know
    symbol: str
    size: Decimal  # signed


class Truth(Struct, frozen=True):
    """What is so at a venue."""

    positions: dict[str, Decimal]
    orders: tuple[Placed, ...]
    fills: tuple[Done, ...]


class Place:
    """One venue."""

    def __init__(self, venue: str, plan: WorldPlan, clock: Clock, rules: Sequence[Fault]):
        self.venue, self.plan = venue, plan
        self.port = PORTS[venue]
        self.engines = tuple(engine for engine in plan.engines if VENUE_OF[engine] == venue)
        self.symbols = tuple(
            symbol
            for engine in self.engines
            for symbol in plan.symbols or SYMBOLS_DEFAULT[engine]
            if symbol in load_universe(engine)
        )
        self.emulator, self._config, self.keys = self._made(clock)
        self.emulator.faults = Faults(rules, plan.seed, clock.now_ns())
        self.program = program_of(self.emulator, Listener(self.port).as_socket(), clock)

    def _made(self, clock: Clock) -> tuple[Emulator, list[str], dict[str, str]]:
        plan, where = self.plan, emulate.Where("127.0.0.1", self.port)
        url = f"http://127.0.0.1:{self.port}"
        if self.venue == HYPERLIQUID:
            key = emulate.throw_away_key(plan.seed)
            address = emulate.address_of(key)
            asked = emulate.asked(
                where=where,
                seed=plan.seed,
                speed=1.0,
                faults="none",
                accounts=[f"{address}:{plan.usd}"],
                symbols=self.symbols,
            )
            lines = emulate.snippet(url, address, self.symbols)
            return emulate.emulator_of(asked, clock), lines, {"OBID_HYPERLIQUID_AGENT_KEY": key}
        live = mode_of(plan) is Mode.LIVE
        asked_alpaca = emulate_alpaca.asked_alpaca(
            where=where,
            seed=plan.seed,
            speed=1.0,
            accounts=[f"{ALPACA_KEY}:{plan.usd}"],
            symbols=self.symbols,
            plan=emulate_alpaca.plan_for(self.symbols),
            live=live,
        )
        kind, account = "LIVE" if live else "PAPER", asked_alpaca.accounts[0]
        keys = {f"OBID_ALPACA_{kind}_KEY_ID": account.key_id, f"OBID_ALPACA_{kind}_SECRET": account.secret}
        lines = emulate_alpaca.snippet(url, asked_alpaca)
        if live:
            lines.insert(1, 'alpaca_trading_mode = "live"')
        return emulate_alpaca.emulator_of_alpaca(asked_alpaca, clock), lines, keys

    async def live(self) -> None:
        """Serve until the world ends."""
        await self.program.run(nothing_to_wind_down)

    def config(self) -> list[str]:
        """What a daemon is told of it."""
        return self._config

    def truth(self) -> Truth:
        """What is so, by the names that clients gave."""
        doors = self.emulator.doors
        if isinstance(doors, HyperliquidDoors):
            return of_hyperliquid(doors)
        assert isinstance(doors, AlpacaDoors)
        return of_alpaca(doors)


def mode_of(plan: WorldPlan) -> Mode:
    """The mode of a daemon that trades there: one for all its engines."""
    return Mode.LIVE if "perps" in plan.engines else Mode.PAPER


def of_hyperliquid(doors: HyperliquidDoors) -> Truth:
    """The one account of an emulated Hyperliquid."""
    (account,) = doors.exchange.accounts.values()
    names = {oid: order.cloid or "" for oid, order in account.orders.items()}
    held: dict[str, Decimal] = {}
    for asset in doors.exchange.listing.assets.values():
        if lots := account.house(asset).lots(asset.name):
            held[asset.name] = Decimal(lots).scaleb(-asset.size_decimals)
    return Truth(
        held,
        tuple(
            Placed(order.cloid or "", order.status == "open", order.status, order.asset.name)
            for order in account.orders.values()
        ),
        tuple(
            Done(str(row["tid"]), names.get(row["oid"], ""), row["coin"], signed(row["sz"], row["side"] == "B"))
            for row in account.fills
        ),
    )


def of_alpaca(doors: AlpacaDoors) -> Truth:
    """The one account of an emulated Alpaca."""
    (told,) = doors.truth(doors.exchange.now_ns).values()
    names = {order["id"]: order["client_order_id"] for order in told["orders"]}
    resting = {order["id"] for order in told["open_orders"]}
    return Truth(
        {symbol: Decimal(size) for symbol, size in told["positions"].items()},
        tuple(
            Placed(one["client_order_id"], one["id"] in resting, one["status"], one["symbol"], _limit(one))
            for one in told["orders"]
        ),
        tuple(
            Done(row["id"], names.get(row["order_id"], ""), row["symbol"], signed(row["qty"], row["side"] == "buy"))
            for row in told["fills"]
        ),
    )


def _limit(row: dict[str, Any]) -> Decimal | None:
    return Decimal(row["limit_price"]) if row.get("limit_price") else None


def signed(size: Any, bought: bool) -> Decimal:
    """A size with its sign."""
    return abs(Decimal(size)) * (1 if bought else -1)
