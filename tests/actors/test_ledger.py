"""The ledger: what is journaled of every message, what is said of it, and that a restart believes the same."""

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import ledger
from actors.ledger import OVER_KEPT_MAX, Ledger, LedgerMind, read, recover, written
from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    BreakerChanged,
    CancelSent,
    CapitalChanged,
    Drift,
    EntryTaken,
    Journaled,
    OrderChanged,
    OrderFaulted,
    OrderPlanned,
    PositionChanged,
    Restated,
    RunStarted,
    TradingState,
    Unanswered,
)
from risk.circuit_breaker import Breaker
from risk.intent import Trading
from risk.ledger.books import Books
from risk.ledger.postings import Deposit, Entry
from risk.order import OrderState
from supervisor.child import ChildSpec
from supervisor.journal import Journal, JournalDamaged, JournalUnwritable
from supervisor.mailbox import Hears
from supervisor.messages import ChildCrashed, ChildStarted, DeadLetter
from tests.fakes import Scripted, notebook, play, rest, say, tree
from tests.risk.given import BTC, SOL, fill, request
from venues.market import Accepted, Cancelled, CancelRefused, FundingPaid, MoneyMoved, Rejected, Side

RUN = RunStarted(
    number=1,
    run_id="r1",
    mode="synthetic",
    seed=1,
    version="0",
    engines=("perps",),
    instruments=(BTC, SOL),
    at_ns=1,
)
USD = 1_000_000


class Told:
    """A mind, what it had journaled and what it said."""

    def __init__(self):
        self.mind = LedgerMind()
        self.mind.fold(RUN)
        self.journal = [RUN]
        self.news = []

    def tell(self, *messages):
        """What is said of these messages."""
        said = []
        for message in messages:
            records, news = self.mind.hear(message)
            self.journal += records
            said += news
        self.news += said
        return said

    def restarted(self):
        """A mind that knows nothing but the journal."""
        return recover(map(written, self.journal), LedgerMind())

    def state(self, order_id):
        return self.mind.orders[order_id].state


def planned(order_id="o1", lots=10, *, entry=True, **more):
    order = request(BTC, lots, 1000, id=order_id, **more)
    return OrderPlanned("perps", order, entry, 2)


def filled(lots, fill_id="f1", order_id="o1", **more):
    return fill(BTC, lots, 1000, id=fill_id, order_id=order_id, at_ns=5, **more)


def accepted(order_id="o1"):
    return Accepted("perps", order_id, "BTC", 3)


def cancelled(order_id="o1", lots=0, reason="asked"):
    return Cancelled("perps", order_id, "BTC", lots, reason, 6)


def refused(order_id="o1"):
    return CancelRefused("perps", order_id, "BTC", "already over", 6)


def kinds(messages):
    return [type(message) for message in messages]


# --- one message


def test_a_planned_order_is_journaled_with_its_margin_and_then_released_to_be_sent():
    told = Told()
    said = told.tell(planned())
    assert kinds(told.journal) == [RunStarted, OrderPlanned, Entry]
    assert said[0] == Journaled("perps", "o1")
    assert said[1].state is OrderState.SENT
    assert told.mind.books.reservations["o1"].lots == 10


def test_an_exit_sets_no_margin_aside():
    told = Told()
    told.tell(planned(entry=False, reduce_only=True))
    assert told.mind.books.reservations == {}


def test_of_a_fill_the_position_is_said_first_then_the_money_then_the_order():
    told = Told()
    said = told.tell(planned(), accepted(), filled(10, fee_minor=7))[-3:]
    assert kinds(said) == [PositionChanged, BalanceChanged, OrderChanged]
    assert (said[0].lots, said[1].fees_minor, said[2].state) == (10, 7, OrderState.FILLED)


def test_a_fill_its_postings_and_the_end_of_its_margin_are_one_batch():
    told = Told()
    told.tell(planned(), accepted())
    records, _ = told.mind.hear(filled(10))
    assert [type(r).__name__ for r in records] == ["Fill", "Entry"]
    assert told.mind.books.reservations == {}


def test_a_repeated_fill_is_nothing():
    told = Told()
    told.tell(planned(), filled(4))
    assert told.mind.hear(filled(4)) == ([], [])
    assert told.mind.books.position("perps", "BTC").lots == 4


def test_a_fill_of_nobodys_order_is_booked_all_the_same():
    told = Told()
    said = told.tell(filled(-3, order_id="by hand"))
    assert kinds(said) == [PositionChanged, BalanceChanged]
    assert kinds(told.journal) == [RunStarted, Entry]
    assert told.restarted().books.position("perps", "BTC").lots == -3


def test_a_fill_of_a_name_that_nobody_listed_is_said_and_not_booked():
    told = Told()
    said = told.tell(replace(filled(1, order_id=""), symbol="XMR"))
    assert kinds(said) == [OrderFaulted]
    assert "XMR" in said[0].error
    assert told.journal == [RUN]


def test_a_word_on_an_unknown_order_is_nothing():
    told = Told()
    for word in (
        accepted(),
        cancelled(),
        refused(),
        Unanswered("perps", "o1", 9, "lost", 8),
        CancelSent("perps", "o1", 4),
    ):
        assert told.mind.hear(word) == ([], [])


def test_a_fill_that_cannot_be_of_its_order_is_booked_and_said_to_be_a_fault():
    told = Told()
    said = told.tell(planned(), accepted(), filled(10), filled(1, "f2"))[-3:]
    assert kinds(said) == [PositionChanged, BalanceChanged, OrderFaulted]
    assert told.mind.books.position("perps", "BTC").lots == 11
    assert told.state("o1") is OrderState.FILLED
    assert told.restarted().books.position("perps", "BTC").lots == 11


def test_a_fill_of_more_than_is_left_ends_its_order_and_is_said_once():
    """The order stayed in the way for ever, and each look at the venue said the same fault again."""
    told = Told()
    said = told.tell(planned(), accepted(), filled(14))
    assert kinds(said)[-4:] == [PositionChanged, BalanceChanged, OrderChanged, OrderFaulted]
    assert "4 lots more than the 10 that o1 was to fill" in said[-1].error
    assert told.mind.books.position("perps", "BTC").lots == 14
    assert (told.state("o1"), told.mind.orders["o1"].fill_ids) == (OrderState.FILLED, ("f1",))
    assert told.mind.books.reservations == {}
    assert told.tell(filled(14), cancelled(lots=10)) == []
    assert told.restarted().orders == told.mind.orders


def test_a_second_replacement_of_one_order_takes_no_fills_from_the_first():
    told = Told()
    replaced(told)
    told.tell(planned("o3", replaces="o1"), refused("o3"), accepted("o2"), filled(4))
    assert told.mind.orders["o2"].lots_left == 6


def test_a_count_that_cannot_be_leaves_the_order_as_it_was():
    told = Told()
    said = told.tell(planned(), accepted(), cancelled(lots=11))
    assert kinds(said)[-1] is OrderFaulted
    assert told.state("o1") is OrderState.RESTING
    assert told.restarted().orders["o1"].state is OrderState.RESTING


def test_the_end_of_an_entry_gives_its_margin_back():
    told = Told()
    told.tell(planned(), Rejected("perps", "o1", "BTC", "no", 4))
    assert told.mind.books.reservations == {}
    assert kinds(told.journal)[-2:] == [Rejected, Entry]


def test_a_lost_answer_is_doubt_and_its_fence_only_moves_on():
    told = Told()
    changed = told.tell(planned(expires_ns=50), Unanswered("perps", "o1", 40, "no answer", 8))[-1]
    assert (changed.state, changed.fence_ns) == (OrderState.UNKNOWN, 50)
    told.tell(Unanswered("perps", "o1", 60, "no answer", 9))
    assert told.mind.fences_ns["o1"] == 60


def test_funding_and_deposits_are_money_and_a_repeated_one_is_nothing():
    told = Told()
    paid = FundingPaid("perps", "fund-1", "BTC", 5, None, 4)
    assert [one.funding_minor for one in told.tell(paid)] == [5]
    assert told.mind.hear(paid) == ([], [])
    told.tell(Deposit("perps", "opening", 100 * USD, 4))
    assert told.mind.hear(Deposit("perps", "opening", 100 * USD, 99)) == ([], [])


def test_the_opening_deposit_is_booked_once_however_much_happened_since(monkeypatch):
    """It is told at every start; when its id was forgotten with those of old fills, each start made money."""
    books = Books((BTC,))
    books.fold(books.post(Deposit("perps", "opening", 100 * USD, 1)))
    monkeypatch.setattr(books.seen.setdefault("perps", type("Forgetful", (), {})()), "knows", lambda *_: False, False)
    assert books.post(Deposit("perps", "opening", 100 * USD, 10**18)) is None


def test_an_account_that_opened_with_nothing_did_so_for_good():
    """Its first deposit was asked for as the opening balance of the next start, and was none."""
    told = Told()
    told.tell(Deposit("perps", "opening", 0, 4))
    assert told.mind.opened_ns == {"perps": 4}
    assert told.mind.hear(Deposit("perps", "opening", 100 * USD, 99)) == ([], [])
    assert told.mind.hear(Deposit("perps", "another", 0, 99)) == ([], [])
    told.mind.books.check()


def test_money_that_came_or_went_is_booked_once_and_baselines_hear_of_it_before_the_balance():
    told = Told()
    told.tell(Deposit("perps", "opening", 100 * USD, 4))
    moved = MoneyMoved("perps", "withdraw-7-0x1", -30 * USD, "withdraw", 7)
    said = told.tell(moved)
    assert said[0] == CapitalChanged("perps", -30 * USD, "withdraw", 7)
    assert [one.cash_minor for one in said[1:]] == [70 * USD]
    assert told.mind.hear(moved) == ([], [])
    again = told.restarted()
    assert again.hear(moved) == ([], []), "nor after a restart"
    assert again.hear(Deposit("perps", "opening", 70 * USD, 99)) == ([], []), "nor is what is there now an opening"
    assert (again.books.money("perps").capital_minor, again.opened_ns) == (70 * USD, {"perps": 4})


def test_a_drift_is_booked_as_a_fill_of_nobody():
    told = Told()
    said = told.tell(Drift("perps", "BTC", 7, 0, "adopted as a fill", 5, 990))
    assert kinds(said) == [PositionChanged, BalanceChanged]
    assert (said[0].lots, said[0].entry_ticks) == (7, 990)
    assert told.journal[-1].id == "fill:adopted-BTC-0-7-5", "the same on every run"
    assert told.restarted().books.position("perps", "BTC").lots == 7


@pytest.mark.parametrize(
    ("kind", "there", "fee_minor"), [("spot", 990, 9900), ("spot", 989, 0), ("spot", 1001, 0), ("native", 990, 0)]
)
def test_a_little_less_of_a_coin_is_a_fee_and_no_sale(kind, there, fee_minor):
    """Alpaca takes its fees of coins at the day's end, in coins: the books showed their worth as cash."""
    told = Told()
    coin = replace(BTC, asset_class=kind)
    told.mind.fold(replace(RUN, instruments=(coin, SOL)))
    told.tell(filled(1000))
    before = told.mind.books.money("perps")
    told.tell(Drift("perps", "BTC", there, 1000, "adopted as a fill", 5, 990))
    after = told.mind.books.money("perps")
    assert told.mind.books.position("perps", "BTC").lots == there
    assert after.fees_minor - before.fees_minor == fee_minor
    if fee_minor:
        assert after.cash_minor == before.cash_minor


def test_a_drift_that_a_fill_under_way_has_explained_is_not_booked_on_top():
    told = Told()
    told.tell(filled(7))
    assert told.mind.hear(Drift("perps", "BTC", 7, 0, "adopted as a fill", 5, 990)) == ([], [])


# --- replacing


def replaced(told):
    """o1 rests, o2 is on its way to take its place."""
    told.tell(planned("o1"), accepted("o1"), planned("o2", replaces="o1"), CancelSent("perps", "o1", 4))
    assert told.state("o1") is OrderState.CANCELLING


def test_a_late_fill_of_a_replaced_order_counts_for_the_one_in_its_place():
    told = Told()
    replaced(told)
    said = told.tell(cancelled("o1", 4, "replaced"), accepted("o2"), filled(4))
    assert [(m.order_id, m.lots_filled) for m in said if isinstance(m, OrderChanged)][-2:] == [("o1", 4), ("o2", 4)]
    assert told.mind.orders["o2"].lots_left == 6


def test_a_late_fill_counts_for_the_whole_rest_of_the_chain():
    told = Told()
    replaced(told)
    told.tell(cancelled("o1", 4, "replaced"), accepted("o2"))
    told.tell(
        planned("o3", replaces="o2"), CancelSent("perps", "o2", 4), cancelled("o2", 4, "replaced"), accepted("o3")
    )
    told.tell(filled(4))
    assert told.mind.orders["o3"].lots_left == 6
    assert told.restarted().orders["o3"].lots_left == 6


def test_a_late_fill_that_completes_the_chain_fills_the_order_in_its_place():
    told = Told()
    replaced(told)
    told.tell(cancelled("o1", 10, "replaced"), accepted("o2"), filled(10))
    assert told.state("o2") is OrderState.FILLED
    assert told.mind.books.reservations == {}


def test_a_replace_of_an_order_that_was_over_never_was():
    """CancelRefused names the new order; what became of the old one comes by the account stream."""
    told = Told()
    replaced(told)
    told.tell(refused("o2"))
    assert told.state("o2") is OrderState.REJECTED
    told.tell(filled(10))
    assert told.state("o1") is OrderState.FILLED


def test_an_order_whose_replacement_was_refused_is_in_doubt_and_not_cancelling_for_ever():
    told = Told()
    replaced(told)
    told.tell(Rejected("perps", "o2", "BTC", "too small", 5), refused("o1"))
    assert (told.state("o2"), told.state("o1")) == (OrderState.REJECTED, OrderState.UNKNOWN)
    told.tell(accepted("o1"))  # the reconciler asked
    assert told.state("o1") is OrderState.RESTING


def test_nobody_is_told_again_of_a_refused_replacement_when_the_old_order_fills():
    """The watchdog would take it for another refused exit and cross the spread twice."""
    told = Told()
    replaced(told)
    told.tell(Rejected("perps", "o2", "BTC", "too small", 5), refused("o1"))
    said = told.tell(filled(10))
    assert [m.order_id for m in said if isinstance(m, OrderChanged)] == ["o1"]


def test_a_fill_that_two_orders_of_a_chain_had_is_a_fault_of_the_later_one_only():
    told = Told()
    replaced(told)
    told.tell(cancelled("o1", 0, "replaced"), accepted("o2"), filled(10, "f2", "o2"))
    said = told.tell(filled(10, "f1", "o1"))
    assert [m.order_id for m in said if isinstance(m, OrderChanged)] == ["o1"]
    assert kinds(said)[-1] is OrderFaulted
    assert told.mind.books.position("perps", "BTC").lots == 20
    again = told.restarted()
    assert again.orders == told.mind.orders
    assert again.books.position("perps", "BTC").lots == 20


# --- latches and restating


def test_a_trading_state_is_journaled_once_and_that_of_a_stop_never():
    told = Told()
    halt = TradingState("perps", Trading.HALTED, "drawdown", "circuit_breaker", 5)
    told.tell(halt, halt, TradingState("", Trading.HALTED, "obid is stopping", SHUTDOWN, 6))
    assert told.journal[1:] == [halt]
    assert told.restarted().trading == {"perps": halt}


def test_a_breaker_is_journaled_when_it_changed():
    told = Told()
    changed = BreakerChanged("perps", Breaker(high_water_minor=1), 5)
    told.tell(changed, changed)
    assert told.journal[1:] == [changed]
    assert told.restarted().breakers == {"perps": changed}


def test_a_child_that_starts_hears_positions_money_orders_and_latches_and_then_that_it_was_all():
    told = Told()
    told.tell(planned(), accepted(), filled(4), TradingState("", Trading.REDUCING, "x", "operator", 5))
    said = told.tell(ChildStarted("gate", "perps", 1, 9))
    assert kinds(said) == [PositionChanged, BalanceChanged, OrderChanged, EntryTaken, TradingState, Restated]
    assert (said[0].lots, said[2].lots_filled, said[-1]) == (4, 4, Restated("perps", "gate"))


def test_a_child_of_another_engine_hears_the_latches_alone():
    told = Told()
    told.tell(filled(4))
    assert kinds(told.tell(ChildStarted("gate", "crypto", 0, 9))) == [Restated]


def test_engines_of_earlier_runs_are_not_restated():
    """Nobody in the house knows them: the breaker died of a balance of an engine that no longer ran."""
    told = Told()
    told.tell(filled(4))
    told.mind.fold(replace(RUN, number=2, engines=("crypto",), instruments=()))
    said = told.tell(ChildStarted("circuit_breaker", "", 0, 9))
    assert [(type(m), m.engine) for m in said] == [(BalanceChanged, "crypto"), (Restated, "")]


# --- entries that a venue has taken in


def entries(told):
    return [message for message in told.news if isinstance(message, EntryTaken)]


def test_an_entry_counts_when_the_venue_takes_it_in_and_not_when_it_is_tried():
    told = Told()
    told.tell(planned())
    assert entries(told) == []
    told.tell(accepted())
    assert entries(told) == [EntryTaken("perps", told.mind.orders["o1"].request.intent_id, "BTC", 3)]
    told.tell(filled(4), filled(6, "f2"), cancelled(lots=10))
    assert len(entries(told)) == 1


def test_a_refused_entry_an_unanswered_one_and_an_exit_do_not_count():
    told = Told()
    told.tell(planned("o1"), Rejected("perps", "o1", "BTC", "Insufficient margin", 3))
    told.tell(planned("o2"), Unanswered("perps", "o2", 0, "timeout", 3))
    told.tell(planned("o3", entry=False), accepted("o3"))
    assert entries(told) == []
    told.tell(accepted("o2"))  # proof that it arrived
    assert len(entries(told)) == 1


def test_a_fill_that_overtakes_the_answer_counts_too():
    told = Told()
    told.tell(planned(), filled(10))
    assert len(entries(told)) == 1


def test_an_entry_whose_orders_move_counts_once():
    told = Told()
    intent_id = "i-moves"
    told.tell(planned("o1", intent_id=intent_id), accepted("o1"))
    told.tell(planned("o2", intent_id=intent_id, replaces="o1"), cancelled("o1", reason="replaced"), accepted("o2"))
    assert [entry.intent_id for entry in entries(told)] == [intent_id]


def test_after_a_restart_the_days_entries_are_told_again_and_those_of_the_day_before_are_not():
    told = Told()
    day_ns = 86_400_000_000_000
    told.tell(planned("o1", intent_id="i1"), accepted("o1"))
    told.tell(planned("o2", intent_id="i2"), Accepted("perps", "o2", "BTC", day_ns + 1))
    told.tell(planned("o3", intent_id="i3"), Accepted("perps", "o3", "BTC", day_ns + 2))
    _, said = told.restarted().hear(ChildStarted("gate", "perps", 0, day_ns + 9))
    assert [m.intent_id for m in said if isinstance(m, EntryTaken)] == ["i2", "i3"]


# --- memory


def test_orders_that_are_over_are_forgotten_oldest_first_and_one_brought_back_to_doubt_is_not():
    told = Told()
    rejected = [Rejected("perps", f"o{n}", "BTC", "no", 4) for n in range(OVER_KEPT_MAX + 3)]
    for n, word in enumerate(rejected):
        told.tell(planned(f"o{n}"), word)
        if n == 1:
            told.tell(accepted("o1"))  # the rejection was not the truth
        if n == 2:
            told.tell(accepted("o2"), rejected[2])  # nor was this one, and then it was: over twice
    assert "o0" not in told.mind.orders
    assert told.state("o1") is OrderState.UNKNOWN
    assert len(told.mind.orders) == OVER_KEPT_MAX + 1
    assert len(told.mind.over) == OVER_KEPT_MAX


# --- recovery


def test_what_was_under_way_at_the_end_is_in_doubt_after_a_restart_behind_its_fence():
    told = Told()
    told.tell(planned("o1", expires_ns=77), planned("o2"), accepted("o2"), planned("o3"), CancelSent("perps", "o3", 4))
    first = told.restarted().recovered(99)
    assert [(one.order_id, one.fence_ns) for one in first] == [("o1", 77), ("o3", 0)]


def test_a_refused_cancel_of_an_order_without_an_answer_is_doubt_after_a_restart_too():
    """Without the cancel in the journal it would read as a replace that never was."""
    told = Told()
    told.tell(planned(), CancelSent("perps", "o1", 4), refused())
    assert told.state("o1") is OrderState.UNKNOWN
    assert told.restarted().orders["o1"].state is OrderState.UNKNOWN


def test_an_entry_of_a_kind_or_a_shape_that_nobody_knows_is_damage():
    with pytest.raises(JournalDamaged, match="'Dividend'"):
        read(replace(written(RUN), kind="Dividend"))
    with pytest.raises(JournalDamaged, match="RunStarted cannot be read"):
        read(replace(written(RUN), body=b"\x01"))


ORDERS = st.sampled_from(["o1", "o2", "o3", "o4"])
SIDES = st.sampled_from([1, -1])
WORDS = st.one_of(
    st.builds(lambda o, n, s, e: planned(o, n * s, entry=e), ORDERS, st.integers(1, 6), SIDES, st.booleans()),
    st.builds(lambda o, old, n: planned(o, n, replaces=old), ORDERS, ORDERS, st.integers(1, 6)),
    st.builds(lambda o, f, n, s: filled(n * s, f"f{f}", o), ORDERS, st.integers(0, 9), st.integers(1, 6), SIDES),
    st.builds(accepted, ORDERS),
    st.builds(cancelled, ORDERS, st.integers(0, 6)),
    st.builds(refused, ORDERS),
    st.builds(lambda o: Rejected("perps", o, "BTC", "no", 4), ORDERS),
    st.builds(lambda o: CancelSent("perps", o, 4), ORDERS),
    st.builds(lambda o, f: Unanswered("perps", o, f, "lost", 7), ORDERS, st.integers(0, 99)),
    st.builds(lambda n: FundingPaid("perps", f"p{n}", "BTC", n - 3, None, 4), st.integers(0, 6)),
    st.builds(lambda s: TradingState("", s, "x", "operator", 3), st.sampled_from(list(Trading))),
)


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=150, deadline=None)
def test_a_restart_believes_what_the_ledger_believed(words):
    told = Told()
    for word in words:
        if isinstance(word, OrderPlanned) and (
            word.order.id in told.mind.orders or word.order.replaces == word.order.id
        ):
            continue  # ids are unique for ever
        told.tell(word)
        told.mind.books.check()
    again = told.restarted()
    assert again.books.balances == told.mind.books.balances
    assert again.books.positions == told.mind.books.positions
    assert again.books.reservations == told.mind.books.reservations
    assert (again.trading, again.fences_ns, again.successors) == (
        told.mind.trading,
        told.mind.fences_ns,
        told.mind.successors,
    )
    assert believed(again) == believed(told.mind)


def believed(mind):
    """Orders as far as a journal knows them: one that was being cancelled rests, and the venue is asked."""
    resting = {OrderState.CANCELLING: OrderState.RESTING}
    return {
        name: (resting.get(o.state, o.state), o.lots_filled, o.fill_ids, o.lots_reported)
        for name, o in mind.orders.items()
    }


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=100, deadline=None)
def test_nobody_hears_of_a_position_that_the_books_do_not_hold(words):
    told = Told()
    lots = {}
    for word in words:
        if isinstance(word, OrderPlanned) and word.order.id in told.mind.orders:
            continue
        for said in told.tell(word):
            if isinstance(said, PositionChanged):
                lots[said.symbol] = said.lots
    assert lots.get("BTC", 0) == told.mind.books.position("perps", "BTC").lots


# --- the body


def run(path, script, *, mind=LedgerMind, deposits=(), restarts_max=3):
    """A ledger over a journal, a notebook that hears what it says, and a script."""
    pages = []
    heard = (*Ledger.says, DeadLetter, ChildCrashed)
    said_by_others = {h.message for h in Ledger.hears} - {TradingState, BreakerChanged, ChildStarted}
    spec = ChildSpec(
        name="ledger",
        start=lambda: Ledger(path, mind, deposits),
        hears=Ledger.hears,
        says=Ledger.says,
        restarts_max=restarts_max,
        fatal=(JournalUnwritable, JournalDamaged),
    )
    voice = ChildSpec(name="voice", start=lambda: Scripted(rest), says=tuple(said_by_others))
    latches = ChildSpec(
        name="latches", start=lambda: Scripted(rest), hears=(Hears(TradingState),), says=(TradingState, BreakerChanged)
    )
    pages_of = notebook("pages", pages, *heard)
    play(tree(spec, voice, latches, pages_of), partial(script, pages))
    return pages


def open_journal(path):
    journal = Journal.open(path)
    journal.append([written(RUN)])
    journal.close()


def journaled(path):
    journal = Journal.open(path)
    try:
        return [read(entry) for entry in journal.read()]
    finally:
        journal.close()


def test_what_is_told_is_on_disk_first_and_deposits_are_booked_at_the_first_start_only(tmp_path):
    path = tmp_path / "journal"
    open_journal(path)

    async def script(pages, house, task):
        say(house, planned(), accepted())
        await house.clock.sleep(1)

    for _ in range(2):
        pages = run(path, script, deposits=(Deposit("perps", "opening", USD, 2),))
        assert [m for m in pages if isinstance(m, Journaled)]
    entries = [r.id for r in journaled(path) if isinstance(r, Entry)]
    assert entries.count("deposit:opening") == 1


class Fragile(LedgerMind):
    """Dies of one order."""

    def hear(self, message):
        if isinstance(message, OrderPlanned) and message.order.id == "o2":
            raise ZeroDivisionError("o2")
        return super().hear(message)


def test_a_crash_in_the_middle_of_a_batch_keeps_what_came_before_and_after_it(tmp_path):
    path = tmp_path / "journal"
    open_journal(path)

    async def script(pages, house, task):
        say(house, planned("o1"), planned("o2"), planned("o3"))
        await house.clock.sleep(1)

    pages = run(path, script, mind=Fragile)
    assert [m.order_id for m in pages if isinstance(m, Journaled)] == ["o1", "o3"]
    assert [r.order.id for r in journaled(path) if isinstance(r, OrderPlanned)] == ["o1", "o3"]
    letter = next(m for m in pages if isinstance(m, DeadLetter))
    assert "id='o2'" in letter.message
    assert letter.error == "ZeroDivisionError: o2"


def test_orders_without_an_answer_are_in_doubt_when_the_ledger_comes_back(tmp_path):
    path = tmp_path / "journal"
    open_journal(path)

    async def script(pages, house, task):
        say(house, planned("o1", expires_ns=77))
        await house.clock.sleep(1)
        house.inject("ledger", RuntimeError("drill"))
        await house.clock.sleep(1)

    changed = [m for m in run(path, script) if isinstance(m, OrderChanged)]
    assert [(m.state, m.fence_ns) for m in changed[:2]] == [(OrderState.SENT, 77), (OrderState.UNKNOWN, 77)]


def test_a_journal_that_cannot_be_written_ends_everything_at_once(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    open_journal(path)

    def full(self, entries):
        raise JournalUnwritable("disk is full")

    async def script(pages, house, task):
        monkeypatch.setattr(ledger.journal.Journal, "append", full)
        say(house, planned())
        await asyncio.wait([task], timeout=60)
        assert task.done()

    pages = run(path, script)
    assert not [m for m in pages if isinstance(m, Journaled)]  # nothing may be sent that is not on disk


def test_a_fill_for_the_other_side_is_said_as_a_fault():
    told = Told()
    said = told.tell(planned(), accepted(), replace(filled(3), side=Side.SELL))
    assert kinds(said)[-1] is OrderFaulted
    assert told.state("o1") is OrderState.RESTING
