"""Every kind of fault at once, and a client that believes nothing but what it reads back: the venue's books hold."""

import json
from collections import Counter
from decimal import Decimal

import eth_account
import pytest
import requests
from hyperliquid.exchange import Exchange
from hyperliquid.utils.error import ClientError, ServerError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.venues.emulator.running import ADDRESS, KEY, Running, running
from venues.emulator.faults import ALPACAS, HARSH, KINDS

RULES = [
    {"kind": "mute", "for_s": 4},
    {"kind": "close"},
    {"kind": "idle_close"},
    {"kind": "http_429", "requests": ["order"]},
    {"kind": "timeout_after_accept", "requests": ["order"]},
    {"kind": "lost_before", "requests": ["order"]},
    {"kind": "inner_error"},
    {"kind": "garbled", "requests": ["order"]},
    {"kind": "slow_answer", "requests": ["order"], "delay_s": 1},
    {"kind": "late_fills"},
    {"kind": "duplicate_fills"},
    {"kind": "reordered_fills"},
    {"kind": "partial_fills", "for_s": 5},
    {"kind": "delist", "symbols": ["SOL"]},
    {"kind": "restart", "for_s": 3, "post_only_s": 3},
    {"kind": "clock_skew", "for_s": 5},
]
EVERY_S = 25
STEPS, STEP_S = 50, 3


def schedule(rules: list[dict]) -> str:
    """The rules as TOML, each once in every stretch."""
    told = []
    for rule in rules:
        rows = {**rule, **({"at_s": [90]} if rule["kind"] == "delist" else {"every_s": EVERY_S})}
        told += ["[[fault]]", *(f"{name} = {json.dumps(value)}" for name, value in rows.items())]
    return "\n".join(told)


class Trader:
    """Buys and sells ETH and SOL at the market in turn, keeps a socket open, and counts what it is told."""

    def __init__(self, venue: Running):
        self.venue = venue
        self.exchange = Exchange(eth_account.Account.from_key(KEY), venue.url, timeout=10)
        self.exchange.timeout = 0.1
        self.mids = {coin: float(price) for coin, price in self.exchange.info.all_mids().items()}
        self.ws: ClientConnection | None = None
        self.outcomes: Counter[str] = Counter()
        self.fills: dict[int, str] = {}  # by tid: what it is told twice or too late counts once
        self.sockets = 0

    def listen(self) -> None:
        """Have a socket, and read it."""
        try:
            if self.ws is None:
                url = f"ws{self.venue.url.removeprefix('http')}/ws"
                self.ws = connect(url, ping_interval=None, compression=None).__enter__()
                self.ws.send(
                    json.dumps({"method": "subscribe", "subscription": {"type": "userFills", "user": ADDRESS}})
                )
                self.sockets += 1
            self.ws.send('{"method":"ping"}')
            while True:
                frame = json.loads(self.ws.recv(0.005))
                if frame["channel"] == "userFills":
                    self.fills |= {fill["tid"]: fill["sz"] for fill in frame["data"]["fills"]}
        except TimeoutError:
            pass
        except (ConnectionClosed, InvalidStatus):
            self.ws = None

    def trade(self, turn: int) -> None:
        """Send one order, and note what came of it."""
        coin, size = ("ETH", 0.5) if turn % 2 else ("SOL", 3.0)
        try:
            answer = self.exchange.order(
                coin, turn % 4 < 2, size, self.price(coin, turn % 4 < 2), {"limit": {"tif": "Ioc"}}
            )
            told = answer.get("response")
            status = told["data"]["statuses"][0] if isinstance(told, dict) else {str(answer): 1}
            self.outcomes[next(iter(status))] += 1
        except (ClientError, ServerError, requests.RequestException, KeyError) as error:
            self.outcomes[type(error).__name__] += 1

    def price(self, coin: str, buys: bool) -> float:
        """Far enough from the middle of the day's start to fill."""
        return float(f"{self.mids[coin] * (1.03 if buys else 0.97):.4g}")


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "bad_day.toml"
    path.write_text(schedule(RULES))
    with running(faults=str(path), seed=3) as venue:
        trader = Trader(venue)
        for turn in range(STEPS):
            trader.listen()
            trader.trade(turn)
            venue.advance(STEP_S)
        venue.advance(10)  # past what is still late
        trader.listen()
        told = trader, venue.truth(), venue.statistics()
        if trader.ws is not None:
            trader.ws.close()
        yield told


def test_every_kind_fired_and_is_counted(bad_day):
    _, _, counted = bad_day
    assert counted["faults"].keys() == {*KINDS} - ALPACAS - HARSH == {rule["kind"] for rule in RULES}
    assert [kind for kind, fired in counted["faults"].items() if not fired] == []
    assert "crashes" not in counted


def test_the_client_met_what_was_counted(bad_day):
    trader, _, counted = bad_day
    assert trader.sockets > counted["faults"]["close"]
    assert {"filled", "error", "ReadTimeout", "ClientError", "ConnectionError"} <= trader.outcomes.keys()


def test_the_venues_books_hold(bad_day):
    _, truth, _ = bad_day
    held: Counter[str] = Counter()
    for fill in truth["fills"]:
        held[fill["coin"]] += Decimal(fill["sz"]) * (1 if fill["side"] == "B" else -1)
    assert {coin: Decimal(size) for coin, size in truth["positions"].items()} == {
        coin: size for coin, size in held.items() if size and coin != "SOL"
    }
    assert "SOL" not in truth["positions"]  # it was delisted
    assert truth["open_orders"] == []


def test_no_fill_is_lost_to_who_reads_snapshots(bad_day):
    trader, truth, _ = bad_day
    told, made = trader.fills, {fill["tid"]: fill["sz"] for fill in truth["fills"]}
    assert told.items() <= made.items()
    assert len(made) - len(told) <= 2  # a mute socket or one just gone may still owe the last ones
