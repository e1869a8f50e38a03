"""The reconciler against a scripted venue: it acts on what lasts and never reads silence as flat."""

import asyncio

import pytest
from msgspec.structs import replace

from actors.messages import (
    Awoke,
    BalanceChanged,
    BooksAsked,
    BooksTold,
    CashDrift,
    Drift,
    OrderChanged,
    OrderFaulted,
    PositionChanged,
    Reconciled,
    Restated,
    Unanswered,
)
from actors.reconciler import (
    ANSWER_S_MAX,
    GRACE_S,
    LOOKS_MAX,
    MUTE_NS,
    OVERLAP_NS,
    UNREAD_NS_MAX,
    USUAL,
    Reconciler,
    ReconcilerMind,
    Told,
)
from config.profile import ReconcileLimits
from daemon.graph import LOOK_S_MAX
from risk.intent import Cancel
from risk.order import OrderState
from supervisor.child import ChildSpec
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted
from tests.fakes import EPOCH_NS, Scripted, notebook, play, rest, say, tree
from tests.risk.given import BTC, fill
from venues.market import Accepted, Cancelled, Fill, OpenOrder, Rejected, Side, TimeInForce, VenuePosition
from venues.venue import PROOF_NS, FillsUnread, VenueUnreachable

LOOK_S = USUAL.every_s
FENCE_NS = EPOCH_NS + 15 * NS_PER_S


class ScriptedVenue:
    """Says what the test put into it; `down` names the questions that fail."""

    def __init__(self):
        self.orders = []
        self.held = []
        self.filled = []
        self.known = {}  # order -> what `find` says
        self.down = set()
        self.asked = []
        self.before_answer = None
        self.unread = ""
        self.unheard = set()
        self.since_ns = []
        self.ahead_ns = 0  # our clock, of the venue's
        self.cash_minor, self.cash_ns = None, 0

    def deaf(self):
        return self.unheard

    def theirs_ns(self, at_ns):
        return at_ns - self.ahead_ns

    async def _answer(self, question, answer):
        self.asked.append(question)
        if question in self.down:
            raise VenueUnreachable("no route")
        if self.before_answer is not None:
            self.before_answer(question)
        return answer

    async def open_orders(self):
        return await self._answer("orders", tuple(self.orders))

    async def positions(self):
        return await self._answer("positions", tuple(self.held))

    async def fills(self, since_ns):
        self.since_ns.append(since_ns)
        fills = await self._answer("fills", [one for one in self.filled if one.at_ns >= since_ns])
        if self.unread:
            raise FillsUnread(self.unread, fills)
        return fills

    async def find(self, symbol, order_id):
        return await self._answer("find", self.known.get(order_id))


def order(state=OrderState.RESTING, order_id="o1", fence_ns=FENCE_NS, at_ns=EPOCH_NS):
    return OrderChanged(
        engine="perps",
        order_id=order_id,
        intent_id="i1",
        symbol="BTC",
        side=Side.BUY,
        state=state,
        lots=10,
        lots_filled=0,
        ticks=1000,
        time_in_force=TimeInForce.GTC,
        entry=True,
        reason="",
        fence_ns=fence_ns,
        at_ns=at_ns,
    )


def resting(order_id="o1"):
    return OpenOrder(order_id, "BTC", Side.BUY, 10, 0, 1000)


def position(lots, symbol="BTC", entry_ticks=1000.0):
    return PositionChanged("perps", symbol, lots, entry_ticks, 0, 1, 2)


def booked(lots=1, fill_id="f1", at_ns=EPOCH_NS):
    return fill(BTC, lots, 1000, id=fill_id, at_ns=at_ns)


RESTATED = Restated("perps", "reconciler")
OUTSIDE = (ChildStarted,)


async def prompt(post):
    """A ledger that has written all that it was told, and says so at once."""
    post.ready()
    while True:
        for asked in post.mailbox.take():
            post.say(BooksTold(asked.engine, asked.number))
        await post.mailbox.wait()


def reconcile(venue, script, told=None, *, restate=(RESTATED,), clerk=prompt, limits=USUAL):
    """Run a reconciler; what the ledger says at first is `restate`. Gives what it said, without verdicts."""
    pages = []
    memory = told or Told(EPOCH_NS)
    spec = ChildSpec(
        name="reconciler",
        engine="perps",
        start=lambda: Reconciler(ReconcilerMind("perps"), venue, memory, limits),
        hears=Reconciler.hears,
        says=Reconciler.says,
        deadline_s=LOOK_S_MAX,
    )
    says = (Restated, OrderChanged, OrderFaulted, PositionChanged, BalanceChanged, Fill, Awoke)
    ledger = ChildSpec(
        name="ledger", start=lambda: Scripted(clerk), hears=(Hears(BooksAsked),), says=(*says, BooksTold)
    )
    account = ChildSpec(
        name="account", engine="perps", start=lambda: Scripted(rest), says=(Fill,), hears=(Hears(Fill),)
    )
    listener = notebook("listener", pages, *set(Reconciler.says) - {BooksAsked})

    async def main(house, task):
        say(house, *restate)
        await script(house)

    play(tree(listener, ledger, account, spec), main)
    return pages


def after(seconds):
    """A script that only waits."""

    async def script(house):
        await house.clock.sleep(seconds)

    return script


def verdicts(pages):
    return [(one.ok, one.reason) for one in pages if isinstance(one, Reconciled)]


def acts(pages):
    return [one for one in pages if not isinstance(one, Reconciled)]


# --- agreement and silence


def test_where_all_agree_it_says_so_once_and_looks_again_every_half_minute():
    venue = ScriptedVenue()
    venue.orders, venue.held = [resting()], [VenuePosition("BTC", 5, 1000.0)]
    pages = reconcile(venue, after(3 * LOOK_S), restate=(order(), position(5), RESTATED))
    assert verdicts(pages) == [(True, "")]
    assert (pages[0].orders, pages[0].positions) == (1, 1)
    assert venue.asked.count("positions") == 4


@pytest.mark.parametrize("question", ["fills", "orders", "positions"])
def test_a_question_that_fails_is_never_read_as_flat(question):
    venue = ScriptedVenue()
    venue.down = {question}
    pages = reconcile(venue, after(3 * LOOK_S), restate=(order(), position(5), RESTATED))
    assert verdicts(pages) == [(False, "VenueUnreachable: no route")]
    assert acts(pages) == []


def test_a_venue_that_answers_again_is_compared_at_the_next_tick():
    venue = ScriptedVenue()
    venue.down = {"positions"}

    async def script(house):
        await house.clock.sleep(5)
        venue.down = set()
        await house.clock.sleep(LOOK_S)

    assert [ok for ok, _ in verdicts(reconcile(venue, script))] == [False, True]


def test_a_venue_that_never_answers_is_not_waited_for_for_ever():
    venue = ScriptedVenue()

    async def mute(question, answer):
        await venue.clock.sleep(10_000)

    async def script(house):
        venue.clock = house.clock
        venue._answer = mute
        await house.clock.sleep(LOOK_S)

    assert [ok for ok, _ in verdicts(reconcile(venue, script))] == [False]


def test_nothing_is_compared_before_the_ledger_has_said_all_it_knows():
    venue = ScriptedVenue()
    venue.orders, venue.held = [resting()], [VenuePosition("BTC", 5, 1000.0)]
    pages = reconcile(venue, after(3 * LOOK_S), restate=(order(),))
    assert pages == []


# --- positions


def test_a_drift_must_be_seen_twice_a_grace_apart_before_it_is_adopted():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 990.4)]

    async def script(house):
        await house.clock.sleep(GRACE_S / 2)
        assert venue.asked.count("positions") == 1
        await house.clock.sleep(GRACE_S)
        say(house, position(7))
        await house.clock.sleep(GRACE_S + 1)

    pages = reconcile(venue, script)
    assert acts(pages) == [Drift("perps", "BTC", 7, 0, "adopted as a fill", EPOCH_NS + 2 * NS_PER_S, 990, EPOCH_NS)]
    assert verdicts(pages) == [(True, "")]


def test_what_an_adoption_holds_is_said_in_the_venues_time():
    """Ours was half an hour ahead, then it was set right: what was filled in that half hour was taken for adopted."""
    adopted = []
    for ahead_ns in (0, 1_800 * NS_PER_S):
        venue = ScriptedVenue()
        venue.held, venue.ahead_ns = [VenuePosition("BTC", 3, 1000.0)], ahead_ns
        adopted += [one for one in reconcile(venue, after(10)) if isinstance(one, Drift)]
    right, wrong = adopted
    assert right.as_of_ns - wrong.as_of_ns == 1_800 * NS_PER_S


def test_a_drift_that_goes_away_within_the_grace_was_a_message_under_way():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 990.0)]

    async def script(house):
        await house.clock.sleep(GRACE_S / 2)
        say(house, position(7))
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script)
    assert (acts(pages), verdicts(pages)) == ([], [(True, "")])


def test_what_is_gone_at_the_venue_leaves_at_its_own_cost():
    """There is no price at the venue any more, and one tick was booked as a loss of everything."""
    pages = reconcile(ScriptedVenue(), after(GRACE_S + 1), restate=(position(5, entry_ticks=1234.5), RESTATED))
    drift = acts(pages)[0]
    assert (drift.venue_lots, drift.ledger_lots, drift.ticks) == (0, 5, 1234)


@pytest.mark.parametrize(("here", "there"), [(10, 20), (-10, -20)])
def test_what_the_venue_holds_more_of_is_adopted_at_what_the_rest_cost(here, there):
    """Its average is of all of it: ten at 100 and ten that nobody heard of at 110 are twenty at 105."""
    mind = ReconcilerMind("perps")
    mind.hear(position(here, entry_ticks=100.0))
    (found,) = mind._drifts([VenuePosition("BTC", there, 105.0)])
    assert (found.there, found.here, found.ticks) == (there, here, 110)


def test_a_drift_that_the_ledger_does_not_take_is_told_once_and_shuts_the_engine():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 990.0)]
    pages = reconcile(venue, after(5 * LOOK_S))
    assert len(acts(pages)) == 1
    assert verdicts(pages) == [(False, "position BTC of 7 lots, 0 in the ledger")]


def test_a_ledger_that_comes_back_is_heard_in_the_right_order():
    """The word that it was restarted and all it says come in one batch: the first must not wipe out the rest."""
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 5, 1000.0)]

    async def script(house):
        await house.clock.sleep(1)
        started = ChildStarted("ledger", "", 1, house.clock.now_ns())
        say(house, position(5), Restated("", "ledger"), started)
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script, restate=(position(5), RESTATED))
    assert acts(pages) == []


def test_while_the_ledger_is_away_nothing_is_compared():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 5, 1000.0)]

    async def script(house):
        await house.clock.sleep(1)
        say(house, ChildStarted("ledger", "", 1, house.clock.now_ns()))
        await house.clock.sleep(2 * LOOK_S)  # its disk is slow

    assert acts(reconcile(venue, script, restate=(position(5), RESTATED))) == []


# --- what the ledger has not written yet


def slow(seconds, *news):
    """A ledger that takes so long to write, says then what came of it, and only then that it has written."""

    async def clerk(post):
        post.ready()
        while True:
            for asked in post.mailbox.take():
                await post.clock.sleep(seconds)
                for one in news:
                    post.say(one)
                post.say(BooksTold(asked.engine, asked.number))
            await post.mailbox.wait()

    return clerk


def test_what_a_slow_disk_has_not_taken_yet_is_no_drift():
    """A commit of three seconds outlasted the grace: the fill was booked, and its position a second time as a drift."""
    venue = ScriptedVenue()
    venue.filled, venue.held = [booked(7)], [VenuePosition("BTC", 7, 1000.0)]
    pages = reconcile(venue, after(2 * LOOK_S), clerk=slow(2 * GRACE_S, position(7)))
    assert (acts(pages), verdicts(pages)) == (venue.filled, [(True, "")])


def test_a_ledger_that_does_not_come_to_write_is_compared_with_nothing_and_shuts_the_engine():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 1000.0)]
    pages = reconcile(venue, after(2 * LOOK_S), clerk=slow(10_000))
    assert acts(pages) == []
    ((ok, reason),) = verdicts(pages)
    assert (ok, reason.split(":")[0]) == (False, "LedgerLate")


def test_a_drift_of_a_symbol_that_trades_is_not_adopted_until_it_has_not_traded_for_a_grace():
    """The same two numbers twice need not be the same difference: a fill may have gone through both."""
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 1000.0)]

    async def script(house):
        for lots in (1, 0) * 5:
            await house.clock.sleep(GRACE_S / 2)
            say(house, position(lots))
        traded_ns.append(house.clock.now_ns())
        await house.clock.sleep(3 * GRACE_S)

    traded_ns = []
    drift = acts(reconcile(venue, script, restate=(position(0), RESTATED)))[0]
    assert drift.at_ns - traded_ns[0] >= GRACE_S * NS_PER_S
    assert traded_ns[0] <= drift.as_of_ns < drift.at_ns


def test_an_adoption_holds_what_was_filled_until_a_grace_before_its_own_look():
    """The numbers were the same as half a minute before, for another reason; the fill behind them came on top."""
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 1000.0)]

    async def script(house):
        await house.clock.sleep(GRACE_S / 2)
        venue.down = {"positions"}
        await house.clock.sleep(LOOK_S / 2)
        venue.down = set()
        await house.clock.sleep(LOOK_S)

    (drift,) = acts(reconcile(venue, script))
    assert drift.as_of_ns == drift.at_ns - GRACE_S * NS_PER_S > EPOCH_NS


def test_a_fill_that_the_ledger_lost_in_its_crash_is_told_again():
    venue = ScriptedVenue()
    venue.filled, venue.held = [booked(1, "f1")], [VenuePosition("BTC", 1, 1000.0)]

    async def script(house):
        await house.clock.sleep(1)
        say(house, ChildStarted("ledger", "", 1, house.clock.now_ns()), position(1), Restated("", "ledger"))
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script, restate=(position(1), RESTATED))
    assert acts(pages) == venue.filled * 2


def test_a_fill_of_the_stream_that_died_with_the_ledger_is_told_again_though_both_were_heard_of_at_once():
    """A look waited for its answer, both came in, and the fill was remembered after all told had been forgotten."""
    venue = ScriptedVenue()
    told = booked(1, "f1")

    async def script(house):
        await house.clock.sleep(1)
        venue.filled, venue.held = [told], [VenuePosition("BTC", 1, 1000.0)]
        say(house, told, ChildStarted("ledger", "", 1, house.clock.now_ns()), position(1), Restated("", "ledger"))
        await house.clock.sleep(LOOK_S)

    assert acts(reconcile(venue, script)) == [told, told]


def test_a_drift_that_was_lost_with_the_ledger_is_told_to_the_next():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 990.0)]

    async def script(house):
        await house.clock.sleep(2 * GRACE_S)
        say(house, ChildStarted("ledger", "", 1, house.clock.now_ns()), Restated("", "ledger"))
        await house.clock.sleep(2 * GRACE_S)

    assert [one.venue_lots for one in acts(reconcile(venue, script))] == [7, 7]


def test_an_answer_to_a_reconciler_that_crashed_is_none_to_the_next():
    venue = ScriptedVenue()
    venue.held = [VenuePosition("BTC", 7, 1000.0)]

    async def script(house):
        await house.clock.sleep(1)
        house.inject("perps.reconciler", RuntimeError("drill"))
        await house.clock.sleep(1)
        say(house, RESTATED)  # the first question is answered after this, and then nothing more is
        await house.clock.sleep(9)

    assert acts(reconcile(venue, script, clerk=slow(4.0))) == []


def test_what_cannot_be_read_is_asked_for_again_with_all_after_it_for_ten_minutes():
    """It fell out of the window a minute later, and was never booked though it could be read by then."""
    venue = ScriptedVenue()
    venue.unread = "a row makes no sense"
    reconcile(venue, after(UNREAD_NS_MAX / NS_PER_S + 2 * LOOK_S))
    assert set(venue.since_ns[:20]) == {EPOCH_NS - OVERLAP_NS}
    assert venue.since_ns[-1] > EPOCH_NS + UNREAD_NS_MAX - OVERLAP_NS


def test_fills_are_asked_for_from_a_minute_before_the_last_look_that_was_booked():
    venue = ScriptedVenue()
    reconcile(venue, after(2 * LOOK_S + 1))
    first, second, third = venue.since_ns
    assert (first, second) == (EPOCH_NS - OVERLAP_NS, EPOCH_NS - OVERLAP_NS)
    assert 0 < third - second <= LOOK_S * NS_PER_S


def test_a_look_that_the_ledger_did_not_come_to_book_is_no_look():
    venue = ScriptedVenue()
    reconcile(venue, after(3 * LOOK_S), clerk=slow(10_000))
    assert set(venue.since_ns) == {EPOCH_NS - OVERLAP_NS}


def test_a_ledger_that_died_is_told_again_since_the_look_before_the_last():
    told = Told(5)
    told.looked(50)
    told.looked(70)
    told.remember(booked())
    told.doubt()
    assert (told.looked_ns, told.fills) == (50, {})


# --- when it looks


def test_it_looks_as_often_as_it_is_told_to():
    venue = ScriptedVenue()
    reconcile(venue, after(60), limits=ReconcileLimits(every_s=5))
    assert venue.asked.count("positions") == 13


def test_it_looks_when_a_stream_that_was_deaf_hears_again():
    venue = ScriptedVenue()

    async def script(house):
        await house.clock.sleep(12)
        venue.asked.clear()
        venue.unheard = {"BTC", "SOL"}
        await house.clock.sleep(3)
        assert venue.asked == []
        venue.unheard = {"SOL"}
        await house.clock.sleep(3)
        assert venue.asked.count("positions") == 1
        venue.unheard = set()
        await house.clock.sleep(3)
        assert venue.asked.count("positions") == 1, "it has only just looked"
        await house.clock.sleep(8)
        assert venue.asked.count("positions") == 2

    reconcile(venue, script, limits=ReconcileLimits(every_s=3600))


def test_it_looks_when_something_is_said_of_an_order_that_cannot_be():
    venue = ScriptedVenue()

    async def script(house):
        await house.clock.sleep(15)
        venue.asked.clear()
        say(house, OrderFaulted("perps", "o1", "4 lots more than the 10", EPOCH_NS))
        await house.clock.sleep(1)
        assert venue.asked.count("positions") == 1

    reconcile(venue, script, limits=ReconcileLimits(every_s=3600))


# --- orders


def test_under_quarantine_an_order_by_hand_is_left_alone_and_shuts_nothing():
    venue = ScriptedVenue()
    venue.orders = [resting("0x5f1")]
    pages = reconcile(venue, after(2 * LOOK_S), limits=ReconcileLimits(by_hand="quarantine"))
    assert (acts(pages), verdicts(pages)) == ([], [(True, "")])


def test_an_order_that_the_ledger_does_not_know_is_cancelled_when_it_lasts():
    venue = ScriptedVenue()
    venue.orders = [resting("stray-1")]

    async def script(house):
        await house.clock.sleep(GRACE_S + 1)
        venue.orders = []
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script)
    assert [(type(a), a.order_id, a.reason) for a in acts(pages)] == [(Cancel, "stray-1", "stray")]
    assert verdicts(pages) == [(True, "")]


def test_a_stray_that_will_not_go_shuts_the_engine_until_it_does():
    venue = ScriptedVenue()
    venue.orders = [resting("stray-1")]

    async def script(house):
        await house.clock.sleep(LOOK_S)
        venue.orders = []
        await house.clock.sleep(LOOK_S)

    assert verdicts(reconcile(venue, script)) == [(False, "stray order stray-1"), (True, "")]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (resting(), [Accepted]),
        (Cancelled("perps", "o1", "BTC", 10, "filled", 9), [Cancelled]),
        (Rejected("perps", "o1", "BTC", "no", 9), [Rejected]),
        (None, []),
    ],
)
def test_an_order_that_does_not_rest_is_asked_for_and_not_found_is_no_proof_before_its_fence(found, said):
    venue = ScriptedVenue()
    venue.known = {"o1": found}
    pages = reconcile(venue, after(GRACE_S + 1), restate=(order(), RESTATED))
    assert [type(one) for one in acts(pages)] == said
    assert venue.asked.count("find") == 1


def test_not_found_is_proof_behind_the_fence():
    pages = reconcile(ScriptedVenue(), after(LOOK_S - 1), restate=(order(OrderState.UNKNOWN), RESTATED))
    first = acts(pages)[0]
    assert (type(first), first.order_id) == (Rejected, "o1")
    assert FENCE_NS + PROOF_NS < first.at_ns <= FENCE_NS + PROOF_NS + 2 * GRACE_S * NS_PER_S


class SlowVenue(ScriptedVenue):
    """Looks an order up at once and takes its time to say so."""

    async def find(self, symbol, order_id):
        await asyncio.sleep(SEARCH_S)
        return await super().find(symbol, order_id)


class DumbVenue(ScriptedVenue):
    """Takes longer than a look has."""

    async def positions(self):
        await asyncio.sleep(ANSWER_S_MAX + 1)
        return await super().positions()


def test_a_look_that_takes_too_long_says_what_was_waited_for():
    ((ok, reason),) = verdicts(reconcile(DumbVenue(), after(2 * LOOK_S)))
    assert not ok
    assert reason.startswith("TimeoutError: no answer within 10 s")


SEARCH_S = 8.0


def test_what_was_asked_before_the_fence_is_no_proof_when_it_is_answered_behind_it():
    pages = reconcile(SlowVenue(), after(2 * LOOK_S), restate=(order(OrderState.UNKNOWN), RESTATED))
    first = acts(pages)[0]
    assert type(first) is Rejected
    assert first.at_ns - SEARCH_S * NS_PER_S > FENCE_NS


def test_without_a_fence_doubt_stays_and_holds_back_no_other_symbol():
    venue = ScriptedVenue()
    pages = reconcile(venue, after(2 * LOOK_S), restate=(order(OrderState.UNKNOWN, fence_ns=0), RESTATED))
    assert acts(pages) == []
    assert verdicts(pages) == [(True, "")]
    assert venue.asked.count("find") <= 3 * LOOKS_MAX


def test_an_order_that_stays_in_doubt_is_asked_about_alone_and_less_and_less():
    """Each look asks about everything: a venue that counts requests had none left for exits."""
    venue = ScriptedVenue()
    venue.down = {"find"}
    reconcile(venue, after(4 * LOOK_S), restate=(order(OrderState.UNKNOWN), RESTATED))
    assert venue.asked.count("positions") <= 3 + 4 + 1
    assert 3 * 4 <= venue.asked.count("find") <= 8 * 4


class NeverFinds(ScriptedVenue):
    """Answers everything but what became of an order."""

    async def find(self, symbol, order_id):
        self.asked.append("find")
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("rest_too", [True, False])
def test_many_orders_in_doubt_that_nobody_answers_for_do_not_make_it_seem_to_hang(rest_too):
    """A watchdog would end the daemon for a venue's silence, and the next life would ask the same."""
    venue, ill = NeverFinds(), []
    names = [f"o{number}" for number in range(28)]
    venue.orders = [resting(name) for name in names if rest_too]

    async def script(house):
        for _ in range(300):
            await house.clock.sleep(1)
            ill.extend(name for name in house.ill() if name == "perps.reconciler")

    reconcile(venue, script, restate=(*(order(OrderState.UNKNOWN, name) for name in names), RESTATED))
    assert venue.asked.count("find") > 20
    assert ill == []


def test_doubt_ends_by_proof_though_everything_else_cannot_be_asked():
    venue = ScriptedVenue()
    venue.down = {"fills", "orders", "positions"}
    venue.known = {"o1": Cancelled("perps", "o1", "BTC", 0, "asked", 9)}
    pages = reconcile(venue, after(2 * GRACE_S + 1), restate=(order(OrderState.UNKNOWN), RESTATED))
    assert Cancelled in {type(one) for one in acts(pages)}
    assert verdicts(pages) == [(False, "VenueUnreachable: no route")]


def test_another_order_that_falls_into_doubt_meanwhile_is_looked_at_at_once():
    venue = ScriptedVenue()

    async def script(house):
        await house.clock.sleep(10)
        venue.asked.clear()
        say(house, order(OrderState.UNKNOWN, "o2"))
        await house.clock.sleep(GRACE_S + 0.5)
        assert "positions" in venue.asked

    reconcile(venue, script, restate=(order(OrderState.UNKNOWN), RESTATED))


def test_a_search_that_fails_proves_nothing():
    venue = ScriptedVenue()
    venue.down = {"find"}
    pages = reconcile(venue, after(2 * LOOK_S), restate=(order(OrderState.UNKNOWN), RESTATED))
    assert acts(pages) == []


def test_an_order_that_falls_into_doubt_is_asked_for_at_once():
    venue = ScriptedVenue()
    venue.orders, venue.known = [resting()], {"o1": resting()}

    async def script(house):
        await house.clock.sleep(5)
        say(house, order(OrderState.UNKNOWN))
        await house.clock.sleep(GRACE_S + 1)
        say(house, order(OrderState.RESTING))
        await house.clock.sleep(1)

    pages = reconcile(venue, script, restate=(order(), RESTATED))
    assert [type(one) for one in acts(pages)] == [Accepted]


def test_an_order_whose_cancel_was_never_answered_does_not_stay_cancelling_for_ever():
    """The executor crashed with the cancel in hand: the order rests, and nobody would ask for its cancel again."""
    venue = ScriptedVenue()
    venue.orders, venue.known = [resting()], {"o1": resting()}
    pages = reconcile(venue, after(2 * LOOK_S), restate=(order(OrderState.CANCELLING), RESTATED))
    first = acts(pages)[0]
    assert (type(first), first.order_id) == (Unanswered, "o1")
    assert first.at_ns > EPOCH_NS + MUTE_NS


def test_an_order_whose_verdict_was_lost_is_found_resting():
    venue = ScriptedVenue()
    venue.orders, venue.known = [resting()], {"o1": resting()}
    pages = reconcile(venue, after(2 * LOOK_S), restate=(order(OrderState.SENT), RESTATED))
    assert type(acts(pages)[0]) is Accepted


def test_an_order_just_sent_is_nobodys_concern():
    venue = ScriptedVenue()

    async def script(house):
        await house.clock.sleep(1)
        say(house, order(OrderState.SENT, at_ns=house.clock.now_ns()), ChildStarted("gate", "perps", 1, 5))
        await house.clock.sleep(GRACE_S / 2)
        venue.orders = [resting()]
        await house.clock.sleep(GRACE_S)

    assert acts(reconcile(venue, script)) == []


# --- fills


def test_fills_missed_while_away_are_told_once_and_those_of_the_account_not_at_all():
    venue = ScriptedVenue()
    missed, told = booked(1, "f1", EPOCH_NS - NS_PER_S), booked(1, "f2")
    venue.filled, venue.held = [missed, told], [VenuePosition("BTC", 2, 1000.0)]
    pages = reconcile(venue, after(4 * LOOK_S), restate=(position(2), told, RESTATED))
    assert acts(pages) == [told, missed]  # the first is the account's own word


def test_fills_are_asked_for_since_what_is_booked_and_not_since_the_start_of_the_run():
    venue = ScriptedVenue()
    yesterday = EPOCH_NS - 86_400 * NS_PER_S
    venue.filled, venue.held = [booked(1, "f1", yesterday)], [VenuePosition("BTC", 1, 1000.0)]
    pages = reconcile(venue, after(1), Told(yesterday), restate=(position(1), RESTATED))
    assert acts(pages) == venue.filled


def test_a_reconciler_that_comes_back_does_not_tell_the_fills_of_the_one_before_it():
    venue = ScriptedVenue()
    venue.filled, venue.held = [booked(1, "f1")], [VenuePosition("BTC", 1, 1000.0)]

    async def script(house):
        await house.clock.sleep(5)
        house.inject("perps.reconciler", RuntimeError("drill"))
        await house.clock.sleep(5)
        say(house, position(1), RESTATED)
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script, restate=(position(1), RESTATED))
    assert acts(pages) == venue.filled


# --- who is told again


def test_a_gate_that_comes_back_is_told_the_verdict_again():
    """It starts closed: without this its engine never entered again."""
    venue = ScriptedVenue()

    async def script(house):
        await house.clock.sleep(5)
        say(house, ChildStarted("gate", "perps", 1, house.clock.now_ns()))
        await house.clock.sleep(5)
        say(house, ChildStarted("gate", "crypto", 1, house.clock.now_ns()))
        await house.clock.sleep(5)

    assert verdicts(reconcile(venue, script)) == [(True, "")] * 2


def test_the_numbers_of_a_drift_are_the_same_on_every_run():
    def once():
        venue = ScriptedVenue()
        venue.held = [VenuePosition("SOL", -3, 50.0), VenuePosition("BTC", 7, 990.0)]
        return reconcile(venue, after(LOOK_S))

    assert once() == once()
    assert [one.symbol for one in acts(once())] == ["BTC", "SOL"]


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        ({}, 1),
        ({"time_in_force": TimeInForce.ALO}, 0),  # it would have matched at once: that happens daily
        ({"entry": True}, 0),
    ],
)
def test_a_crossing_exit_that_is_refused_makes_it_look_whether_there_is_anything_to_leave(changes, looks):
    """Live flat, memory not: until the next look every exit was refused."""
    venue = ScriptedVenue()
    refused = replace(order(OrderState.REJECTED), **({"entry": False, "time_in_force": TimeInForce.IOC} | changes))

    async def script(house):
        await house.clock.sleep(LOOK_S - 5)
        venue.asked.clear()
        say(house, refused)
        await house.clock.sleep(1)
        say(house, refused)  # again: it has only just looked
        await house.clock.sleep(1)
        assert venue.asked.count("positions") == looks

    reconcile(venue, script)


def test_fills_that_make_no_sense_shut_entries_and_nothing_else():
    """One row of a settled outcome token ended every look: no doubt was settled, no drift seen, for good."""
    venue = ScriptedVenue()
    venue.unread, venue.filled = "1 fills can't be read", [booked()]
    venue.known["o1"] = Cancelled("perps", "o1", "BTC", 0, "asked", EPOCH_NS)

    async def script(house):
        await house.clock.sleep(GRACE_S * (LOOKS_MAX + 1))
        venue.unread = ""
        await house.clock.sleep(LOOK_S * 3)

    pages = reconcile(venue, script, restate=(order(), RESTATED))
    assert [one.id for one in pages if isinstance(one, Fill)] == ["f1"]
    assert any(isinstance(one, Cancelled) for one in pages), "what became of the order is asked all the same"
    assert verdicts(pages)[0] == (False, "1 fills can't be read")
    assert verdicts(pages)[-1] == (True, "")


def test_cash_that_differs_for_minutes_is_said_once_and_shuts_nothing():
    venue = ScriptedVenue()
    venue.cash_minor = 90_000_000
    balance = BalanceChanged("perps", 100_000_000, 0, 0, 0, 0, EPOCH_NS)
    pages = reconcile(venue, after(900.0), restate=(balance, RESTATED))
    (drift,) = [one for one in pages if isinstance(one, CashDrift)]
    assert (drift.venue_minor, drift.ledger_minor) == (90_000_000, 100_000_000)
    assert verdicts(pages) == [(True, "")]


def test_after_a_sleep_it_says_again_whether_all_agree_and_believes_no_older_answer():
    """The gate is shut until it does, and what was asked before says nothing of what was swept since."""

    venue, looks = ScriptedVenue(), []

    def awake_between(question):
        looks.append(question)
        if looks.count("orders") == 2 and question == "orders":  # its answer is on its way while all stands still
            say(venue.house, Awoke(20.0, venue.house.clock.now_ns()))

    venue.before_answer = awake_between

    async def script(house):
        venue.house = house
        await house.clock.sleep(LOOK_S + 10)

    said = [message for message in reconcile(venue, script) if isinstance(message, Reconciled)]
    assert [verdict.ok for verdict in said] == [True, True]
    assert looks.count("orders") >= 3, "the second answer was asked for before it awoke"


@pytest.mark.parametrize("news", [(Awoke,), (ChildStarted, Restated)], ids=["awoke", "new ledger"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_heard_between_two_questions_of_a_look_makes_it_say_nothing(news, number):
    """Its answers are older than a sweep, or spoke to a ledger that is dead: only a new look may open the gate."""
    venue, asked_ns, heard_ns = ScriptedVenue(), [], []

    def meanwhile(question):
        now_ns = venue.house.clock.now_ns()
        if question == "orders":
            asked_ns.append(now_ns)
        if question == "find" and venue.asked.count("find") == number:
            heard_ns.append(now_ns)
            made = {
                Awoke: Awoke(20.0, now_ns),
                ChildStarted: ChildStarted("ledger", "", 1, now_ns),
                Restated: Restated("", "ledger"),
            }
            say(venue.house, *(made[kind] for kind in news))

    venue.before_answer = meanwhile

    async def script(house):
        venue.house = house
        await house.clock.sleep(LOOK_S)

    pages = reconcile(venue, script, restate=(order(OrderState.UNKNOWN, fence_ns=0), RESTATED))
    (news_ns,) = heard_ns
    said_ns = [one.at_ns for one in pages if isinstance(one, Reconciled) and one.at_ns >= news_ns]
    assert all(any(news_ns < at_ns <= until_ns for at_ns in asked_ns) for until_ns in said_ns)
    assert max(asked_ns) > news_ns
