"""The emulated exchange by plain calls: a market whose books the test sets, keys that sign, a clock that it moves."""

import json
from decimal import Decimal

from venues.aleatoric.funding.payments import FundingRate
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.presets import get_preset
from venues.emulator.hyperliquid.config import AccountConfig, ExchangeConfig
from venues.emulator.hyperliquid.exchange import HyperliquidExchange
from venues.hyperliquid.sign import Chain, Signer
from venues.market import Book, Level, Side, Trade

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
STEP_NS = S // 2
MIDS = {"BTC": (66_000.0, 1.0), "ETH": (2_000.0, 0.1), "SOL": (80.0, 0.01), "xyz:TSLA": (400.0, 0.01)}
LEVELS = 20
BTC, ETH, SOL, TSLA = 0, 1, 2, 110_000


class Key:
    """A secret of tests."""

    def __init__(self, digits):
        self._digits = digits

    def get_secret_value(self):
        return self._digits


def signer(number):
    """A key that everybody can make."""
    return Signer(Key(f"{number:064x}"), Chain.TESTNET)


MASTER, AGENT, OTHER, POOR, STRANGER, SUB = map(signer, range(101, 107))
CONFIG = ExchangeConfig(seed=7)
ACCOUNTS = (
    AccountConfig(
        address=MASTER.address,
        usd={"": Decimal(10_000), "xyz": Decimal(5_000)},
        spot_usd=Decimal(500),
        agents={"bot": AGENT.address},
    ),
    AccountConfig(address=OTHER.address, usd={"": Decimal(10_000)}, volume_usd=Decimal(1_000_000)),
    AccountConfig(address=POOR.address),
    AccountConfig(address=SUB.address, usd={"": Decimal(100)}, master=MASTER.address),
)


class Script:
    """A market that shows each half second what it is told to show."""

    def __init__(self, names=tuple(MIDS)):
        self.models = {name: model_of(get_preset(f"perps:{name}")) for name in names}
        self.seed, self.start_ns = 7, START_NS
        self.mids = {name: MIDS[name][0] for name in names}
        self.size = 1.0
        self.trades = []  # (name, price, size, side), each once
        self.rate = Decimal("0.0001")
        self.empty = set()  # names without asks
        self._at_ns = START_NS

    def sleep(self, seconds):
        """Show nothing for a while."""
        self._at_ns += seconds * S

    def next_batch(self):
        self._at_ns += STEP_NS
        trades = [Trade(name, self._at_ns - 1, self._at_ns, px, size, side) for name, px, size, side in self.trades]
        self.trades = []
        return self._at_ns, [*trades, *map(self._book, self.models)]

    def _book(self, name):
        mid, tick = self.mids[name], MIDS[name][1]
        bids, asks = (
            tuple(Level(round(mid + sign * tick * (rank + 1), 6), self.size) for rank in range(LEVELS))
            for sign in (-1, 1)
        )
        return Book(name, self._at_ns - 1_000_000, self._at_ns, bids, () if name in self.empty else asks)

    def funding(self, at_ns):
        return tuple(FundingRate(name, at_ns, self.rate, Decimal("0.0005")) for name in self.models)


class Desk:
    """An exchange and who trades there."""

    def __init__(self, config=CONFIG, accounts=ACCOUNTS, market=None):
        self.market = market or Script()
        self.venue = HyperliquidExchange(self.market, accounts, config)
        self.now_ns = START_NS
        self.nonce = 0
        self.heard = []
        self.wait(1)

    def wait(self, seconds):
        """Let time pass, and hear what happens."""
        self.now_ns += round(seconds * S)
        self.hear()

    def hear(self):
        self.heard += [(told.key, json.loads(told.frame)) for told in self.venue.advance(self.now_ns)]

    def quote(self, name, mid):
        """Move a book; what was already on its way comes first."""
        self.market.mids[name] = mid
        self.wait(1)

    def trade(self, name, price, size, side):
        self.market.trades.append((name, price, size, Side(side)))
        self.wait(1)

    def listen(self, *subscriptions):
        for subscription in subscriptions:
            self.venue.watch(self.venue.topic(subscription))

    def told(self, channel):
        """The data of all frames of a channel that were heard."""
        return [frame["data"] for _, frame in self.heard if frame["channel"] == channel]

    def info(self, kind, **more):
        return json.loads(self.venue.info({"type": kind, **more}, self.now_ns))

    def ask(self, kind, user=MASTER, **more):
        return self.info(kind, user=user.address, **more)

    def body(self, action, who=AGENT, vault=None, expires_ms=None, nonce=None):
        """A signed request."""
        self.nonce = max(self.nonce + 1, self.now_ns // 1_000_000) if nonce is None else nonce
        return json.loads(who.l1(action, self.nonce, vault, expires_ms).body())

    def post(self, body):
        answer = json.loads(self.venue.exchange(body, self.now_ns))
        self.hear()
        return answer

    def do(self, action, who=AGENT, **more):
        return self.post(self.body(action, who, **more))

    def done(self, action, who=AGENT, **more):
        """The response of an action that is not refused as a whole."""
        answer = self.do(action, who, **more)
        assert answer["status"] == "ok", answer
        return answer["response"]

    def refused(self, action, who=AGENT, **more):
        """The sentence with which an action is refused as a whole."""
        answer = self.do(action, who, **more)
        assert answer["status"] == "err", answer
        return answer["response"]

    def orders(self, *orders, who=AGENT, **more):
        response = self.done({"type": "order", "orders": list(orders), "grouping": "na"}, who, **more)
        assert response["type"] == "order"
        return response["data"]["statuses"]

    def order(self, *args, who=AGENT, **more):
        (status,) = self.orders(wire(*args, **more), who=who)
        return status

    def cancel(self, asset, oid, who=AGENT):
        response = self.done({"type": "cancel", "cancels": [{"a": asset, "o": oid}]}, who)
        assert response["type"] == "cancel"
        return response["data"]["statuses"][0]

    def position(self, coin, user=MASTER):
        dex = coin.partition(":")[0] if ":" in coin else ""
        rows = self.ask("clearinghouseState", user, dex=dex)["assetPositions"]
        return next((row["position"] for row in rows if row["position"]["coin"] == coin), None)


def wire(asset, side, price, size, tif="Gtc", reduce_only=False, cloid=None):
    """An order as it is sent."""
    order = {"a": asset, "b": side == "buy", "p": price, "s": size, "r": reduce_only, "t": {"limit": {"tif": tif}}}
    return order if cloid is None else order | {"c": cloid}


def cloid(number):
    return f"0x{number:032x}"
