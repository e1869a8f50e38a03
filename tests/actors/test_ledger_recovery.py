"""Recovery by way of a snapshot: the same mind, entry for entry, as folding everything."""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from actors import ledger, ledger_recovery
from actors.ledger import Ledger, LedgerMind
from actors.ledger_recovery import DECODE, ENCODE, keep_snapshot, made_by, recover, recover_journal, state_of, take_up
from actors.messages import BreakerChanged, OrderPlanned, TradingState
from actors.records import read, written
from supervisor.child import ChildSpec
from supervisor.journal import Journal, JournalDamaged
from supervisor.journal_mark import Place
from supervisor.journal_snapshot import Snapshot, read_snapshot, snapshot_path, write_snapshot
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted
from supervisor.supervisor import House
from tests.actors.stories import RATE, START_NS, run_started, story
from tests.fakes import Scripted, notebook, play, rest, tree
from tests.risk.given import BTC, DAY_NS, request
from venues.market import Accepted, FundingPaid

STORIES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 30), st.integers(1, 9)), min_size=5, max_size=50)


def bytes_of(mind: LedgerMind) -> bytes:
    """A mind's state with the order of everything in it."""
    return ENCODE(state_of(mind))


def kept(path: Path, records: list[Struct], places: list[int] = ()) -> dict[int, Place]:
    """A journal with these records; the places behind some of them."""
    found = {}
    with closing(Journal.open(path)) as journal:
        for number, record in enumerate(records, 1):
            journal.append([written(record)])
            if number in places:
                found[number] = journal.place
    return found


# --- the property ---------------------------------------------------------------------------------------------------


@given(STORIES, st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_snapshot_and_the_rest_fold_to_what_all_folds_to(monkeypatch, draws, data):
    monkeypatch.setattr(ledger, "OVER_KEPT_MAX", 3)
    entries = list(map(written, story(draws)))
    cut = data.draw(st.integers(0, len(entries)))
    whole, part, other = LedgerMind(), LedgerMind(), LedgerMind()
    recover(entries, whole)
    for entry in entries[:cut]:
        part.fold(read(entry))
    take_up(DECODE(ENCODE(state_of(part))), other)
    assert bytes_of(other) == bytes_of(part)
    recover(entries[cut:], other)
    assert bytes_of(other) == bytes_of(whole)
    assert other.recovered(7) == whole.recovered(7)


def test_the_stories_have_all_kinds_of_records():
    """Else the property above says nothing about some of them."""
    draws = [(what, which, lots) for which, what, lots in itertools.product(range(6), range(12), (1, 2, 3, 6))]
    records = story(draws)
    assert {type(record).__name__ for record in records} >= {
        *("RunStarted", "Entry", "OrderPlanned", "CancelSent", "Unanswered", "TradingState", "BreakerChanged"),
        *("Accepted", "Rejected", "Cancelled", "Fill", "Drift", "VenueLooked", "Tuned"),
    }
    mind = recover(map(written, records), LedgerMind())
    state = state_of(mind)
    assert not {name for name in state.__struct_fields__ if not getattr(state, name)}


def test_nothing_that_a_mind_folds_is_left_out():
    """Who gives the ledger or the books something to remember must give it to the snapshot too."""
    not_folded = {"books", "hearers"}
    assert vars(LedgerMind()).keys() - not_folded == {
        *("orders", "successors", "fences_ns", "entries", "day_trades", "over", "trading", "breakers", "runs"),
        *("foreign", "fills", "last_ns", "opened_ns", "looked_ns", "tuned"),
    }
    assert vars(LedgerMind().foreign).keys() - {"dust_lots"} == {"adoptions", "numbers", "by_hand"}
    assert vars(LedgerMind().books).keys() - {"dust_lots"} == {  # dust is a setting
        *("instruments", "balances", "positions", "reservations", "seen", "deposited"),
    }


def test_a_state_stays_as_it_was_while_its_mind_goes_on():
    mind = LedgerMind()
    draws = [(what, 1, 2) for what in (0, 3, 4, 6, 10, 11)]
    records = story(draws * 3)
    for record in records[: len(records) // 2]:
        mind.fold(record)
    state = state_of(mind)
    before = ENCODE(state)
    for record in records[len(records) // 2 :]:
        mind.fold(record)
    assert ENCODE(state) == before
    assert bytes_of(mind) != before


# --- which snapshot counts ------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path):
    """A journal, what it folds to, and a snapshot in its middle."""
    path = tmp_path / "journal.sqlite"
    records = story([(what, which, 1 + which) for which in range(4) for what in range(12)])
    half = len(records) // 2
    places = kept(path, records, [half])
    mind = LedgerMind()
    for record in records[:half]:
        mind.fold(record)
    keep_snapshot(path, places[half], state_of(mind))
    return path, records, half


def found(path: Path) -> tuple[bytes, int]:
    with closing(Journal.read_only(path)) as journal:
        mind, seq = recover_journal(journal, LedgerMind())
    return bytes_of(mind), seq


def folded(records: list[Struct]) -> bytes:
    return bytes_of(recover(map(written, records), LedgerMind()))


def test_a_start_folds_only_what_is_behind_the_snapshot(book):
    path, records, half = book
    assert found(path) == (folded(records), half)


def test_a_snapshot_of_other_code_does_not_count(book, monkeypatch):
    path, records, _ = book
    monkeypatch.setattr(ledger_recovery, "made_by", lambda: "another")
    assert found(path) == (folded(records), 0)


def test_where_there_is_no_source_there_are_no_snapshots(book, monkeypatch):
    path, records, _ = book
    monkeypatch.setattr(ledger_recovery, "FOLDING", ("no.such.module",))
    made_by.cache_clear()
    try:
        assert found(path) == (folded(records), 0)
        snapshot_path(path).unlink()
        keep_snapshot(path, Place(0, 0), state_of(LedgerMind()))
        assert not snapshot_path(path).exists()
    finally:
        made_by.cache_clear()


def test_all_code_that_folds_is_named():
    """What the fold imports of ours, as deep as it goes, but for what only carries."""
    import sys

    assert made_by()
    assert all(name in sys.modules for name in ledger_recovery.FOLDING)


@pytest.mark.parametrize("place", [Place(999, 1), Place(3, 1)])
def test_a_snapshot_of_another_journal_does_not_count(book, place):
    path, records, _ = book
    mine = read_snapshot(path)
    write_snapshot(path, Snapshot(place, mine.made_by, mine.body))
    assert found(path) == (folded(records), 0)


def test_damage_behind_the_snapshot_is_found_and_before_it_by_verify(book):
    path, records, half = book
    for seq, is_found in ((half + 2, True), (half - 2, False)):
        db = sqlite3.connect(path)
        (body,) = db.execute("SELECT body FROM entries WHERE seq = ?", (seq,)).fetchone()
        db.execute("UPDATE entries SET body = X'00' WHERE seq = ?", (seq,))
        db.commit()
        if is_found:
            with pytest.raises(JournalDamaged, match=f"entry {seq}"):
                found(path)
        else:
            assert found(path) == (folded(records), half)
            with closing(Journal.read_only(path)) as journal, pytest.raises(JournalDamaged, match=f"entry {seq}"):
                list(journal.read())
        db.execute("UPDATE entries SET body = ? WHERE seq = ?", (body, seq))
        db.commit()
        db.close()


# --- who makes them -------------------------------------------------------------------------------------------------


def test_the_ledger_makes_one_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "SNAPSHOT_EVERY", 10)
    path = tmp_path / "journal.sqlite"
    kept(path, [run_started(1, START_NS)])
    spec = ChildSpec(name="ledger", start=lambda: Ledger(path, LedgerMind), hears=Ledger.hears, says=Ledger.says)
    others = {one.message for one in Ledger.hears} - {TradingState, BreakerChanged, ChildStarted}
    voice = ChildSpec(name="voice", start=lambda: Scripted(rest), says=tuple(others))
    latches = ChildSpec(
        name="latches", start=lambda: Scripted(rest), hears=(Hears(TradingState),), says=(TradingState, BreakerChanged)
    )

    async def script(house: House, _: object) -> None:
        for number in range(35):
            for put in house.route(FundingPaid):
                put(FundingPaid("perps", str(number), "BTC", 5, RATE, START_NS))
            await house.clock.sleep(1.0)

    play(tree(spec, voice, latches, notebook("pages", [], *Ledger.says)), script)
    snapshot = read_snapshot(path)
    assert snapshot is not None
    with closing(Journal.read_only(path)) as journal:
        assert journal.seq == 36
        assert journal.seq - 10 < snapshot.place.seq <= journal.seq
        mind, _ = recover_journal(journal, LedgerMind())
        assert bytes_of(mind) == bytes_of(recover(journal.read(), LedgerMind()))
    assert mind.books.money("perps").funding_minor == 35 * 5


def test_a_day_of_many_entries_is_folded_in_one_go(monkeypatch):
    """Each new entry looked at all those of the day: a start after a busy day took minutes."""
    asked = []

    def account_day(at_ns: int) -> int:
        asked.append(at_ns)
        return at_ns // DAY_NS

    monkeypatch.setattr(ledger, "account_day", account_day)
    mind = LedgerMind()
    mind.fold(run_started(1, START_NS))
    for number in range(500):
        at_ns = START_NS + number * DAY_NS // 300  # the day turns once, and entries of the day before are over
        order = request(BTC, 1, id=f"o{number}", intent_id=f"i{number}")
        mind.fold(OrderPlanned("perps", order, True, at_ns))
        mind.fold(Accepted("perps", order.id, "BTC", at_ns))
    taken = list(mind.entries["perps"].values())
    newest = taken[-1].at_ns // DAY_NS
    assert len(taken) > 100
    assert all(one.at_ns // DAY_NS == newest for one in taken)
    assert len(asked) < 5 * 500
