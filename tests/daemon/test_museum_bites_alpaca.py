"""Alpaca, calendars and equities with the bug of each story put in: the exhibit must fail."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from actors import feed, macro_calendar, sector_guard
from actors.given_bars import BarFeed
from actors.maker_watchdog import MakerWatchdog
from actors.reconciler import Reconciler
from actors.signal import Signal
from config.load import load_profile
from daemon.museum.exhibit import visit
from daemon.museum.hall import EXHIBITS, WINGS
from risk import circuit_breaker, gate, gate_state
from risk.blackout import Reports
from risk.macro_window import Calendar
from tests.daemon.test_museum_bites import _attribute, _dies, _rule
from venues.alpaca import account, adapter, bars, data_stream, plan, rules, trading_stream, trading_wire
from venues.alpaca.account import AccountFeed
from venues.alpaca.adapter import Alpaca
from venues.alpaca.bars import BarsRest, Buffer
from venues.alpaca.conversation import Conversation
from venues.alpaca.data import Data
from venues.alpaca.data_stream import Stream
from venues.alpaca.trading import Desk
from venues.calendars import fmp
from venues.market import Release, Side
from venues.matching import MatchingEngine
from venues.rest import NotAnswered

FOR_EVER_NS = 10**20
Put = Callable[[pytest.MonkeyPatch], None]


def _every(*bugs: Put) -> Put:
    def put_in(patch: pytest.MonkeyPatch) -> None:
        for bug in bugs:
            bug(patch)

    return put_in


async def _none(self: Any, *how: Any) -> None:
    return None


async def _nobody(self: Any, *how: Any) -> list[Any]:
    return []


_act = Desk._act


async def _acts_twice(self: Desk, tracked: Any, method: str, path: str, body: Any) -> Any:
    try:
        return await _act(self, tracked, method, path, body)
    except NotAnswered:
        return await _act(self, tracked, method, path, body | {"client_order_id": body["client_order_id"] + "-again"})


async def _gives_up(self: Desk, tracked: Any, instrument: Any) -> Any:
    return self._rejected(tracked, "it was not found")


def _parts(patch: pytest.MonkeyPatch) -> None:
    made = rules.instrument_of
    patch.setattr(rules, "instrument_of", lambda *how, **more: replace(made(*how, **more), lot=rules.FINE))
    patch.setattr(rules, "time_in_force", lambda *how: "gtc")


def _keyword(country: str, event: str) -> str | None:
    return next((name for name in ("CPI", "GDP") if name.lower() in event.lower()), None)


def _fixed(patch: pytest.MonkeyPatch) -> None:
    """Eastern is five hours behind, all year."""
    table = EXHIBITS["calendar-summer-time"].right.__globals__["load_macro_calendar"]()
    events = tuple(Release(one.at_ns - one.at_ns % (86_400 * 10**9) + 48_600 * 10**9, one.name) for one in table.events)
    patch.setattr("daemon.museum.calendars.load_macro_calendar", lambda: table._replace(events=events))


def _caps_exits(patch: pytest.MonkeyPatch) -> None:
    kept = tuple(rule._replace(asked_of=gate.EVERY) if rule.name == "order_notional" else rule for rule in gate.RULES)
    patch.setattr(gate, "RULES", kept)


def _limits(**more: Any) -> Put:
    made = circuit_breaker.breaker_limits
    return _attribute(gate_state, "breaker_limits", lambda *how: replace(made(*how), **more))


_exit = Signal._exit


def _believes_exits(self: Signal, state: Any, *how: Any) -> Any:
    said = _exit(self, state, *how)
    state.lots = 0
    return said


def _never_leans(patch: pytest.MonkeyPatch) -> None:
    packaged = load_profile("equities")
    signal = packaged.signal.model_copy(update={"obi_theta": -0.001})
    patch.setattr("daemon.museum.equities.load_profile", lambda name: packaged.model_copy(update={"signal": signal}))


_begin = Conversation.__init__


def _thinks_it_is_held(self: Conversation, login: Any, covers: Any, now_ns: int) -> None:
    states = {key: cover.state for key, cover in covers.items()}
    _begin(self, login, covers, now_ns)
    for key, state in states.items():
        covers[key].state = state


_look = Stream._look


def _always_open(self: Stream, *how: Any) -> Any:
    self.is_open = lambda at_ns: True
    return _look(self, *how)


_endpoint = Data.endpoint


def _one_each(self: Data, path: str) -> Any:
    made = _endpoint(self, path)
    self._endpoints.pop(path)
    return made


_read_page = bars.read_page


def _one_page(body: bytes, interval_ns: int) -> Any:
    return replace(_read_page(body, interval_ns), token=None)


async def _asks_once(self: BarsRest, hunt: Any, symbols: Any, start_ns: int, end_ns: int) -> None:
    with suppress(bars.Refused):
        await self._pages(hunt, symbols, start_ns, end_ns)


def _touched(self: MatchingEngine, book: Any) -> list[Any]:
    said: list[Any] = []
    for resting in self._by_rank(book.symbol):
        said += self._fill(resting, resting.left, resting.order.ticks, book.at_ns, maker=True)
    return said


_hear = AccountFeed.hear


def _first_hears(self: AccountFeed, update: Any) -> None:
    if self.stream.hearers[0] is self:
        _hear(self, update)


async def _hangs(self: BarFeed, post: Any) -> None:
    post.ready()
    await post.clock.loop.create_future()


_nanoseconds = trading_wire.nanoseconds
_moves_price_alone = Desk._moves_price_alone

BUGS: tuple[tuple[str, Put], ...] = (
    ("l1-enum-as-text", _attribute(trading_wire, "side_of", lambda text: Side.BUY)),
    ("l2-no-tag", _attribute(adapter, "listed", _nobody)),
    ("l7-fraction-for-ever", _parts),
    ("l7-nobody-lends", _attribute(rules, "_check_entry", lambda *how: None)),
    ("l7-refused-each-bar", _attribute(Desk, "_note", lambda *how: None)),
    ("hour-dust-in-doubt", _attribute(rules, "twin_body", lambda *how: None)),
    ("d10-sent-again", _attribute(Desk, "_act", _acts_twice)),
    ("d10-not-there-yet", _attribute(Desk, "_fence", _gives_up)),
    ("lean-ib-249", _attribute(AccountFeed, "executions", _nobody)),
    ("lean-alpaca-60", _attribute(Desk, "_held_back", lambda *how: "")),
    ("lean-tradestation-95", _attribute(account, "MUTE_NS", FOR_EVER_NS)),
    ("trap-replace-lost", _attribute(AccountFeed, "refused", lambda *how: None)),
    (
        "alpaca-api-165",
        _every(
            _attribute(Desk, "_moves_price_alone", lambda *how: True),
            _attribute(AccountFeed, "too_much", lambda *how: None),
        ),
    ),
    ("alpaca-740", _attribute(Stream, "_look", lambda *how: None)),
    ("l4-silent-zombie", _attribute(Conversation, "__init__", _thinks_it_is_held)),
    ("openalgo-1419", _attribute(Stream, "_look", _always_open)),
    (
        "l4-zombies",
        _every(_attribute(data_stream, "CROWDED_FIRST_S", 0.2), _attribute(data_stream, "CROWDED_LAST_S", 0.2)),
    ),
    ("l5-one-slot", _attribute(Data, "endpoint", _one_each)),
    (
        "alpaca-740-storm",
        _every(_attribute(trading_stream, "BACKOFF_FIRST_S", 0.01), _attribute(trading_stream, "BACKOFF_MAX_S", 0.01)),
    ),
    ("l10-page-cut", _every(_attribute(bars, "read_page", _one_page), _attribute(BarsRest, "_ask", _asks_once))),
    ("l10-never-filled", _attribute(Buffer, "__str__", lambda self: "")),
    ("l6-stopped-early", _attribute(Alpaca, "close", _dies)),
    ("l19-siblings-cancelled", _attribute(BarFeed, "run", _hangs)),
    (
        "readme-silently-cut",
        _attribute(plan.Room, "take", lambda self, keys: {}),
    ),
    ("l9-shib-in-cents", _attribute(rules, "plain", lambda number: f"{number:.2f}")),
    ("l5-second-engine", _attribute(AccountFeed, "hear", _first_hears)),
    ("l3-paper-fills", _attribute(MatchingEngine, "_match_book", _touched)),
    ("lean-4680", _attribute(adapter, "ACCOUNT_NS", FOR_EVER_NS)),
    ("trap-mixed-times", _attribute(trading_wire, "nanoseconds", lambda text: _nanoseconds(text[:19] + "Z"))),
    ("calendar-look-alikes", _attribute(fmp, "release_of", _keyword)),
    ("calendar-benchmark-revision", _attribute(fmp, "REVISION_HOUR", 24)),
    ("calendar-first-friday", _attribute(fmp, "release_of", lambda *how: None)),
    ("calendar-summer-time", _fixed),
    ("calendar-object-for-list", _attribute(fmp, "_rows", lambda *how: [])),
    ("calendar-402", _attribute(Calendar, "covers", lambda *how: True)),
    ("calendar-stale", _attribute(macro_calendar, "STALE_NS", FOR_EVER_NS)),
    ("l26-earnings-horizon", _attribute(Reports, "covers", lambda *how: True)),
    ("l26-perpetual-of-the-stock", _attribute(fmp, "span_of", lambda day: (0, 1))),
    ("quantdinger-141", _attribute(MakerWatchdog, "_shut", lambda self: "")),
    ("readme-vacuous-gate", _never_leans),
    ("readme-outside-the-session", _rule("session")),
    ("l7-fourth-day-trade", _rule("day_trades")),
    ("l7-exit-capped", _caps_exits),
    ("d15-sector-forgotten", _attribute(sector_guard, "position_changed", lambda known, *how, **more: known)),
    ("d15-slot-leaked", _attribute(sector_guard, "entry_over", lambda known, *how: known)),
    ("d15-two-at-once", _attribute(sector_guard, "entry_under_way", lambda known, *how: known)),
    ("d15-exit-believed", _attribute(Signal, "_exit", _believes_exits)),
    ("alpacatradingagent-36", _attribute(circuit_breaker, "isfinite", lambda number: True)),
    ("forven-92", _limits(confirmations=1)),
    ("go-trader-1448", _limits(daily_loss_minor=10_000_000)),
    ("l8-poll-died", _attribute(Reconciler, "_look", _dies)),
    ("qubx-390", _attribute(feed, "FROZEN_NS", FOR_EVER_NS)),
)

WITHOUT = {"trap-binary-frames": "the socket hands over bytes, whichever kind of frame they came in"}
"""Exhibits that no bug is put in for, and why."""


ELSEWHERE = ("hyperliquid", "threads")
"""Wings whose bugs are put in by tests of their own."""


def test_every_exhibit_has_its_bug() -> None:
    rooms = [room for wing, rooms in WINGS.items() if wing not in ELSEWHERE for room in rooms]
    assert {name for name, _ in BUGS} | WITHOUT.keys() == {one.name for room in rooms for one in room.EXHIBITS}
    assert not {name for name, _ in BUGS} & WITHOUT.keys()


@pytest.mark.parametrize(("name", "put_in"), BUGS, ids=[name for name, _ in BUGS])
def test_the_bug_put_into_our_code_fails_the_exhibit(name: str, put_in: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.museum.loopback.PATIENCE_S", 20.0)
    put_in(monkeypatch)
    verdict = visit(EXHIBITS[name])
    assert not verdict.passed, verdict
