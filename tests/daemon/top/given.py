"""Snapshots and a scripted daemon for the tests of top."""

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from daemon.errors import DaemonAbsent, Failed
from daemon.snapshot import (
    ActorRow,
    CalendarRow,
    DecisionRow,
    EngineLook,
    EngineRow,
    HeadroomRow,
    Look,
    MarketRow,
    OrderRow,
    PositionRow,
    Snapshot,
    Status,
    TroubleRow,
)
from daemon.top.known import Heard, Known
from daemon.top.poller import Poller

NS = 1_000_000_000
AT_NS = 1_767_225_600 * NS  # 2026-01-01 00:00 UTC
MINUTE_NS = 60 * NS
VERSION = "0.1.0"
STATUS = Status(
    version=VERSION, run_id="live-7-1", mode="live", pid=1, seed=7, speed="1", virtual=False,
    started_ns=AT_NS - 3 * 3600 * NS, at_ns=AT_NS, healthy=True, lag_ms=0.4,
)  # fmt: skip
ENGINE = EngineRow(
    engine="perps", venue="hyperliquid", trading="active", reason="", reconciled=True, symbols=2, symbols_fresh=2,
    cash_minor=10_000_000_000, equity_minor=10_012_330_000, realised_minor=12_000_000, unrealised_minor=-330_000,
    fees_minor=1_200_000, funding_minor=50_000,
)  # fmt: skip
MARKET = MarketRow(
    engine="perps", symbol="BTC", fresh=True, age_ms=432, bid=60_000.0, ask=60_001.0, z=-1.301, z_entry=1.25,
    z_exit=0.5, rho=0.2, rho_age_ms=432,
)  # fmt: skip
LOOK = Look(
    markets=(MARKET, replace(MARKET, symbol="xyz:TSLA", z=None, rho=None)),
    headroom=(
        HeadroomRow(engine="perps", rule="daily_loss", used=0.85, value="425.00 USD", bound="500.00 USD"),
        HeadroomRow(engine="perps", rule="net_cap", used=0.1, value="125.00 USD", bound="1,250.00 USD"),
    ),
    engines=(EngineLook(engine="perps", today_minor=-425_000_000, account="perps"),),
    calendar=CalendarRow(
        shut=False, event="", until_ns=0, degraded=False, next_event="CPI", next_ns=AT_NS + 61 * MINUTE_NS
    ),
)
POSITION = PositionRow(
    engine="perps", symbol="BTC", lots=-12, size=Decimal("-0.0123"), entry=Decimal("60100.0"), mark=Decimal("60001.0"),
    notional_minor=-738_000_000, unrealised_minor=1_218_000, realised_minor=0, opened_ns=AT_NS - 12 * MINUTE_NS,
)  # fmt: skip
ORDER = OrderRow(
    engine="perps", order_id="0xabcdef0123456789", intent_id="i", symbol="BTC", side="buy", state="resting",
    purpose="exit", size=Decimal("0.0123"), size_filled=Decimal("0.00615"), price=Decimal("59990.0"),
    time_in_force="alo", reason="z_revert", at_ns=AT_NS, placed_ns=AT_NS - 42 * NS, reprices=3,
)  # fmt: skip
ACTOR = ActorRow(
    name="perps.signal", engine="perps", state="running", healthy=True, restarts=0, waiting=0, age_ms=0.0, heard=9,
    conflated=1, high_water=2, size_max=64,
)  # fmt: skip
SNAPSHOT = Snapshot(
    status=STATUS,
    engines=(ENGINE,),
    actors=(replace(ACTOR, name="ledger", engine=""), ACTOR),
    positions=(POSITION,),
    orders=(ORDER,),
    decisions=(DecisionRow(at_ns=AT_NS - NS, engine="perps", symbol="BTC", event="fill", text="sell 0.0123, maker"),),
    look=LOOK,
    troubles=(),
)
HALTED = replace(
    SNAPSHOT,
    engines=(replace(ENGINE, trading="halted", reason="daily_loss: 501", by="circuit_breaker", since_ns=AT_NS - NS),),
    troubles=(
        TroubleRow(
            since_ns=AT_NS - 12 * MINUTE_NS, engine="perps", what="halted", text="by circuit_breaker: daily_loss: 501"
        ),
    ),
)
TWO = replace(
    SNAPSHOT,
    engines=(ENGINE, replace(ENGINE, engine="equities", symbols_fresh=0)),
    look=replace(
        LOOK,
        engines=(
            *LOOK.engines,
            EngineLook(engine="equities", today_minor=None, session_open=False, session_ns=AT_NS + 9 * 3600 * NS),
        ),
    ),
)


def known(snapshot: Snapshot | None = SNAPSHOT) -> Known:
    """What top knows after one answer."""
    made = Known(VERSION)
    if snapshot is not None:
        made.hear(Heard(snapshot, AT_NS))
    return made


def text_of(lines) -> str:
    """Lines without their styles."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


class Script:
    """A daemon made of paper: answers with what it is given, an exception is raised; orders are written down."""

    def __init__(self, *answers: object):
        self.answers = list(answers)
        self.orders: list[tuple[str, dict[str, str]]] = []
        self.asked = self.connected = self.closed = 0

    def connect(self, timeout_s: float) -> "Script":
        self.connected += 1
        if isinstance(self.answers[0], DaemonAbsent):
            self._next()
        return self

    def ask(self, verb: str, args: dict[str, str] | None = None) -> object:
        if verb != "snapshot":
            self.orders.append((verb, args))
            if verb == "pause":
                raise Failed("no answer within 10 s")
            return {"lines": [f"{verb} is on its way"]}
        self.asked += 1
        return self._next()

    def _next(self) -> object:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return msgspec.to_builtins(answer) if isinstance(answer, Snapshot) else answer

    def close(self) -> None:
        self.closed += 1


class StillPoller(Poller):
    """A poller without its thread: it asks when the test says so."""

    def start(self) -> None:
        self.step()

    def step(self) -> None:
        self.hear(self.ask(), self.tail.read())

    def order(self, verb, args, told) -> None:
        self._order(verb, args, told)
