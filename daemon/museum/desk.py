"""An emulated Hyperliquid by plain calls, for exhibits: books that are told, keys that everybody has, time by hand."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from config.universe import load_universe
from daemon.markets import model_of
from venues.aleatoric.funding.payments import FundingRate
from venues.aleatoric.model import SymbolModel
from venues.emulator.hyperliquid.config import AccountConfig, ExchangeConfig
from venues.emulator.hyperliquid.exchange import HyperliquidExchange
from venues.hyperliquid.actions import Action
from venues.hyperliquid.sign import Chain, Signer
from venues.market import Book, Level, MarketEvent, Side, Trade

S = 1_000_000_000
START_NS = 1_790_000_000 * S
STEP_NS = S // 2
LEVELS = 20
MIDS = {"BTC": (66_000.0, 1.0), "ETH": (2_000.0, 0.1), "xyz:TSLA": (400.0, 0.01)}
"""Name -> mid and distance of the levels, in dollars."""
BTC, ETH, TSLA = 0, 1, 110_000
"""What orders call them."""
EVERY = ("", "xyz")
"""The dexs that are listed."""


class Plain(Struct, frozen=True):
    """A key that is no secret."""

    digits: str

    def get_secret_value(self) -> str:
        """The digits."""
        return self.digits


def signer(number: int) -> Signer:
    """A key that anybody can make."""
    return Signer(Plain(f"{number:064x}"), Chain.TESTNET)


MASTER, AGENT = signer(201), signer(202)


class Quiet:
    """A market whose books stand still, one each half second."""

    def __init__(self, names: Sequence[str]):
        facts = load_universe("perps")
        self.models: dict[str, SymbolModel] = {name: model_of(facts[name]) for name in names}
        self.seed, self.start_ns, self.size = 7, START_NS, 1.0
        self.trades: list[tuple[str, float, float, Side]] = []  # name, price, size, who took; each once
        self._at_ns = START_NS

    def next_batch(self) -> tuple[int, list[MarketEvent]]:
        """The next books."""
        self._at_ns += STEP_NS
        made = [Trade(name, self._at_ns, self._at_ns, *how) for name, *how in self.trades]  # type: ignore[arg-type]
        self.trades.clear()
        return self._at_ns, [*made, *(self._book(name) for name in self.models)]

    def _book(self, name: str) -> Book:
        mid, tick = MIDS[name]
        bids, asks = (
            tuple(Level(round(mid + sign * tick * (rank + 1), 6), self.size) for rank in range(LEVELS))
            for sign in (-1, 1)
        )
        return Book(name, self._at_ns, self._at_ns, bids, asks)

    def funding(self, at_ns: int) -> tuple[FundingRate, ...]:
        """Nobody pays."""
        return ()


class Desk:
    """The exchange, and one account there with an agent."""

    def __init__(
        self, names: Sequence[str] = tuple(MIDS), usd: Mapping[str, int] | None = None, requests: int = 10_000
    ) -> None:
        money = {dex: Decimal(amount) for dex, amount in (usd or dict.fromkeys(EVERY, 10_000)).items()}
        account = AccountConfig(
            address=MASTER.address, usd=money, spot_usd=Decimal(500), agents={"obid": AGENT.address}
        )
        self.market = Quiet(names)
        self.venue = HyperliquidExchange(self.market, (account,), ExchangeConfig(seed=7, requests_initial=requests))
        self.now_ns, self.nonce = START_NS, 0
        self.wait(1)

    def wait(self, seconds: float) -> list[tuple[str, bytes]]:
        """Let time pass; what subscribers heard."""
        self.now_ns += round(seconds * S)
        return [(told.key, told.frame) for told in self.venue.advance(self.now_ns)]

    def post(self, action: Action, who: Signer = AGENT, nonce: int | None = None) -> bytes:
        """Sign and send an action; the bytes of the answer."""
        self.nonce = max(self.nonce + 1, self.now_ns // 1_000_000) if nonce is None else nonce
        body = msgspec.json.decode(who.l1(action, self.nonce).body())
        return self.venue.exchange(body, self.now_ns)

    def info(self, body: Mapping[str, Any]) -> bytes:
        """Ask; the bytes of the answer."""
        return self.venue.info(dict(body), self.now_ns)

    def trade(self, asset: int, side: str, price: str, size: str, who: Signer = AGENT) -> bytes:
        """Take from the book at once."""
        return self.post(placed(limit(asset, side, price, size, "Ioc")), who)

    def others(self, name: str, price: float, size: float, side: Side) -> None:
        """Somebody else takes from the book, which may fill what rests there."""
        self.market.trades.append((name, price, size, side))
        self.wait(1)


def limit(
    asset: int, side: str, price: str, size: str, tif: str, *, reduce_only: bool = False, cloid: str | None = None
) -> Action:
    """An order on the wire."""
    order: Action = {"a": asset, "b": side == "buy", "p": price, "s": size, "r": reduce_only}
    order["t"] = {"limit": {"tif": tif}}
    return order if cloid is None else order | {"c": cloid}


def placed(*orders: Action) -> Action:
    """The action that places them."""
    return {"type": "order", "orders": list(orders), "grouping": "na"}
