"""Our code with the bug of the story put in: the exhibit must fail, or it does not look at our code."""

from collections.abc import Callable
from math import floor
from typing import Any

import pytest

from actors.maker_watchdog import MakerWatchdog
from actors.reconciler import Reconciler
from actors.signal import Signal
from actors.symbol_state import SymbolState
from daemon import graph
from daemon.museum.exhibit import visit
from daemon.museum.hall import EXHIBITS
from risk import circuit_breaker, gate, rules
from risk.intent import Reprice
from risk.rules import Finding
from venues.hyperliquid import account, adapter, answers, meta, trading
from venues.hyperliquid.account import AccountFeed
from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.budget import AddressBudget, RequestBudget
from venues.hyperliquid.grid import Grid
from venues.hyperliquid.line import Line
from venues.hyperliquid.nonce import Nonces
from venues.hyperliquid.orders import Orders, Tracked
from venues.hyperliquid.paging import FillPages
from venues.market import Rejected

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
    ("nt-3046", _attribute(UserFill, "id", property(id))),
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
    ("d10-arrives-late", _attribute(trading, "SKEW_NS", -3_600_000_000_000)),
    ("d10-found-by-name", _attribute(adapter, "cloid", str)),
    ("pb-567", _attribute(RequestBudget, "earliest_ns", lambda self, need, now_ns: now_ns)),
    ("ft-10960", _attribute(AddressBudget, "earliest_ns", lambda self, urgency, requests, now_ns, cancel: now_ns)),
    ("hb-8250", _attribute(Line, "keep", _hears_once)),
    ("hb-7593", _attribute(Line, "_doubt", lambda self, cover, reason: None)),
)


@pytest.mark.parametrize(("name", "put_in"), BUGS, ids=[f"{place}-{name}" for place, (name, _) in enumerate(BUGS)])
def test_the_bug_put_into_our_code_fails_the_exhibit(
    name: str, put_in: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.museum.loopback.PATIENCE_S", 10.0)
    put_in(monkeypatch)
    verdict = visit(EXHIBITS[name])
    assert not verdict.passed, verdict
