"""Mailboxes: what waits, what gives way, what is refused, and that every message is accounted for."""

import asyncio
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor import mailbox as module
from supervisor.mailbox import Hears, Mailbox, MailboxFull, Overflow, latest
from tests.fakes import Letter, Note, Quote
from tests.patience import PATIENCE_S


class Time:
    """A clock that is set by hand."""

    now = 1_000

    def now_ns(self) -> int:
        return self.now


def mailbox(*hears: Hears, time: Time | None = None, paced: bool = False) -> Mailbox:
    return Mailbox("perps.signal", hears, (time or Time()).now_ns, paced=paced)


def put(box: Mailbox, *messages) -> None:
    for message in messages:
        box.lanes[type(message)].put(message)


def everything(box: Mailbox) -> list:
    found = []
    while batch := box.take():
        found += batch
    return found


def test_a_queue_keeps_order():
    box = mailbox(Hears(Note))
    put(box, *map(Note, range(1000)))
    assert everything(box) == [Note(number) for number in range(1000)]


def test_a_queue_never_drops_and_says_whose_it_is():
    box = mailbox(Hears(Note, size_max=2))
    put(box, Note(1), Note(2))
    with pytest.raises(MailboxFull, match=r"perps\.signal: Note has 2 waiting"):
        put(box, Note(3))
    assert everything(box) == [Note(1), Note(2)]


def test_latest_keeps_the_newest_of_each_symbol_and_counts_the_rest():
    box = mailbox(latest(Quote))
    put(box, Quote("BTC", 1), Quote("ETH", 2), Quote("BTC", 3), Quote("BTC", 4))
    assert box.statistics().conflated == 2
    assert everything(box) == [Quote("BTC", 4), Quote("ETH", 2)]


def test_latest_is_bounded_by_symbols():
    box = mailbox(latest(Quote, size_max=2))
    put(box, Quote("BTC", 1), Quote("ETH", 2), Quote("BTC", 3))
    with pytest.raises(MailboxFull, match=r"perps\.signal: Quote has 2 symbols waiting"):
        put(box, Quote("SOL", 4))


def test_ten_times_the_load_keeps_the_bound():
    box = mailbox(latest(Quote, size_max=28))
    for number in range(280):
        put(box, Quote(f"C{number % 28}", number))
        assert len(box) <= 28
    assert [quote.number for quote in everything(box)] == list(range(252, 280))
    assert box.statistics().conflated == 252


def test_what_must_not_drop_is_read_before_what_may():
    box = mailbox(latest(Quote), Hears(Note))
    put(box, Quote("BTC", 1), Note(2), Quote("ETH", 3), Note(4))
    assert box.take() == [Note(2), Note(4)]
    put(box, Note(5))
    assert box.take() == [Note(5)]
    assert box.take() == [Quote("BTC", 1), Quote("ETH", 3)]
    assert box.take() == []


def test_what_a_crash_left_unread_comes_first_and_in_order():
    box = mailbox(Hears(Note), Hears(Letter))
    put(box, Note(1), Note(2), Letter(1), Letter(2))
    batch = box.take()
    put(box, Note(3))
    box.put_back(batch[1:])
    assert everything(box) == [Note(2), Note(3), Letter(1), Letter(2)]
    assert box.statistics().heard == 5


def test_what_a_crash_left_unread_gives_way_to_newer_of_its_symbol():
    box = mailbox(latest(Quote))
    put(box, Quote("BTC", 1), Quote("ETH", 2), Quote("SOL", 3))
    batch = box.take()
    put(box, Quote("SOL", 4), Quote("XRP", 5))
    box.put_back(batch[1:])
    assert box.statistics().conflated == 1
    assert everything(box) == [Quote("ETH", 2), Quote("SOL", 4), Quote("XRP", 5)]


async def test_an_actor_sleeps_until_it_is_told_something():
    box = mailbox(Hears(Note))
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    put(box, Note(1))
    await waiting
    await box.wait()  # returns at once: there is something to read
    assert everything(box) == [Note(1)]


async def test_a_paced_actor_sleeps_until_its_tick():
    box = mailbox(Hears(Note), paced=True)
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    put(box, Note(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    box.wake_now()
    await waiting


async def test_a_body_left_behind_does_not_take_the_wake_up_of_its_successor():
    box = mailbox(Hears(Note))
    old = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    new = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    old.cancel()
    await asyncio.wait([old])
    put(box, Note(1))
    await asyncio.wait_for(new, PATIENCE_S)


async def test_a_speaker_may_wait_for_room():
    box = mailbox(Hears(Note, Overflow.BLOCK, size_max=2))
    lane = box.lanes[Note]
    speaker = asyncio.create_task(_say_all(lane, 7))
    read = []
    while len(read) < 7:
        await asyncio.sleep(0)
        assert len(box) <= 2
        read += box.take()
    await speaker
    assert read == [Note(number) for number in range(7)]


async def _say_all(lane, count: int) -> None:
    for number in range(count):
        await lane.put_wait(Note(number))


async def test_two_speakers_who_wait_do_not_pass_the_bound():
    box = mailbox(Hears(Note, size_max=1))
    speakers = [asyncio.create_task(_say_all(box.lanes[Note], 5)) for _ in range(2)]
    heard = 0
    while heard < 10:
        await asyncio.sleep(0)
        assert len(box) <= 1
        heard += len(box.take())
    await asyncio.gather(*speakers)


async def test_a_speaker_who_stops_waiting_does_not_disturb_another():
    box = mailbox(Hears(Note, size_max=1))
    put(box, Note(0))
    impatient, patient = (asyncio.create_task(box.lanes[Note].put_wait(Note(n))) for n in (1, 2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert box.take() == [Note(0)]
    await patient
    assert box.take() == [Note(2)]


async def test_age_is_that_of_the_oldest_thing_unfinished():
    time = Time()
    box = mailbox(Hears(Note), time=time)
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    assert box.age_ns == 0
    put(box, Note(1))
    await waiting
    time.now += 5
    put(box, Note(2))
    assert box.age_ns == 5
    assert len(box.take()) == 2
    time.now += 5
    assert box.age_ns == 10, "taken, but not finished"
    assert box.take() == []
    assert box.age_ns == 0


def test_age_counts_from_the_first_look_when_nobody_waited():
    time = Time()
    box = mailbox(Hears(Note), time=time)
    put(box, Note(1))
    assert box.age_ns == 0
    time.now += 7
    assert box.age_ns == 7


def test_statistics():
    box = mailbox(Hears(Note, size_max=10), latest(Quote, size_max=5))
    put(box, Note(1), Note(2), Quote("BTC", 1), Quote("BTC", 2))
    box.take()
    seen = box.statistics()
    assert (seen.waiting, seen.heard, seen.conflated, seen.high_water, seen.size_max) == (1, 2, 1, 2, 15)


# --- a mailbox against a plain list and a plain dict ----------------------------------------------------------------

SIZE_MAX = 4
BATCH = 3
NOTES = st.tuples(st.just("note"), st.integers(0, 9))
QUOTES = st.tuples(st.just("quote"), st.sampled_from("ABCDEF"))
STEPS = st.lists(st.one_of(NOTES, QUOTES, st.tuples(st.just("take"), st.integers(0, 3))), max_size=60)


class Model:
    """The same promises, said as simply as possible."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.quotes: dict[str, Quote] = {}

    def put(self, message) -> bool:
        if isinstance(message, Note):
            if len(self.notes) == SIZE_MAX:
                return False
            self.notes.append(message)
            return True
        if message.symbol not in self.quotes and len(self.quotes) == SIZE_MAX:
            return False
        self.quotes[message.symbol] = message
        return True

    def take(self) -> list:
        if self.notes:
            batch, self.notes = self.notes[:BATCH], self.notes[BATCH:]
            return batch
        batch, self.quotes = list(self.quotes.values()), {}
        return batch

    def put_back(self, rest: list) -> None:
        self.notes = [m for m in rest if isinstance(m, Note)] + self.notes
        self.quotes = {m.symbol: m for m in rest if isinstance(m, Quote)} | self.quotes


@given(STEPS)
@settings(max_examples=150)
def test_a_mailbox_is_a_list_and_a_dict(steps):
    with patch.object(module, "BATCH_MAX", BATCH):
        box, model = mailbox(Hears(Note, size_max=SIZE_MAX), latest(Quote, size_max=SIZE_MAX)), Model()
        accepted = handled = 0
        for number, (step, detail) in enumerate(steps):
            if step == "take":  # `detail` messages are handled, then the actor dies and loses none of the rest
                batch = box.take()
                assert batch == model.take()
                handled += min(detail, len(batch))
                box.put_back(batch[detail:])
                model.put_back(batch[detail:])
            else:
                message = Note(number) if step == "note" else Quote(detail, number)
                room = model.put(message)
                accepted += room
                if room:
                    put(box, message)
                else:
                    with pytest.raises(MailboxFull):
                        put(box, message)
            seen = box.statistics()
            assert seen.waiting == len(model.notes) + len(model.quotes) == len(box)
            assert seen.heard == handled
            assert accepted == seen.heard + seen.conflated + seen.waiting
