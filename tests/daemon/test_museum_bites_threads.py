"""Our code with the bug of the thread put in: the exhibit must fail, or it does not look at our code."""

from collections.abc import Callable
from typing import Any

import pytest

from actors import circuit_breaker, ledger, reconciler
from actors.circuit_breaker import CircuitBreaker
from actors.feed import FeedMind
from actors.ledger import LedgerMind
from actors.reconciler import Reconciler, ReconcilerMind
from actors.signal import Signal
from actors.symbol_state import SymbolState
from daemon.museum.exhibit import visit
from daemon.museum.hall import EXHIBITS, WINGS
from risk import gate
from risk.rules import Finding
from supervisor.mailbox import LatestLane
from supervisor.supervisor import House, Supervisor


def _attribute(owner: Any, name: str, instead: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(owner, name, instead)


def _rule(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A gate without a rule."""

    def put_in(patch: pytest.MonkeyPatch) -> None:
        passes = Finding(True, "", "")
        kept = tuple(rule._replace(ask=lambda case: passes) if rule.name == name else rule for rule in gate.RULES)
        patch.setattr(gate, "RULES", kept)

    return put_in


def _without(*names: str) -> Callable[[pytest.MonkeyPatch], None]:
    def put_in(patch: pytest.MonkeyPatch) -> None:
        for name in names:
            _rule(name)(patch)

    return put_in


def _never_flat(self: SymbolState, changed: Any) -> None:
    if changed.lots:
        USUAL_POSITION(self, changed)


USUAL_POSITION = SymbolState.position


def _healthy(self: House, actor: Any) -> Any:
    told = USUAL_HEALTH(self, actor)
    told.healthy = told.alive
    return told


USUAL_HEALTH, USUAL_TIGHTEN, USUAL_SIFT = House._health, CircuitBreaker._tighten, FeedMind.sift


def _says_always(self: CircuitBreaker, wanted: Any) -> Any:
    self.states.pop(wanted.engine, None)
    return USUAL_TIGHTEN(self, wanted)


def _trips_always(breaker: Any, limits: Any, equity: Any, at_ns: int) -> Any:
    after, trip = USUAL_OBSERVE(breaker, limits, equity, at_ns)
    return after, trip or after.tripped


USUAL_OBSERVE = circuit_breaker.observe


def _says_each_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(circuit_breaker, "observe", _trips_always)
    patch.setattr(CircuitBreaker, "_tighten", _says_always)


def _all_good(self: FeedMind, events: Any) -> Any:
    return list(events), [], []


def _queues(self: LatestLane, message: Any) -> None:
    self.pending[len(self.pending)] = message


def _swallows(self: Supervisor, spec: Any, error: Any) -> None:
    """Say nothing."""


BUGS: tuple[tuple[str, Callable[[pytest.MonkeyPatch], None]], ...] = (
    ("nt-4736-made-up-fill", _attribute(LedgerMind, "_fold_entry", lambda self, entry: None)),
    (
        "nt-3104-old-position",
        _attribute(ReconcilerMind, "_drifts", lambda self, held: [reconciler.Drifted("BTC", 0, 10, 1)]),
    ),
    ("nt-3176", _attribute(SymbolState, "order", lambda self, changed: None)),
    ("octobot-3190", _attribute(Signal, "_look", lambda self, touch: ())),
    ("octobot-1333", _attribute(Reconciler, "_settle", _swallows)),
    ("ft-3647", _attribute(ledger, "Fill", int)),
    ("ft-7606", _attribute(SymbolState, "position", _never_flat)),
    ("ft-12984", _attribute(SymbolState, "order", lambda self, changed: None)),
    ("pb-980", _without("symbol_cap", "flip_guard")),
    ("nt-5039", _attribute(Supervisor, "_say_crashed", _swallows)),
    ("ft-11957", _attribute(House, "_health", _healthy)),
    ("vnpy-3411", _rule("fresh")),
    ("hftbacktest-210", _attribute(FeedMind, "sift", _all_good)),
    ("hb-2534", _rule("state")),
    ("hb-2497", _rule("state")),
    ("hb-dashboard-206", _says_each_time),
    ("hb-7462", _attribute(ledger, "OVER_KEPT_MAX", 1_000_000)),
    ("nt-2224", _attribute(LatestLane, "put", _queues)),
)


def test_every_exhibit_has_its_bug() -> None:
    names = [exhibit.name for room in WINGS["threads"] for exhibit in room.EXHIBITS]
    assert [name for name, _ in BUGS] == names


@pytest.mark.parametrize(("name", "put_in"), BUGS, ids=[name for name, _ in BUGS])
def test_the_bug_put_into_our_code_fails_the_exhibit(
    name: str, put_in: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch)
    verdict = visit(EXHIBITS[name])
    assert not verdict.passed, verdict
