"""Our code with the bug of the story put in: the exhibit must fail, or it does not look at our code."""

from collections.abc import Callable
from contextlib import suppress
from math import floor
from typing import Any

import msgspec
import pytest

from actors import entry, obi_pump, signal
from actors.backoff import Backoff
from actors.bars import Bars
from actors.circuit_breaker import Purse
from actors.executor import Executor
from actors.given_bars import GivenBars
from actors.ledger import LedgerMind
from actors.maker_watchdog import MakerWatchdog
from actors.reconciler import Reconciler
from actors.signal import Signal
from actors.symbol_state import SymbolState
from daemon import graph
from daemon.museum.exhibit import visit
from daemon.museum.hall import EXHIBITS, WINGS
from risk import circuit_breaker, gate, gate_state, pricing, rate, rules, sizing
from risk.intent import Reprice
from risk.ledger import books
from risk.ledger.foreign import Foreign
from risk.macro_window import Calendar
from risk.position import Position, apply_fill
from risk.rules import Finding
from risk.sizing import lots_for
from supervisor.mailbox import Mailbox
from supervisor.runner import Runner
from venues import skew
from venues.hyperliquid import account, actions, adapter, answers, info, meta, orders, trading
from venues.hyperliquid.account import AccountFeed
from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.adapter import Hyperliquid
from venues.hyperliquid.budget import AddressBudget, RequestBudget
from venues.hyperliquid.grid import Grid
from venues.hyperliquid.line import Line
from venues.hyperliquid.nonce import Nonces
from venues.hyperliquid.orders import Orders, Tracked
from venues.hyperliquid.paging import FillPages
from venues.hyperliquid.socket import Socket, Why
from venues.market import Fill, Rejected
from venues.matching import MatchingEngine
from venues.venue import VenueUnreachable

PASSES = Finding(True, "", "")


def _rule(name: str) -> Callable[..., None]:
    """A gate without a rule."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        kept = tuple(rule._replace(ask=lambda case: PASSES) if rule.name == name else rule for rule in gate.RULES)
        patch.setattr(gate, "RULES", kept)

    return put_in


def _attribute(owner: Any, name: str, instead: Any) -> Callable[..., None]:
    return lambda patch: patch.setattr(owner, name, instead)


def _timeout_rejects(patch: pytest.MonkeyPatch) -> None:
    def refused(engine: str, order_id: str, fence_ns: int, why: str, at_ns: int) -> Rejected:
        return Rejected(engine, order_id, "BTC", why, at_ns)

    patch.setattr("actors.executor.Unanswered", refused)


def _moves_whole(patch: pytest.MonkeyPatch) -> None:
    def whole(**told: Any) -> Reprice:
        return Reprice(**(told | {"lots_left": told["lots_total"]}))

    patch.setattr("actors.maker_watchdog.Reprice", whole)


async def _hears_once(self: Line) -> None:
    socket = await self._connect(self._heard_of)
    await self._live(socket)


def _orders_whole(self: Orders, order: Any) -> Tracked:
    tracked = Tracked(order, order.lots)
    self._keep(tracked)
    return tracked


def _without(*names: str) -> Callable[[pytest.MonkeyPatch], None]:
    def put_in(patch: pytest.MonkeyPatch) -> None:
        for name in names:
            _rule(name)(patch)

    return put_in


async def _dies(self: Any, *how: Any, **more: Any) -> None:
    raise RuntimeError("leverage could not be set")


async def _sends_again(self: Executor, post: Any, order: Any) -> None:
    for attempt in range(2):
        await self._ask(post, order, self.venue.submit(msgspec.structs.replace(order, id=f"{order.id}/{attempt}")))


async def _sees_nothing(self: Reconciler, post: Any) -> list[str]:
    return []


async def _skips(self: Hyperliquid, user: Any) -> list[Any]:
    states = []
    for dex in self.dexs:
        with suppress(VenueUnreachable):
            states.append(await self.asker.ask(info.clearinghouse_state(user, dex)))
    return states


async def _with_the_open_one(self: Hyperliquid, symbol: str, interval_ns: int, bars: int) -> list[Any]:
    now_ms = self.clock.now_ns() // 1_000_000
    candles = await self.asker.ask(info.candle_snapshot(symbol, "1m", now_ms - bars * 60_000, now_ms))
    return [candle.bar for candle in candles][-bars:]


def _forgets_before(before: Position, fill: Fill, instrument: Any, dust: float) -> tuple[Position, int]:
    return apply_fill(Position(), fill, instrument, dust)


def _books_nothing(before: Position, *how: Any) -> tuple[Position, int]:
    return before, 0


_rows = AccountFeed.rows


async def _each_dex(self: AccountFeed, since_ns: int) -> tuple[UserFill, ...]:
    return await _rows(self, since_ns) * 2


_hear_fills = AccountFeed.hear_fills


def _one_at_most(self: AccountFeed, rows: Any) -> None:
    _hear_fills(self, rows if len(rows) == 1 else ())


_intend = Signal._intend


def _believes(self: Signal, state: Any, order: Any, *how: Any) -> Any:
    state.lots = order[2]
    return _intend(self, state, order, *how)


def _books_first(self: Mailbox) -> list[Any]:
    for lane in (*self.latests, *self.queues):
        if len(lane):
            return lane.take() if lane in self.latests else lane.take(1)
    return []


_abort = Socket.abort


def _never_for_silence(self: Socket, why: Why, text: str) -> None:
    if why is not Why.MUTE:
        _abort(self, why, text)


async def _waits_for_ever(self: Runner) -> None:
    await self.post.clock.loop.create_future()


BUGS: tuple[tuple[str, Callable[[pytest.MonkeyPatch], None]], ...] = (
    ("d7-lots-in-floats", _attribute(Grid, "lots", lambda self, size: floor(float(size) * 10**self.size_decimals))),
    ("d8-four-decimals", _attribute(Grid, "at_or_above", lambda self, ticks: ticks // 100 * 100)),
    ("d17-ids-by-the-second", _attribute(graph, "identity", lambda *of: "z_BTC_1")),
    ("l11-ok-with-an-error", _attribute(answers, "_verdict", lambda status, body: answers.Done())),
    ("hb-6730", _attribute(answers, "_verdict", lambda status, body: answers.Done())),
    ("hb-7737", _attribute(Nonces, "take", lambda self, now_ns: now_ns // 1_000_000)),
    ("hb-7737-echo", _attribute(answers, "KNOWN", (answers.Known("nonce", answers.Meaning.REFUSED, ""),))),
    ("d10-timeout-as-refusal", _timeout_rejects),
    ("l20-page-cut", _attribute(FillPages, "_beside", lambda self, window, times: [])),
    ("nt-3046", _attribute(AccountFeed, "_first", lambda self, name: True)),
    ("l16-one-clearinghouse", _attribute(meta, "dex_of", lambda name: "")),
    ("l17-upper-case", _attribute(meta, "_flaw", lambda asset, held: "its name is not in capitals")),
    ("l23-unfunded-dex", _attribute(meta, "_flaw", lambda asset, held: "")),
    ("l12-dust", _attribute(rules, "is_flat", lambda lots, dust: lots == 0)),
    ("l22-nan-mid", _attribute(rules, "_at_mark", lambda state, name, lots: 0)),
    ("l22-nan-mid", _rule("net_cap")),
    ("d13-shorts-uncapped", _attribute(rules, "notional_minor", lambda instrument, ticks, lots: 0)),
    ("d13-blind-breaker", _rule("daily_loss")),
    ("l2-empty-memory", _rule("reconciled")),
    ("l15-no-floor", _attribute(Signal, "_look", lambda self, touch: ())),
    ("d3-pending-for-ever", _attribute(SymbolState, "awaits", lambda self, now_ns: self.awaited)),
    ("l18-exit-by-tag", _attribute(SymbolState, "in_the_way", lambda self, now_ns, forced: [])),
    ("l18-post-only-exit", _attribute(MakerWatchdog, "_refused_exit", lambda self, chain, changed: False)),
    ("d2-repriced-whole", _moves_whole),
    ("d2-moved-on-the-wire", _attribute(Orders, "add", _orders_whole)),
    ("d14-orders-stay", _attribute(MakerWatchdog, "_shut", lambda self: "")),
    ("d13-day-never-turns", _attribute(circuit_breaker, "_roll", lambda breaker, limits, at_ns: breaker)),
    ("hb-8457", _attribute(Reconciler, "_settle", None)),
    ("d11-no-look-but-the-first", _attribute(Reconciler, "_act", None)),
    ("nt-4991-stream", _attribute(AccountFeed, "mend", account.AccountFeed._collect)),
    ("d10-arrives-late", _attribute(skew, "MARGIN_NS", -3_600_000_000_000)),
    ("d10-found-by-name", _attribute(adapter, "cloid", str)),
    ("pb-567", _attribute(RequestBudget, "earliest_ns", lambda self, need, now_ns: now_ns)),
    ("ft-10960", _attribute(AddressBudget, "earliest_ns", lambda self, urgency, requests, now_ns, cancel: now_ns)),
    ("hb-8250", _attribute(Line, "keep", _hears_once)),
    ("hb-7593", _attribute(Line, "_doubt", lambda self, cover, reason: None)),
    ("l9-price-to-zero", _attribute(Grid, "price_text", lambda self, ticks: f"{float(self.tick * ticks):.2f}")),
    ("l9-size-over-cap", _attribute(sizing, "to_minor", lambda usd: round(usd * 1_050_000))),
    ("d8-side-blind-rounding", _attribute(pricing, "_floor", pricing._ceil)),
    ("d10-nameless-taker", _attribute(actions, "cloid", lambda order_id: "")),
    ("l11-leverage-unread", _attribute(answers, "_whole", lambda reason, asked: (answers.Done(),) * asked)),
    ("l19-leverage-fatal", _attribute(answers, "meaning_of", lambda reason: None)),
    ("l19-leverage-with-a-position", _attribute(trading.Desk, "set_leverage", _dies)),
    ("l19-leverage-over-the-venue", lambda patch: patch.setattr(meta, "min", max, raising=False)),
    ("l24-empty-by-mistake", _attribute(info, "read", lambda reader, said, what: ())),
    ("hb-7294", _attribute(Executor, "_send", _sends_again)),
    ("nt-4991", _attribute(Reconciler, "_look", _sees_nothing)),
    ("nt-3878", _attribute(Reconciler, "_act", None)),
    ("nt-4736", _attribute(books, "apply_fill", _books_nothing)),
    ("nt-3104", _attribute(Reconciler, "_act", None)),
    ("reconcile-late-fill", _attribute(Foreign, "undoing", lambda self, fill: None)),
    ("nt-5000", _attribute(LedgerMind, "recovered", lambda self, at_ns: [])),
    ("d14-failed-is-flat", _attribute(Reconciler, "_look", _sees_nothing)),
    ("d14-dex-left-out", _attribute(Hyperliquid, "_states", _skips)),
    ("d14-part-of-the-equity", _attribute(Purse, "equity_minor", lambda self: self.balance.cash_minor)),
    ("d14-halt-undone", _attribute(LedgerMind, "_trading", lambda self, state: ([], []))),
    ("d13-loss-renewed", _attribute(LedgerMind, "_breaker", lambda self, changed: ([], []))),
    ("l14-chunk-overwrites", _attribute(books, "apply_fill", _forgets_before)),
    ("l14-chunked-exit", _attribute(books, "apply_fill", _forgets_before)),
    ("d1-part-filled-then-given-up", _attribute(books, "apply_fill", _books_nothing)),
    ("d6-left-in-part", _attribute(books, "apply_fill", _forgets_before)),
    ("l20-unequal-pairs", _attribute(books, "apply_fill", _forgets_before)),
    ("l20-percent-as-dollars", _attribute(orders, "MINOR_PER_USD", 0)),
    ("l20-dex-ignored", _attribute(AccountFeed, "rows", _each_dex)),
    ("d11-fills-while-away", _attribute(AccountFeed, "hear_fills", _one_at_most)),
    ("l12-stale-memory", _attribute(Reconciler, "_act", None)),
    ("l16-sixth-of-the-capital", _attribute(meta, "dex_of", lambda name: "")),
    ("l16-decorative-caps", _without("symbol_cap", "order_notional", "net_cap")),
    ("nt-4861", _attribute(meta, "dex_of", lambda name: name)),
    ("l22-size-override", _attribute(entry, "lots_for", lambda usd, ticks, one: 8 * lots_for(usd, ticks, one))),
    ("d4-blocked-phantom", _attribute(Signal, "_intend", _believes)),
    ("d4-counted-twice", _attribute(rules, "net_minor", lambda state: 120_000_000)),
    ("l23-refusals-counted", _attribute(gate_state, "OVER", frozenset())),
    ("l27-blocked-every-bar", _attribute(Backoff, "silent", lambda self, now_ns, changes: False)),
    ("l13-five-levels", _attribute(obi_pump, "DEEP", 5)),
    ("d12-old-book", _attribute(signal, "NS_PER_MS", 10**12)),
    ("d12-fill-behind-books", _attribute(Mailbox, "take", _books_first)),
    ("d9-second-burst", _attribute(rate, "NS_PER_MINUTE", 0)),
    ("d5-shadow-never-ends", _attribute(MatchingEngine, "cancel", lambda self, order_id, at_ns: [])),
    ("d5-shadow-taker", _attribute(MatchingEngine, "_fill", lambda self, *how, maker: [])),
    ("l21-flag-unread", _attribute(Runner, "stop", _waits_for_ever)),
    ("d16-two-bases", _attribute(GivenBars, "_turn", Bars._turn)),
    ("d16-open-candle", _attribute(Hyperliquid, "history", _with_the_open_one)),
    ("l26-short-calendar", _attribute(Calendar, "covers", lambda self, at_ns, horizon_ns: True)),
    ("hl-sdk-191", _attribute(Line, "keep", _hears_once)),
    ("hl-sdk-145", _attribute(Socket, "abort", _never_for_silence)),
)

WITHOUT = {
    "l23-agent-moves-money": "what it shows is whose key the venue takes; ours offers no other way",
    "l25-first-boot": "what it shows is that runs are told apart, which a list is too simple to do wrong",
}
"""Exhibits that no bug is put in for, and why."""


def test_every_exhibit_has_its_bug() -> None:
    names = {exhibit.name for room in WINGS["hyperliquid"] for exhibit in room.EXHIBITS}
    assert {name for name, _ in BUGS} | WITHOUT.keys() == names
    assert not {name for name, _ in BUGS} & WITHOUT.keys()


@pytest.mark.parametrize(("name", "put_in"), BUGS, ids=[f"{place}-{name}" for place, (name, _) in enumerate(BUGS)])
def test_the_bug_put_into_our_code_fails_the_exhibit(
    name: str, put_in: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.museum.loopback.PATIENCE_S", 10.0)
    put_in(monkeypatch)
    verdict = visit(EXHIBITS[name])
    assert not verdict.passed, verdict
