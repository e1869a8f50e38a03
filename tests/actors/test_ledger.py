"""The ledger: what is journaled of every message, what is said of it, and that a restart believes the same."""

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import ledger
from actors.ledger import OVER_KEPT_MAX, Ledger, LedgerMind
from actors.ledger_recovery import recover
from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    BooksAsked,
    BooksTold,
    BreakerChanged,
    ByHand,
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
    TradingLatched,
    TradingState,
    Unanswered,
    VenueLooked,
)
from actors.records import read, written
from risk.circuit_breaker import Breaker
from risk.intent import Trading
from risk.ledger.books import Books
from risk.ledger.foreign import KEPT_MAX
from risk.ledger.postings import Deposit, Entry
from risk.order import OrderState
from supervisor.child import ChildSpec
from supervisor.clock import NS_PER_S, Clock, finish
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
    assert said[0] == Journaled("perps", "o1", "BTC")
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
    assert kinds(said) == [PositionChanged, BalanceChanged, ByHand]
    assert said[-1].lots == -3
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


def test_a_fill_counts_for_whichever_order_took_its_place_though_another_was_to():
    """The first replace died with its executor and stayed in doubt; the second one worked, and missed a late fill."""
    told = Told()
    replaced(told)
    told.tell(Unanswered("perps", "o2", 9, "lost", 5), planned("o3", replaces="o1"), accepted("o3"))
    told.tell(Rejected("perps", "o2", "BTC", "the venue does not know it", 6), filled(4))
    assert told.mind.orders["o3"].lots_left == told.restarted().orders["o3"].lots_left == 6


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
    assert kinds(said) == [PositionChanged, BalanceChanged, ByHand]
    assert (said[0].lots, said[0].entry_ticks, said[2].lots) == (7, 990, 7)
    assert kinds(told.journal)[1:] == [Drift, Entry]
    assert told.journal[-1].id == "fill:adopted-BTC-1-0-7"
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


def drift(there, here, *, as_of_ns=4, at_ns=5, ticks=990):
    return Drift("perps", "BTC", there, here, "adopted as a fill", at_ns, ticks, as_of_ns)


def adopted_ids(told):
    return [one.id for one in told.journal if isinstance(one, Entry) and "adopted" in one.id]


def test_an_adoption_is_called_by_what_was_adopted_whenever_that_was():
    """New ids at each start were NautilusTrader #3878: each replay was another fill."""
    once, again = Told(), Told()
    once.tell(drift(7, 0), filled(-7, "f1", ""), drift(7, 0))
    again.tell(drift(7, 0, at_ns=99), filled(-7, "f1", ""), drift(7, 0, at_ns=999))
    assert adopted_ids(once) == adopted_ids(again) == ["fill:adopted-BTC-1-0-7", "fill:adopted-BTC-2-0-7"]


def test_the_number_of_an_adoption_goes_on_after_a_restart():
    told = Told()
    told.tell(drift(7, 0), filled(-7, "f1", ""))
    told.mind = told.restarted()
    told.tell(drift(7, 0))
    assert adopted_ids(told)[-1] == "fill:adopted-BTC-2-0-7"
    assert told.restarted().books.position("perps", "BTC").lots == 7


def test_a_drift_of_a_name_that_nobody_listed_is_said_and_not_booked():
    told = Told()
    (fault,) = told.tell(replace(drift(7, 0), symbol="XMR"))
    assert "'XMR'" in fault.error
    assert told.journal == [RUN]


def paid(told):
    """For what is held, less what was earned: what it all came to, whichever lots are said to have left first."""
    return told.mind.books.position("perps", "BTC").cost_minor - told.mind.books.money("perps").realised_minor


@pytest.mark.parametrize("between", [(), (-7,), (3, -2), (-9,)])
def test_a_fill_told_after_it_was_adopted_takes_the_place_of_the_adoption(between):
    """Booked on top, it held twice what the venue did, until the next look took it away again at another price."""
    late, others = filled(7, "late", "o1"), [replace(filled(n, f"b{n}", ""), at_ns=7, ticks=1100) for n in between]
    in_time, told = Told(), Told()
    in_time.tell(planned(), accepted(), late, *others)
    told.tell(planned(), accepted(), drift(7, 0, as_of_ns=5), *others)
    before = told.mind.books.position("perps", "BTC").lots
    said = told.tell(late)
    assert told.mind.books.position("perps", "BTC").lots == before == 7 + sum(between)
    assert [one.lots for one in said if isinstance(one, PositionChanged)] == [before], "nobody hears of a detour"
    assert told.state("o1") is OrderState.RESTING
    assert told.mind.orders["o1"].lots_filled == 7
    assert paid(told) == paid(in_time)
    assert told.mind.books.money("perps").fees_minor == in_time.mind.books.money("perps").fees_minor
    assert told.tell(late) == []
    again = told.restarted()
    assert again.books.balances == told.mind.books.balances
    assert again.foreign.adoptions == told.mind.foreign.adoptions
    assert again.hear(late) == ([], [])
    told.mind.books.check()


def test_of_several_adoptions_a_late_fill_belongs_to_the_first_that_it_is_in():
    told = Told()
    told.tell(drift(7, 0, as_of_ns=4, ticks=990), drift(9, 7, as_of_ns=8, ticks=900))
    told.tell(replace(filled(2, "late", ""), at_ns=6))
    assert told.mind.books.position("perps", "BTC").lots == 9
    assert [one.transfers[0].amount for one in told.journal if isinstance(one, Entry)][-2:] == [2, 2]
    assert paid(told) == 7 * 990 + 2 * 1000


def test_a_fill_after_the_adoption_is_a_fill_like_any_other():
    told = Told()
    told.tell(drift(7, 0, as_of_ns=4), filled(2, "new", ""))
    assert told.mind.books.position("perps", "BTC").lots == 9


def test_only_the_newest_adoptions_are_remembered():
    told = Told()
    for number in range(KEPT_MAX + 3):
        held = told.mind.books.position("perps", "BTC").lots
        told.tell(drift(held + 1, held, as_of_ns=number))
    assert [one.as_of_ns for one in told.mind.foreign.adoptions["perps", "BTC"]] == list(range(3, KEPT_MAX + 3))
    assert adopted_ids(told)[-1] == f"fill:adopted-BTC-{KEPT_MAX + 3}-{KEPT_MAX + 2}-{KEPT_MAX + 3}"


def test_a_fee_that_was_taken_in_coins_has_no_fill_behind_it():
    told = Told()
    told.mind.fold(replace(RUN, instruments=(replace(BTC, asset_class="spot"), SOL)))
    told.tell(filled(1000), drift(990, 1000, as_of_ns=9), filled(100, "f2"))
    assert told.mind.books.position("perps", "BTC").lots == 1090


def test_what_takes_something_out_of_an_adoption_is_no_day_trade():
    told = Told()
    told.mind.fold(replace(RUN, instruments=(replace(BTC, asset_class="equity"), SOL)))
    told.tell(drift(7, 0, as_of_ns=5), filled(7, "late", ""))
    assert told.mind.day_trades.of("perps") == ()


def test_a_trade_by_hand_that_is_told_again_weeks_later_is_not_booked_again(monkeypatch):
    """Its time was moved to now before anybody asked whether it was known, so that an old one never looked old."""
    told = Told()
    by_hand = filled(3, "by-hand", "")
    told.tell(by_hand)
    told.mind.books.seen["perps"].ids.clear()
    told.mind.books.seen["perps"].forgotten_ns = by_hand.at_ns + 1
    told.mind.last_ns = 10**9
    assert told.mind.hear(by_hand) == ([], [])


def by_hand(said):
    return [one.lots for one in said if isinstance(one, ByHand)]


def test_what_is_held_by_hand_is_counted_and_said_until_it_is_gone():
    told = Told()
    said = told.tell(planned(), accepted(), filled(4), filled(3, "h1", ""), filled(-1, "h2", "somebody's"))
    assert by_hand(said) == [3, 2]
    assert by_hand(told.tell(ChildStarted("gate", "perps", 1, 9))) == [2]
    assert by_hand(told.restarted().hear(ChildStarted("gate", "perps", 1, 9))[1]) == [2]
    assert by_hand(told.tell(filled(-6, "h3", ""))) == [0], "it is flat, whoever closed it"
    assert by_hand(told.tell(ChildStarted("gate", "perps", 1, 9))) == []


def test_an_adoption_whose_fills_turn_out_to_be_ours_is_not_by_hand_any_more():
    told = Told()
    told.tell(planned(), accepted())
    assert by_hand(told.tell(drift(7, 0, as_of_ns=5))) == [7]
    assert by_hand(told.tell(filled(7, "late", "o1"))) == [0]


def test_a_question_is_answered_behind_all_that_came_before_it(tmp_path):
    open_journal(tmp_path / "journal")
    fills = [filled(1, f"f{n}", "") for n in range(600)]  # more than a batch

    async def script(pages, house, task):
        say(house, *fills[:300], BooksAsked("perps", 7), *fills[300:])
        await house.clock.sleep(1)

    pages = run(tmp_path / "journal", script)
    told = next(place for place, page in enumerate(pages) if isinstance(page, BooksTold))
    assert pages[told] == BooksTold("perps", 7)
    assert max(page.lots for page in pages[:told] if isinstance(page, PositionChanged)) >= 300


def test_until_when_no_fill_is_missing_is_kept_now_and_then():
    told = Told()
    for minute in range(25):
        assert told.tell(BooksAsked("perps", minute, minute * 60 * NS_PER_S)) == [BooksTold("perps", minute)]
    assert [one.looked_ns // (60 * NS_PER_S) for one in told.journal if isinstance(one, VenueLooked)] == [10, 20]
    assert told.restarted().looked_ns == {"perps": 20 * 60 * NS_PER_S}


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
    said = told.tell(halt, halt, TradingState("", Trading.HALTED, "obid is stopping", SHUTDOWN, 6))
    assert told.journal[1:] == [halt]
    assert said == [TradingLatched(halt, 5)], "said when it is on disk"
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
    assert kinds(said) == [
        PositionChanged,
        BalanceChanged,
        OrderChanged,
        EntryTaken,
        TradingState,
        TradingLatched,
        Restated,
    ]
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


def test_margin_of_an_order_that_ended_is_free_after_a_restart_though_its_release_was_lost():
    """The journal's end may be lost between the two; an invariant halted all trading for it."""
    told = Told()
    told.tell(planned(), accepted(), cancelled())
    assert told.journal[-1].id.startswith("release:")
    told.journal.pop()
    mind = told.restarted()
    assert mind.books.reservations
    for message in mind.recovered(99):
        mind.hear(message)
    assert not mind.books.reservations
    mind.books.check()


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
    st.builds(lambda n, h, t: drift(n, h, as_of_ns=t), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 9)),
    st.builds(lambda s: TradingState("", s, "x", "operator", 3), st.sampled_from(list(Trading))),
)


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=150)
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
    assert vars(again.foreign) == vars(told.mind.foreign)
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
@settings(max_examples=100)
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


def test_what_is_on_disk_is_told_by_a_ledger_that_was_stopped_while_it_wrote(tmp_path, monkeypatch):
    """The next one says what is open: of an order that had ended nobody heard again, and its symbol stood still."""
    path = tmp_path / "journal"
    open_journal(path)

    async def late(clock, work):
        await clock.sleep(1)
        return work()

    async def slow(clock, work):
        return await finish(clock.loop.create_task(late(clock, work)))

    async def script(pages, house, task):
        say(house, planned("o1"), accepted("o1"), planned("o2"))
        await house.clock.sleep(1)
        monkeypatch.setattr(Clock, "in_thread", slow)
        say(house, cancelled("o1"), MoneyMoved("perps", "gone", -5 * USD, "CSW", 7))
        await house.clock.sleep(0.5)
        house.inject("ledger", RuntimeError("drill"))
        await house.clock.sleep(0.2)
        say(house, planned("o3"))
        await house.clock.sleep(8)

    pages = run(path, script)
    assert [m.state for m in pages if isinstance(m, OrderChanged) and m.order_id == "o1"][-1] is OrderState.CANCELLED
    assert [m.amount_minor for m in pages if isinstance(m, CapitalChanged)] == [-5 * USD]
    assert [m.order_id for m in pages if isinstance(m, Journaled)] == ["o1", "o2", "o3"]


@pytest.mark.parametrize(("commit_s", "well"), [(1.0, True), (7.0, False)])
def test_a_disk_that_is_slow_all_the_time_is_no_ledger_that_hangs(commit_s, well, tmp_path, monkeypatch):
    """There is always something to write, and nothing waits for long: a watchdog has nothing to end."""
    open_journal(tmp_path / "journal")
    commit, ill = Ledger._commit, []

    async def slow(self, post, *rest):
        await post.clock.sleep(commit_s)
        await commit(self, post, *rest)

    async def script(pages, house, task):
        monkeypatch.setattr(Ledger, "_commit", slow)
        for number in range(60):
            say(house, planned(f"o{number}"))
            await house.clock.sleep(0.3)
            ill.extend(house.ill())

    run(tmp_path / "journal", script)
    assert (ill == []) is well


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
