"""A ledger that looks at itself: with our code nothing is wrong; with a bug put in, the invariant that it breaks is."""

from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace

from actors import ledger
from actors.ledger import OVER_KEPT_MAX
from actors.ledger_checks import CheckedLedger, CheckedMind
from actors.messages import InvariantBroken, OrderPlanned, RunStarted, Stated
from risk import order as orders
from risk.invariants import Checks, Invariant
from risk.ledger import books
from risk.ledger.postings import Deposit
from risk.order import OrderState
from supervisor.child import ChildSpec
from supervisor.journal import Journal
from supervisor.messages import Tick
from tests.fakes import notebook, play, tree
from tests.risk.given import BTC, SOL, fill, request
from venues.market import Accepted, Cancelled, FundingPaid

RUN = RunStarted(
    number=1, run_id="r1", mode="synthetic", seed=1, version="0", engines=("perps",), instruments=(BTC, SOL), at_ns=1
)
LOOK_NS = 30 * 1_000_000_000
OF_A_BOOKING = {Invariant.ACCOUNT_BALANCE, Invariant.POSITION_BOOKED, Invariant.POSITION_IS_FILLS}
OF_ORDERS = {Invariant.ORDER_WITHIN_LOTS, Invariant.ORDER_MOVE}
OF_A_LOOK = {
    *(Invariant.TRIAL_BALANCE, Invariant.RESERVED_FOR_LIVE, Invariant.ORDERS_BOUNDED, Invariant.TIME_FORWARD),
}


class Watched:
    """A mind with its checks, and what it said of broken invariants."""

    def __init__(self):
        self.checks = Checks()
        self.mind = CheckedMind(checks=self.checks)
        self.mind.fold(RUN)
        self.said = []

    def tell(self, *messages):
        for message in messages:
            self.said += [one for one in self.mind.hear(message)[1] if isinstance(one, InvariantBroken)]
        return self

    def broken(self):
        return {one.invariant for one in self.said}


def a_day(watched):
    """An entry that fills in parts, its exit, funding, an order that is taken back, and a look around."""
    entry = OrderPlanned("perps", request(BTC, 10, 1000, id="o1"), True, 2)
    leave = OrderPlanned("perps", request(BTC, -10, 1100, id="o2", reduce_only=True), False, 6)
    other = OrderPlanned("perps", request(SOL, 5, 1000, id="o3", intent_id="i3"), True, 8)
    return watched.tell(
        Deposit("perps", "opening", 10_000_000_000, 1),
        entry,
        Accepted("perps", "o1", "BTC", 3),
        fill(BTC, 4, 1000, id="f1", fee_minor=7, at_ns=4),
        fill(BTC, 6, 1001, id="f2", fee_minor=7, at_ns=5),
        FundingPaid("perps", "p1", "BTC", -3, Decimal("0.0001"), 5),
        leave,
        fill(BTC, -10, 1100, id="f3", order_id="o2", fee_minor=7, at_ns=7),
        fill(BTC, -10, 1100, id="f3", order_id="o2", fee_minor=7, at_ns=7),
        other,
        Accepted("perps", "o3", "SOL", 9),
        Cancelled("perps", "o3", "SOL", 0, "asked", 10),
        Tick(LOOK_NS),
    )


def test_nothing_is_wrong_and_everything_is_looked_at() -> None:
    watched = a_day(Watched())
    assert watched.said == []
    assert watched.checks.broken == {}
    assert set(watched.checks.checked) == OF_A_BOOKING | OF_ORDERS | OF_A_LOOK
    assert watched.checks.checked[Invariant.POSITION_IS_FILLS] == 3  # a repeated fill is none


def test_what_is_held_is_stated() -> None:
    watched = Watched().tell(fill(BTC, 4, 1000, order_id=""), fill(SOL, -2, 1000, order_id=""))
    _, said = watched.mind.hear(Tick(LOOK_NS))
    assert said == [Stated("perps", {"BTC": 4, "SOL": -2}, LOOK_NS)]


def _doubles(before, happened, *how):
    after, realised = USUAL_FILL(before, happened, *how)
    return replace(after, lots=after.lots * 2), realised


USUAL_FILL, USUAL_APPLY, USUAL_ORDER = books.apply_fill, books.Books._apply, ledger.apply


def _forgets(kind):
    def apply(self, transfer):
        if not transfer.debit.startswith(kind):
            USUAL_APPLY(self, transfer)

    return apply


def _goes_back(order, news, at_ns):
    after = USUAL_ORDER(order, news, at_ns)
    return replace(after, state=OrderState.SENT) if order.state is OrderState.RESTING else after


def _counts_on(order, lots):
    return replace(order, lots_filled=order.lots_filled + 2 * lots)


BUGS = (
    (Invariant.POSITION_IS_FILLS, books, "apply_fill", _doubles),
    (Invariant.POSITION_BOOKED, books.Books, "_apply", _forgets("position:")),
    (Invariant.ACCOUNT_BALANCE, books.Books, "_apply", _forgets("fees:")),
    (Invariant.TRIAL_BALANCE, books.Books, "_apply", _forgets("fees:")),
    (Invariant.ORDER_MOVE, ledger, "apply", _goes_back),
    (Invariant.ORDER_WITHIN_LOTS, orders, "_counted", _counts_on),
    (Invariant.RESERVED_FOR_LIVE, books.Books, "_release", lambda self, release: None),
)


@pytest.mark.parametrize(("invariant", "owner", "name", "bug"), BUGS, ids=[bug[0] for bug in BUGS])
def test_a_bug_is_found(monkeypatch, invariant, owner, name, bug) -> None:
    monkeypatch.setattr(owner, name, bug)
    watched = a_day(Watched())
    assert invariant in watched.broken()
    assert watched.checks.first[invariant]


def test_orders_that_are_never_forgotten_are_found() -> None:
    watched = a_day(Watched())
    watched.mind.over.clear()
    assert watched.tell(Tick(2 * LOOK_NS)).broken() == {Invariant.ORDERS_BOUNDED}
    many = Watched()
    many.mind.over = dict.fromkeys(map(str, range(OVER_KEPT_MAX + 1)))
    assert many.tell(Tick(LOOK_NS)).broken() == {Invariant.ORDERS_BOUNDED}


def test_a_clock_that_goes_back_is_found() -> None:
    assert Watched().tell(Tick(LOOK_NS), Tick(LOOK_NS - 1)).broken() == {Invariant.TIME_FORWARD}


def test_the_same_break_is_said_once_in_half_a_minute() -> None:
    watched = a_day(Watched())
    watched.mind.over.clear()
    watched.tell(Tick(2 * LOOK_NS), Tick(2 * LOOK_NS + 1))
    assert len(watched.said) == 1
    assert len(watched.tell(Tick(3 * LOOK_NS)).said) == 2  # an operator who resumes is told again
    assert watched.checks.broken[Invariant.ORDERS_BOUNDED] == 3


def test_a_row_that_is_missing_from_the_journal_is_found(tmp_path, monkeypatch) -> None:
    usual = Journal.append
    monkeypatch.setattr(Journal, "append", lambda self, entries: usual(self, list(entries)[1:]))
    pages = []
    checks = Checks()

    def new_ledger():
        deposits = (Deposit("perps", "opening", 10, 1),)
        return CheckedLedger(tmp_path / "journal.sqlite", partial(CheckedMind, None, checks), deposits, checks)

    async def script(house, _):
        await house.clock.sleep(1.0)

    spec = ChildSpec(name="ledger", start=new_ledger, hears=CheckedLedger.hears, says=CheckedLedger.says)
    others = tuple(one.message for one in CheckedLedger.hears)
    play(tree(spec, notebook("ears", pages, *CheckedLedger.says)), script, others)
    assert [page.invariant for page in pages if isinstance(page, InvariantBroken)] == [Invariant.SEQUENCE]
